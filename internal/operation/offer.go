package operation

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

// OfferPackage holds the files for a partner.
type OfferPackage = exchange.OfferPackage

// OfferRequest asks for our certificate for a partner.
type OfferRequest struct {
	Partner     string `json:"partner"`
	Environment string `json:"environment"`
	// KeyPair names a pair to offer again. If it is empty, a pair is offered that the
	// partner has not installed yet, or a new one if there is none.
	KeyPair string `json:"key_pair,omitempty"`
	// Bits, Subject and KeyID are those of a new pair. If another pair is in use, the new
	// one is its successor, and an empty subject means the same as before.
	Bits    int           `json:"bits,omitempty"`
	Subject cert.Template `json:"subject"`
	KeyID   string        `json:"key_id,omitempty"`

	// Wait is how long it waits for nodes that have not loaded a new pair yet, up to MaxWait.
	Wait time.Duration `json:"wait,omitempty"`
	// Waits is called once before it waits, with the nodes; nil: nobody is told.
	Waits func(nodes []string) `json:"-"`

	// Deliver writes the package to files. If it fails, the offer is not recorded, but a
	// new key pair is kept.
	Deliver func(OfferPackage) error `json:"-"`
}

// Offered is a key pair whose certificate was offered.
type Offered struct {
	Step
	Made     bool   `json:"made"`               // the pair was made for this offer
	Replaces string `json:"replaces,omitempty"` // the pair in use that it will replace
}

// Offer offers our certificate to a partner, and makes its key pair if there is none.
var Offer = changing("Offer", registry.ActionExchangeOffer,
	func(ctx context.Context, s *Session, in OfferRequest) (out Offered, err error) {
		lane := lanes.Name{Partner: in.Partner, Environment: in.Environment}
		pair := in.KeyPair
		if pair == "" {
			if pair, out.Replaces, err = exchange.ToOffer(ctx, &s.Viewer, lane); err != nil {
				return out, err
			}
		}
		if pair == "" {
			if pair, err = s.makePair(ctx, in, out.Replaces); err != nil {
				return out, err
			}
			out.Made = true
		}
		target := exchange.Target{KeyPair: pair, Partner: in.Partner}
		err = s.whenLoaded(ctx, in.Wait, in.Waits, func() error {
			return exchange.New(s.Session).Offer(ctx, target, in.Deliver)
		})
		if err != nil {
			if out.Made {
				err = fmt.Errorf("key pair %s is made, but not offered: %w", pair, err)
			}
			return out, err
		}
		out.Step, err = s.step(ctx, pair, in.Partner)
		return out, err
	})

// MaxWait is the longest time for which an act waits for nodes.
const MaxWait = 10 * time.Minute

// lookAgain is how often an act that waits for nodes looks.
const lookAgain = time.Second

// NotLoadedError means that nodes do not have a key yet.
type NotLoadedError = registry.NotLoadedError

// whenLoaded does an act, again and again while nodes do not have a key that it is about, for a time.
func (s *Session) whenLoaded(ctx context.Context, wait time.Duration, told func([]string), act func() error) error {
	if wait < 0 || wait > MaxWait {
		return registry.Refuse("it can wait for nodes for at most %s, not %s", MaxWait, wait)
	}
	pause := s.registry.config.Pause
	if pause == nil {
		pause = pauseFor
	}
	for end := s.Time().Add(wait); ; {
		err := act()
		lacking, is := errors.AsType[*NotLoadedError](err)
		if !is || !s.Time().Before(end) {
			return err
		}
		if told != nil {
			told(lacking.Nodes)
			told = nil
		}
		if stopped := pause(ctx, min(lookAgain, end.Sub(s.Time()))); stopped != nil {
			return fmt.Errorf("%w (%w)", err, stopped)
		}
	}
}

func pauseFor(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// makePair makes a pair for a partner, as the successor of another if one is named.
func (s *Session) makePair(ctx context.Context, in OfferRequest, replaces string) (string, error) {
	return s.makePairOf(ctx, in, "", replaces)
}

// makePairOf is makePair for a pair that all partners of a profile share, if no partner is named.
func (s *Session) makePairOf(ctx context.Context, in OfferRequest, profile, replaces string) (string, error) {
	if err := s.openKeys(ctx); err != nil {
		return "", err
	}
	n := registry.NewPair{
		Profile: profile, Partner: in.Partner, Environment: in.Environment, Bits: in.Bits, Subject: in.Subject,
		KeyID:   in.KeyID,
		Renewal: replaces != "",
	}
	if replaces != "" {
		before, err := certificateOf(ctx, &s.Viewer, replaces)
		if err != nil {
			return "", err
		}
		chain, err := before.Parse()
		if err != nil {
			return "", err
		}
		if n.Bits == 0 {
			n.Bits = before.Bits
		}
		if n.Subject.CommonName == "" {
			n.Subject = sameSubject(chain[0])
		}
	}
	made, err := s.createPair(ctx, n)
	return made.KeyPair.ID, err
}

// sameSubject returns the subject of a certificate.
func sameSubject(c *x509.Certificate) cert.Template {
	t := cert.Template{CommonName: c.Subject.CommonName}
	t.Organization = strings.Join(c.Subject.Organization, ", ")
	t.Unit = strings.Join(c.Subject.OrganizationalUnit, ", ")
	t.Country = strings.Join(c.Subject.Country, ", ")
	if len(c.EmailAddresses) > 0 {
		t.Email = c.EmailAddresses[0]
	}
	return t
}

// PartnerFile asks for the small signed file that another Sealane receives.
type PartnerFile struct {
	KeyPair string `json:"key_pair"`
	Partner string `json:"partner"`
	Name    string `json:"name"`            // ours, as the partner knows it
	Email   string `json:"email,omitempty"` // our contact for the certificate

	// Deliver writes the file. If it fails, the offer is not recorded.
	Deliver func([]byte) error `json:"-"`
}

// ExportPartnerFile offers our certificate as a file for the partner's Sealane.
var ExportPartnerFile = withKeys("ExportPartnerFile", registry.ActionPartnerExport,
	func(ctx context.Context, s *Session, in PartnerFile) (Step, error) {
		o := exchange.PartnerFileOptions{
			Target: exchange.Target{KeyPair: in.KeyPair, Partner: in.Partner}, Name: in.Name,
		}
		if in.Email != "" {
			o.Contacts = []Contact{{Role: registry.Primary, Name: in.Name, Email: in.Email}}
		}
		if err := exchange.New(s.Session).Export(ctx, o, in.Deliver); err != nil {
			return Step{}, err
		}
		return s.step(ctx, in.KeyPair, in.Partner)
	})

// profileOf returns the profile of a partner, or name if no partner is named.
func profileOf(ctx context.Context, v *registry.Viewer, partner, name string) (string, error) {
	if partner == "" {
		return name, nil
	}
	err := v.View(ctx, func(tx registry.Reader) error {
		p, err := tx.Partner(partner)
		if err != nil {
			return err
		}
		name = p.Profile
		return nil
	})
	return name, err
}
