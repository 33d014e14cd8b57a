package exchange

import (
	"context"
	"fmt"
	"time"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/profile"
)

// Step is where one certificate stands, and what comes next.
type Step struct {
	Certificate string         `json:"certificate"`
	KeyPair     string         `json:"key_pair,omitempty"` // of ours
	Owner       registry.Owner `json:"owner"`
	Partner     string         `json:"partner,omitempty"`
	Environment string         `json:"environment"`
	KeyID       string         `json:"key_id,omitempty"`
	CommonName  string         `json:"common_name"`
	State       registry.State `json:"state"`
	NotAfter    time.Time      `json:"not_after"`
	Next        string         `json:"next"`
	WaitingFor  string         `json:"waiting_for"` // "us", "PARTNER", "a second person", or "nobody"
}

// Status gives the steps of all certificates of a partner, ours for all of its
// profile among them. An empty environment asks for all.
func Status(ctx context.Context, r *registry.Registry, partner, environment string) ([]Step, error) {
	var steps []Step
	err := r.Store.View(ctx, func(tx registry.Tx) error {
		p, err := tx.Partner(partner)
		if err != nil {
			return fmt.Errorf("partner %q: %w", partner, err)
		}
		dialect, err := registry.LoadProfile(tx, p.Profile)
		if err != nil {
			return err
		}
		environments, err := tx.Environments(partner)
		if err != nil {
			return err
		}
		steps = nil
		if environment != "" {
			if _, err := registry.FindEnvironment(tx, partner, environment); err != nil {
				return err
			}
		}
		for _, env := range environments {
			if environment != "" && env.Name != environment {
				continue
			}
			more, err := stepsIn(tx, p, env.Name, dialect)
			if err != nil {
				return err
			}
			steps = append(steps, more...)
		}
		return nil
	})
	return steps, err
}

func stepsIn(tx registry.Tx, p registry.Partner, environment string, dialect *profile.Profile) ([]Step, error) {
	pairs, err := registry.PairsFor(tx, p, environment)
	if err != nil {
		return nil, err
	}
	offers, err := tx.Offers(p.ID)
	if err != nil {
		return nil, err
	}
	var steps []Step
	for _, k := range pairs {
		c, err := tx.Certificate(k.Certificate)
		if err != nil {
			return nil, err
		}
		s := newStep(c)
		s.State, s.KeyPair, s.KeyID = k.State, k.ID, k.KeyID
		s.Next, s.WaitingFor = nextOfOurs(p, k, offerOf(offers, k.ID), dialect)
		steps = append(steps, s)
	}
	certificates, err := tx.Certificates(registry.CertificateQuery{Owner: registry.Theirs, Partner: p.ID, Environment: environment, Page: all})
	if err != nil {
		return nil, err
	}
	for _, c := range certificates {
		s := newStep(c)
		s.Next, s.WaitingFor = Next(c), waitingFor(c)
		if c.State == registry.Approved && c.KeyID == "" && keyIDNeeded(dialect) {
			s.Next = fmt.Sprintf("assign its key ID: sealane exchange alias %s KEYID", c.ID)
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// all is more than any partner has.
var all = registry.Page{Limit: 1000}

func newStep(c registry.Certificate) Step {
	return Step{Certificate: c.ID, Owner: c.Owner, Partner: c.Partner, Environment: c.Environment, KeyID: c.KeyID, CommonName: c.CommonName, State: c.State, NotAfter: c.NotAfter}
}

// Next says what comes after the state of a partner's certificate.
func Next(c registry.Certificate) string {
	grant := ""
	for _, w := range c.Provenance.Waivers {
		grant += " --grant " + w.Rule
	}
	switch c.State {
	case registry.Received:
		return fmt.Sprintf("wait for the checksum in a second message, then: sealane exchange confirm %s CHECKSUM", c.ID)
	case registry.Matched:
		if registry.Production(c.Environment) {
			if c.Provenance.Possession != "" {
				return fmt.Sprintf("somebody else approves it: sealane exchange approve %s --change REFERENCE%s", c.ID, grant)
			}
			return fmt.Sprintf("somebody else approves it: sealane exchange approve %s --change REFERENCE --call-back TEXT%s", c.ID, grant)
		}
		return fmt.Sprintf("an approver approves it: sealane exchange approve %s%s", c.ID, grant)
	case registry.Approved:
		return fmt.Sprintf("put it to use: sealane exchange activate %s", c.ID)
	case registry.Staged:
		return fmt.Sprintf("it counts already; put it to use: sealane exchange activate %s", c.ID)
	case registry.Retiring:
		return fmt.Sprintf("it still counts for what comes late; when nothing does: sealane exchange retire %s --reason TEXT", c.ID)
	}
	return "nothing is left to do with it"
}

func waitingFor(c registry.Certificate) string {
	switch c.State {
	case registry.Received:
		return c.Partner
	case registry.Matched:
		return "a second person"
	case registry.Approved, registry.Staged:
		return "us"
	}
	return "nobody"
}

// nextOfOurs says what comes after the state of a key pair of ours.
func nextOfOurs(p registry.Partner, k registry.KeyPair, offer registry.Offer, dialect *profile.Profile) (text, who string) {
	switch {
	case k.State == registry.Retiring:
		return fmt.Sprintf("it still opens what comes late; when nothing does: sealane key retire %s --reason TEXT", k.ID), "nobody"
	case offer.At.IsZero() && k.Origin != registry.Imported:
		return fmt.Sprintf("send its certificate: sealane exchange offer %s --to %s --out FOLDER", k.ID, p.ID), "us"
	case k.KeyID == "" && keyIDNeeded(dialect):
		return fmt.Sprintf("wait for the key ID (alias) that the partner assigns, then: sealane exchange alias %s KEYID", k.ID), p.ID
	case offer.Confirmed.IsZero() && (k.Origin != registry.Imported || k.State != registry.Active):
		return fmt.Sprintf("wait until the partner says that it is installed, then: sealane exchange activate %s --partner %s", k.ID, p.ID), p.ID
	}
	return "nothing", "nobody"
}
