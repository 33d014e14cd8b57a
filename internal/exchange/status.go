package exchange

import (
	"context"
	"fmt"
	"time"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/profile"
)

// Step is the state of one certificate, and what comes next.
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

// Status returns the steps of all certificates in the lanes with a partner; those of ours that
// all partners share are among them. Without an environment it returns those of all.
func Status(ctx context.Context, r *registry.Registry, of lanes.Name) ([]Step, error) {
	var steps []Step
	err := r.Store.View(ctx, func(tx registry.Tx) error {
		p, err := tx.Partner(of.Partner)
		if err != nil {
			return fmt.Errorf("partner %q: %w", of.Partner, err)
		}
		prof, err := registry.LoadProfile(tx, p.Profile)
		if err != nil {
			return err
		}
		environments, err := environmentsOf(tx, of)
		if err != nil {
			return err
		}
		steps = nil
		for _, env := range environments {
			more, err := stepsIn(tx, p, env.Name, prof)
			if err != nil {
				return err
			}
			steps = append(steps, more...)
		}
		return nil
	})
	return steps, err
}

// environmentsOf returns the environment that is named, or all of the partner's.
func environmentsOf(tx registry.Tx, of lanes.Name) ([]registry.Environment, error) {
	if of.Environment == "" {
		return tx.Environments(of.Partner)
	}
	env, err := registry.FindEnvironment(tx, of)
	return []registry.Environment{env}, err
}

func stepsIn(tx registry.Tx, p registry.Partner, environment string, prof *profile.Profile) ([]Step, error) {
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
		s.Next, s.WaitingFor = nextOfOurs(p, k, offerOf(offers, k.ID), prof)
		steps = append(steps, s)
	}
	certificates, err := tx.Certificates(registry.CertificateQuery{
		Owner: registry.Theirs, Partner: p.ID, Environment: environment, Page: all,
	})
	if err != nil {
		return nil, err
	}
	for _, c := range certificates {
		s := newStep(c)
		s.Next, s.WaitingFor = Next(c), waitingFor(c)
		if c.State == registry.Approved && c.KeyID == "" && keyIDNeeded(prof) {
			s.Next = fmt.Sprintf("assign its key ID: sealane exchange alias %s KEYID", c.ID)
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// all asks for more rows than a partner has.
var all = registry.Page{Limit: 1000}

func newStep(c registry.Certificate) Step {
	return Step{
		Certificate: c.ID, Owner: c.Owner, Partner: c.Partner, Environment: c.Environment, KeyID: c.KeyID,
		CommonName: c.CommonName, State: c.State, NotAfter: c.NotAfter,
	}
}

// Next returns what comes after the state of a partner's certificate.
func Next(c registry.Certificate) string {
	switch c.State {
	case registry.Received:
		return fmt.Sprintf("wait for the checksum in a second message, then: sealane exchange confirm %s CHECKSUM",
			c.ID)
	case registry.Matched:
		return nextOfMatched(c)
	case registry.Approved:
		return fmt.Sprintf("put it to use: sealane exchange activate %s", c.ID)
	case registry.Staged:
		return fmt.Sprintf("it counts already; put it to use: sealane exchange activate %s", c.ID)
	case registry.Retiring:
		return fmt.Sprintf("it still counts for what comes late; when nothing does: "+
			"sealane exchange retire %s --reason TEXT", c.ID)
	}
	return "nothing is left to do with it"
}

func nextOfMatched(c registry.Certificate) string {
	who, flags := "an approver approves it", ""
	if registry.Production(c.Environment) {
		who, flags = "somebody else approves it", " --change REFERENCE"
		if c.Provenance.Possession == "" {
			flags += " --call-back TEXT"
		}
	}
	for _, w := range c.Provenance.Waivers {
		flags += " --grant " + w.Rule
	}
	return fmt.Sprintf("%s: sealane exchange approve %s%s", who, c.ID, flags)
}

// waitingFor returns who has to act next.
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

// nextOfOurs returns what comes after the state of a key pair of ours, and who has to act.
func nextOfOurs(
	p registry.Partner, k registry.KeyPair, offer registry.Offer, prof *profile.Profile,
) (text, who string) {
	imported := k.Origin == registry.Imported
	switch {
	case k.State == registry.Retiring:
		return fmt.Sprintf("it still opens what comes late; when nothing does: "+
			"sealane key retire %s --reason TEXT", k.ID), "nobody"
	case offer.At.IsZero() && !imported:
		return fmt.Sprintf("send its certificate: sealane exchange offer %s --to %s --out FOLDER", k.ID, p.ID), "us"
	case k.KeyID == "" && keyIDNeeded(prof):
		return fmt.Sprintf("wait for the key ID (alias) that the partner assigns, then: "+
			"sealane exchange alias %s KEYID", k.ID), p.ID
	case offer.Confirmed.IsZero() && (!imported || k.State != registry.Active):
		return fmt.Sprintf("wait until the partner says that it is installed, then: "+
			"sealane exchange activate %s --partner %s", k.ID, p.ID), p.ID
	}
	return "nothing", "nobody"
}
