package operation

import (
	"context"
	"errors"
	"slices"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
	"github.com/sealane/sealane/internal/rootkey"
)

// LaneStatus is the status of one lane: the state of each certificate, and whether messages
// can be sealed and opened.
type LaneStatus struct {
	Partner      string `json:"partner"`
	Environment  string `json:"environment"`
	Certificates []Used `json:"certificates"`
	// Renewals are those that are open, of both sides.
	Renewals []ShownRenewal `json:"renewals,omitempty"`
	// Ready reports whether no check refuses. It and Checks are there for one lane only.
	Ready  bool    `json:"ready"`
	Checks []Check `json:"checks"`
}

// LaneName names a lane.
type LaneName struct {
	Partner     string `json:"partner"`
	Environment string `json:"environment"`
}

// PartnerLanes are a partner's lanes, and the certificates of both sides in them.
type PartnerLanes struct {
	Lanes        []LaneSummary `json:"lanes"`
	Certificates []Used        `json:"certificates"`
	// Renewals are those that are open, of both sides.
	Renewals []ShownRenewal `json:"renewals,omitempty"`
}

// PartnerStatus returns the lanes of a partner, and the states of its certificates.
var PartnerStatus = reading("PartnerStatus",
	func(ctx context.Context, v *registry.Viewer, in ID) (PartnerLanes, error) {
		lanes, certificates, err := partnerLanes(ctx, v, in.ID)
		if err != nil {
			return PartnerLanes{}, err
		}
		used, err := withUses(ctx, v, in.ID, certificates)
		if err != nil {
			return PartnerLanes{}, err
		}
		open, err := openRenewals(ctx, v, LaneName{Partner: in.ID})
		return PartnerLanes{lanes, used, open}, err
	})

// openRenewals returns the open renewals of a lane, or of all lanes of a partner.
func openRenewals(ctx context.Context, v *registry.Viewer, of LaneName) (open []ShownRenewal, err error) {
	q := registry.RenewalQuery{
		Open: true, Partner: of.Partner, Environment: of.Environment, Page: Page{Limit: 1000},
	}
	err = v.View(ctx, func(tx registry.Reader) error {
		list, _, err := registry.Readable(tx.Renewals(q)) // the schedule has an alarm for the others
		if err != nil {
			return err
		}
		open = nil
		for _, n := range list {
			one, err := renewal.ShownAt(tx, n, v.Time())
			if err != nil {
				return err
			}
			open = append(open, one)
		}
		return nil
	})
	return open, err
}

func partnerLanes(
	ctx context.Context, v *registry.Viewer, partner string,
) (list []LaneSummary, certificates []Standing, err error) {
	if certificates, err = exchange.Status(ctx, v, lanes.Name{Partner: partner}); err != nil {
		return nil, nil, err
	}
	err = v.View(ctx, func(tx registry.Reader) error {
		environments, damaged, err := registry.Readable(tx.Environments(partner))
		for _, row := range damaged {
			list = append(list, LaneSummary{Partner: partner, Damaged: row.Error()})
		}
		for _, env := range environments {
			list = append(list, summary(env, certificates))
		}
		return err
	})
	return list, certificates, err
}

// Status checks everything that a lane needs. It opens the private keys, makes the lane,
// and seals a message with it. A root key that cannot be used is a finding.
var Status = checking("Status",
	func(ctx context.Context, v *keyViewer, in LaneName) (out LaneStatus, err error) {
		out.Partner, out.Environment = in.Partner, in.Environment
		if out.Certificates, err = standings(ctx, v.Viewer, lanes.Name(in)); err != nil {
			return out, err
		}
		if out.Renewals, err = openRenewals(ctx, v.Viewer, in); err != nil {
			return out, err
		}
		out.Checks, out.Ready, err = v.preflight(ctx, v.checkRoot(ctx), lanes.Name(in))
		return out, err
	})

// checkRoot loads the root key, and checks that it opens the registry's private keys. If
// the registry has none yet, it does not set it.
func (v *keyViewer) checkRoot(ctx context.Context) Check {
	c := Check{Finding: cert.Finding{
		Code:  "root-key",
		Name:  "root key",
		Level: cert.OK,
		Found: "opens the private keys",
	}}
	key, _, err := v.registry.loadRoot(ctx, v.registry.config.RootKey, nil)
	if err == nil {
		err = v.registry.registry.UseRoot(ctx, key)
	} else {
		err = noRoot(ctx, v.Viewer, err)
	}
	switch {
	case errors.Is(err, registry.ErrNoRoot):
		c.Level, c.Found = cert.Warning, "it is there, and not in use yet; the first key pair takes it"
	case err != nil:
		c.Level, c.Found = cert.Refused, err.Error()
		if errors.Is(err, rootkey.ErrOtherKey) || errors.Is(err, ErrRootElsewhere) {
			c.Remedy, c.Next = "use the root key of this registry", Advice{Needs: []Need{registry.RootKey}}
		}
	}
	return c
}

// LaneSummary is one line of the overview of all lanes.
type LaneSummary struct {
	Partner     string `json:"partner"`
	Environment string `json:"environment"`
	Ours        string `json:"ours"`   // the state of our key pair that is in use, or furthest on the way
	Theirs      string `json:"theirs"` // the same for the partner's certificate
	WaitingFor  string `json:"waiting_for"`
	// Loosened are the rules that were loosened in the environment.
	Loosened []string `json:"loosened,omitempty"`
	Damaged  string   `json:"damaged,omitempty"` // the row that can't be read
}

// Lanes asks for a page of the overview.
type Lanes struct {
	After string `json:"after,omitempty"` // start after this partner
	Limit int    `json:"limit,omitempty"` // partners at most
}

// Overview is a page of the lanes of all partners.
type Overview struct {
	Lanes []LaneSummary `json:"lanes"`
	More  string        `json:"more,omitempty"` // After of the next page
	// Requests are the acts that wait for a second person.
	Requests []Request `json:"requests"`
	Damage
}

// AllStatus returns a line for each lane.
var AllStatus = reading("AllStatus",
	func(ctx context.Context, v *registry.Viewer, in Lanes) (out Overview, err error) {
		list, err := listPartners(ctx, v, PartnerQuery{After: in.After, Limit: in.Limit})
		if err != nil {
			return out, err
		}
		out.More = list.More
		if out.Requests, out.Damage, err = openRequests(ctx, v); err != nil {
			return out, err
		}
		out.Damaged = append(out.Damaged, list.Damaged...)
		for _, p := range list.Partners {
			lanes, _, err := partnerLanes(ctx, v, p.ID)
			_, damaged := errors.AsType[*registry.DamagedRow](err)
			if damaged || errors.Is(err, registry.ErrNotFound) { // its profile
				lanes = []LaneSummary{{Partner: p.ID, Damaged: err.Error()}}
			} else if err != nil {
				return out, err
			}
			out.Lanes = append(out.Lanes, lanes...)
		}
		return out, nil
	})

// progress orders states from the beginning of an exchange to its use.
var progress = []State{
	registry.Received, registry.Matched, registry.Approved, registry.Retiring, registry.Staged, registry.Active,
}

// summary returns the line of an environment.
func summary(env Environment, all []exchange.Standing) LaneSummary {
	s := LaneSummary{Partner: env.Partner, Environment: env.Name, WaitingFor: exchange.WaitsForNobody}
	s.Loosened = exchange.Loosened(env)
	best := map[registry.Owner]int{registry.Ours: -1, registry.Theirs: -1}
	for _, one := range all {
		if one.Environment != env.Name {
			continue
		}
		if one.Damaged != "" {
			s.Damaged = one.Damaged
			continue
		}
		best[one.Owner] = max(best[one.Owner], slices.Index(progress, one.State))
		if one.Next.Waits != exchange.WaitsForNobody {
			s.WaitingFor = one.Next.Waits
		}
	}
	state := func(o registry.Owner) string {
		if best[o] < 0 {
			return "none"
		}
		return string(progress[best[o]])
	}
	s.Ours, s.Theirs = state(registry.Ours), state(registry.Theirs)
	return s
}

// Shown is everything about one certificate, and its key pair if it is ours.
type Shown struct {
	Step
	Certificate CertificateFacts `json:"certificate"`
	KeyPair     *KeyPair         `json:"key_pair,omitempty"`
	// Replaces is the other certificate in use in the same lane, for comparison.
	Replaces *CertificateFacts `json:"replaces,omitempty"`
	// Uses are those of the key, by node and direction.
	Uses []registry.Usage `json:"uses,omitempty"`
	// Offers, Waiting and Exported are about a key pair of ours. Waiting are partners who have not
	// said that they have installed it, some of many.
	Offers   OfferCount  `json:"offers,omitzero"`
	Waiting  []string    `json:"waiting,omitempty"`
	Exported KeyExported `json:"exported,omitzero"`
	// Renewal is the open one in which the key has a part; nil: there is none.
	Renewal *ShownRenewal `json:"renewal,omitempty"`
}

// maxWaiting is how many partners Waiting names.
const maxWaiting = 20

// pair adds what is known of a key pair of ours.
func (s *Shown) pair(tx registry.Reader, id string) error {
	k, err := tx.KeyPair(id)
	if err != nil {
		return err
	}
	k.SPKI, s.KeyPair, s.ID = nil, &k, k.ID
	offers, err := tx.OfferCounts([]string{k.ID})
	if err != nil {
		return err
	}
	s.Offers = offers[k.ID]
	if s.Waiting, err = tx.OpenOffers(k.ID, maxWaiting); err != nil {
		return err
	}
	exported, err := exports(tx)
	s.Exported = exported[k.ID]
	return err
}

// CertificateFacts are the data of a certificate that people read and compare.
type CertificateFacts struct {
	registry.Certificate
	Subject       string                `json:"subject"`
	SerialDecimal string                `json:"serial_decimal"`
	Emails        []string              `json:"emails,omitempty"`
	Table         cert.FingerprintTable `json:"checksums"`
}

// Show returns everything about a certificate or key pair, by either identity.
var Show = reading("Show", func(ctx context.Context, v *registry.Viewer, in ID) (Shown, error) {
	return show(ctx, v, in.ID)
})

func show(ctx context.Context, v *registry.Viewer, id string) (out Shown, err error) {
	c, err := certificateOf(ctx, v, id)
	if err != nil {
		return out, err
	}
	if out.Certificate, err = factsOf(c); err != nil {
		return out, err
	}
	out.ID = c.ID
	err = v.View(ctx, func(tx registry.Reader) error {
		if c.Owner == registry.Ours {
			if err := out.pair(tx, c.KeyPair); err != nil {
				return err
			}
		}
		if out.Uses, err = tx.KeyUsage(out.ID, ""); err != nil {
			return err
		}
		others, err := tx.Certificates(registry.CertificateQuery{
			Owner: c.Owner, Partner: c.Partner, Environment: c.Environment, States: []State{registry.Active},
		})
		if err != nil {
			return err
		}
		for _, o := range others {
			if o.ID == c.ID || o.Profile != c.Profile {
				continue
			}
			facts, err := factsOf(o)
			if err != nil {
				return err
			}
			out.Replaces = &facts
		}
		n, err := registry.FindRenewal(tx, out.ID, "")
		if errors.Is(err, registry.ErrNotFound) {
			return nil
		}
		if err == nil {
			out.Renewal = new(ShownRenewal)
			*out.Renewal, err = renewal.ShownAt(tx, n, v.Time())
		}
		return err
	})
	if err != nil {
		return out, err
	}
	out.State, out.Next, err = exchange.StandingOf(ctx, v, out.ID, c.Partner)
	return out, err
}

// factsOf returns the facts of a certificate, without its bytes.
func factsOf(c registry.Certificate) (facts CertificateFacts, err error) {
	chain, err := c.Parse()
	if err != nil {
		return facts, err
	}
	leaf := chain[0]
	facts.Table = cert.Fingerprints(c.Provenance.File, leaf)
	facts.Subject, facts.SerialDecimal, facts.Emails =
		leaf.Subject.String(), leaf.SerialNumber.String(), leaf.EmailAddresses
	c.DER, c.SPKI, c.Chain, c.Provenance.File, c.Provenance.Challenge = nil, nil, nil, nil, nil
	facts.Certificate = c
	return facts, nil
}
