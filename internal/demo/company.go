package demo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/internal/store"
)

// company is one side of an exchange: its registry, and the two people who work
// with it.
type company struct {
	*registry.Registry
	scenario           *scenario
	name               string
	operator, approver *registry.Session
}

// openCompany makes a company and its registry, in a folder of their own.
func (s *scenario) openCompany(name string) (*company, error) {
	folder := filepath.Join(s.folder, name)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	db, err := store.Open(s.ctx, "sqlite:"+filepath.Join(folder, "registry.db"), store.Options{})
	if err != nil {
		return nil, err
	}
	s.closing = append(s.closing, db.Close)
	c := &company{Registry: &registry.Registry{Store: db, RSA: s.rsa, Now: s.now}, scenario: s, name: name}
	root, err := rootkey.Create(filepath.Join(folder, "root.key"))
	if err != nil {
		return nil, err
	}
	token, err := c.Found(s.ctx, registry.Person{ID: "olga", Roles: []registry.Role{registry.Operator}})
	if err != nil {
		return nil, err
	}
	olga, err := c.Login(s.ctx, token)
	if err != nil {
		return nil, err
	}
	if err := olga.SetRoot(s.ctx, root, nil); err != nil {
		return nil, err
	}
	approver := registry.Person{ID: "paul", Roles: []registry.Role{registry.Approver}}
	if token, err = olga.WithReason("the second person").AddPerson(s.ctx, approver); err != nil {
		return nil, err
	}
	paul, err := c.Login(s.ctx, token)
	c.operator, c.approver = olga, paul
	return c, err
}

// addPartner adds a partner with the scenario's environment. The company is on side.
func (c *company) addPartner(name string, side sealane.Side) error {
	s := c.scenario
	partner := registry.Partner{ID: name, Name: name, Profile: s.profile.Name, Side: side}
	if err := c.operator.AddPartner(s.ctx, partner); err != nil {
		return err
	}
	env := registry.Environment{
		Partner: name, Name: s.environment, Sealing: sealane.SealingOptional, Rotation: s.rotation,
	}
	if registry.Production(s.environment) {
		env.Sealing = sealane.SealingRequired
	}
	if s.profile.Request.Sign == nil {
		env.Sealing = sealane.SealingRequired
		if side == sealane.ServerSide {
			env.SenderAuth = sealane.SenderUnauthenticated
		}
	}
	return c.agreed("as their custodian says", func(o *registry.Session) error { return o.AddEnvironment(s.ctx, env) })
}

// agreed does an act of the operator for a reason. The second person agrees where one is needed.
func (c *company) agreed(reason string, act func(*registry.Session) error) error {
	operator, ctx := c.operator.WithReason(reason), c.scenario.ctx
	err := act(operator)
	needed, is := errors.AsType[*registry.SecondPersonError](err)
	if !is {
		return err
	}
	request, err := operator.MakeRequest(ctx, needed.Request)
	if err != nil {
		return err
	}
	together, _, err := c.approver.ApproveRequest(ctx, request.ID)
	if err != nil {
		return err
	}
	return act(together)
}

// lane returns the lane with a partner that the registry has now.
func (c *company) lane(partner string) (*sealane.Lane, error) {
	s, err := c.Snapshot(c.scenario.ctx)
	if err != nil {
		return nil, err
	}
	return s.Lane(lanes.Name{Partner: partner, Environment: c.scenario.environment})
}

// preflight is a step: it checks that messages to a partner can be sealed.
func (c *company) preflight(partner string) {
	s := c.scenario
	s.step(fmt.Sprintf("%s: preflight with %s in %s", c.name, partner, s.environment), func(n *notes) error {
		lane := lanes.Name{Partner: partner, Environment: s.environment}
		checks, ready, err := exchange.Preflight(s.ctx, &c.operator.Viewer, lane)
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
			err = errors.New("it is not ready")
		}
		return err
	})
}
