package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/internal/store"
	"github.com/sealane/sealane/internal/termtext"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/profile"
)

// company is a party of the demo with its registry, and the two people who work
// with it.
type company struct {
	*registry.Registry
	ctx                context.Context
	name               string
	operator, approver exchange.Exchange
}

// openCompany makes a company's registry in a folder of its own; s closes it.
func openCompany(s *servers, dir, name string) (*company, error) {
	dir = filepath.Join(dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	db, err := store.Open(s.ctx, "sqlite:"+filepath.Join(dir, "registry.db"), store.Options{})
	if err != nil {
		return nil, err
	}
	s.closing = append(s.closing, db.Close)
	c := &company{Registry: &registry.Registry{Store: db, RSA: s.rsa}, ctx: s.ctx, name: name}
	root, err := rootkey.Create(filepath.Join(dir, "root.key"))
	if err != nil {
		return nil, err
	}
	token, err := c.Found(c.ctx, registry.Person{ID: "olga", Roles: []registry.Role{registry.Operator}})
	if err != nil {
		return nil, err
	}
	olga, err := c.Login(c.ctx, token)
	if err != nil {
		return nil, err
	}
	if err := olga.SetRoot(c.ctx, root, nil); err != nil {
		return nil, err
	}
	if token, err = olga.AddPerson(c.ctx, registry.Person{ID: "paul", Roles: []registry.Role{registry.Approver}}, "second pair of eyes"); err != nil {
		return nil, err
	}
	paul, err := c.Login(c.ctx, token)
	c.operator, c.approver = exchange.At(olga), exchange.At(paul)
	return c, err
}

// addPartner adds a partner.
func (c *company) addPartner(partner string, p *profile.Profile, side sealane.Side, environment string) error {
	if err := c.operator.AddPartner(c.ctx, registry.Partner{ID: partner, Name: partner, Profile: p.Name, Side: side}, ""); err != nil {
		return err
	}
	env := registry.Environment{Partner: partner, Name: environment, Sealing: sealane.SealingOptional}
	if p.Request.Sign == nil {
		env.Sealing = sealane.SealingRequired
		if side == sealane.ServerSide {
			env.SenderAuth = sealane.SenderUnauthenticated
		}
	}
	return c.operator.AddEnvironment(c.ctx, env, "")
}

// importKey takes a party's key pair in.
func (c *company) importKey(of *party, p *profile.Profile, partner, environment string) error {
	data, err := os.ReadFile(of.spec.KeyFile())
	if err != nil {
		return err
	}
	key, _, err := keyfile.ReadPrivate(data, nil)
	if err != nil {
		return err
	}
	n := registry.NewPair{Profile: p.Name, Partner: partner, Environment: environment, Renewal: true}
	pair, _, err := c.operator.ImportKeyPair(c.ctx, n, key, of.Certificate.Certificates, "")
	of.company, of.pair = c, pair.ID
	if pair.KeyID != "" {
		of.KeyID = pair.KeyID
	}
	return err
}

// acceptCertificate walks a partner's certificate through the exchange: the file of the first
// message, the checksum of the second, and somebody else's approval.
func (c *company) acceptCertificate(n *notes, partner, environment string, first []byte, checksum string) (registry.Certificate, error) {
	got, found, err := c.operator.Receive(c.ctx, exchange.Incoming{Partner: partner, Environment: environment, Data: first})
	if err != nil {
		return got, err
	}
	n.add("first message: %s bytes, recognised as %s; %d remarks; certificate %s", termtext.Count(len(first)), got.Exchange.Format, len(found), got.ID)
	matched, err := c.operator.Confirm(c.ctx, got.ID, checksum, "")
	if err != nil {
		return got, err
	}
	n.add("second message: SHA-256 %.16s… matches: %s", checksum, matched)
	if err := c.approver.Approve(c.ctx, got.ID, exchange.Approval{}); err != nil {
		return got, err
	}
	n.add("received by %s, approved by %s", c.operator.Person().ID, c.approver.Person().ID)
	return got, nil
}

// lane is what the registry's snapshot gives for a partner.
func (c *company) lane(partner, environment string) (*sealane.Lane, error) {
	s, err := c.Snapshot(c.ctx)
	if err != nil {
		return nil, err
	}
	return s.Lane(partner, environment)
}

// preflight is a step: nothing is missing.
func (c *company) preflight(r *report, partner, environment string) {
	r.step(fmt.Sprintf("%s: preflight with %s in %s", c.name, partner, environment), func(n *notes) error {
		checks, ready, err := exchange.Preflight(c.ctx, c.Registry, partner, environment)
		if err != nil {
			return err
		}
		counts := map[cert.Level]int{}
		for _, check := range checks {
			counts[check.Level]++
			if check.Level == cert.Refused {
				err = fmt.Errorf("%s: %s", check.Name, check.Found)
			}
		}
		n.add("%d checks hold, %d warnings", counts[cert.OK], counts[cert.Warning])
		if !ready && err == nil {
			err = fmt.Errorf("it is not ready")
		}
		return err
	})
}
