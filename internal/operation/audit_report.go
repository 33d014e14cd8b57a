package operation

import (
	"cmp"
	"context"
	"encoding/hex"
	"slices"
	"time"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/registry"
)

// AuditReportQuery asks for what an auditor wants to know of a partner.
type AuditReportQuery struct {
	Partner     string    `json:"partner"`
	Environment string    `json:"environment,omitempty"` // empty: all
	Since       time.Time `json:"since,omitzero"`        // of Events
	After       int64     `json:"after,omitempty"`       // Events with larger numbers
}

// AuditReport says who approved what on which evidence, and when: each key of both sides as it is now, each
// renewal with its evidence, and what was recorded, the oldest first. It has no secret.
type AuditReport struct {
	At          time.Time `json:"at"`
	Partner     string    `json:"partner"`
	Name        string    `json:"name"`
	Profile     string    `json:"profile"`
	Environment string    `json:"environment,omitempty"`
	Since       time.Time `json:"since,omitzero"`
	// Record and Hash are the head of the audit log: the report is of the log that ends there.
	Record int64  `json:"record"`
	Hash   string `json:"hash"`

	Keys     []AuditedKey       `json:"keys"`
	Renewals []registry.Renewal `json:"renewals,omitempty"`
	Events   []AuditedEvent     `json:"events"`
	More     int64              `json:"more,omitempty"` // After of the next part of Events
	Damage
}

// AuditedKey is a certificate of either side, as it is now.
type AuditedKey struct {
	registry.Certificate
	// Custodian and Origin are those of a key pair of ours, Shared whether partners share it. Offer is its
	// exchange with this partner; nil: it was not offered.
	Custodian string          `json:"custodian,omitempty"`
	Origin    string          `json:"origin,omitempty"`
	Shared    bool            `json:"shared,omitempty"`
	Offer     *registry.Offer `json:"offer,omitempty"`
}

// AuditedEvent is a record, with the evidence in it.
type AuditedEvent struct {
	Record      int64     `json:"record"`
	Time        time.Time `json:"time"`
	Who         string    `json:"who"`
	Action      Action    `json:"action"`
	Subject     string    `json:"subject"`
	Environment string    `json:"environment,omitempty"`
	Reason      string    `json:"reason,omitempty"`
	Facts       []string  `json:"facts,omitempty"`
}

const (
	maxReported = 1000 // keys and renewals
	maxEvents   = 5000
)

// ReportAudit returns the report of a partner.
var ReportAudit = reading("ReportAudit",
	func(ctx context.Context, v *registry.Viewer, in AuditReportQuery) (out AuditReport, err error) {
		err = v.View(ctx, func(tx registry.Reader) error {
			p, err := tx.Partner(in.Partner)
			if err != nil {
				return err
			}
			out = AuditReport{
				At: v.Time(), Partner: p.ID, Name: p.Name, Profile: p.Profile, Environment: in.Environment,
				Since: in.Since,
			}
			head, err := tx.AuditHead()
			if err != nil {
				return err
			}
			out.Record, out.Hash = head.Seq, hex.EncodeToString(head.Hash)
			for _, part := range []func(registry.Reader) error{out.theirs, out.ours, out.renewals} {
				if err := part(tx); err != nil {
					return err
				}
			}
			slices.SortStableFunc(out.Keys, func(a, b AuditedKey) int {
				return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
			})
			return out.events(tx, in)
		})
		return out, err
	})

// in reports whether something is in the environment that the report is about.
func (r *AuditReport) in(environment string) bool {
	return r.Environment == "" || r.Environment == environment
}

// audited returns a certificate without what is long, and without the nonce of a challenge.
func audited(c registry.Certificate) AuditedKey {
	c.DER, c.SPKI, c.Chain, c.Provenance.File, c.Provenance.Challenge = nil, nil, nil, nil, nil
	return AuditedKey{Certificate: c}
}

func (r *AuditReport) theirs(tx registry.Reader) error {
	certificates, damaged, err := registry.Readable(tx.Certificates(registry.CertificateQuery{
		Owner: registry.Theirs, Partner: r.Partner, Environment: r.Environment, Page: Page{Limit: maxReported},
	}))
	r.lack(damaged)
	for _, c := range certificates {
		r.Keys = append(r.Keys, audited(c))
	}
	return err
}

// ours adds the pairs of the partner alone, and the shared ones that it was offered.
func (r *AuditReport) ours(tx registry.Reader) error {
	pairs, damaged, err := registry.Readable(tx.KeyPairs(registry.KeyPairQuery{
		Partner: r.Partner, Environment: r.Environment, Page: Page{Limit: maxReported},
	}))
	if err != nil {
		return err
	}
	r.lack(damaged)
	offers, damaged, err := registry.Readable(tx.Offers(r.Partner))
	if err != nil {
		return err
	}
	r.lack(damaged)
	for _, o := range offers {
		k, err := tx.KeyPair(o.KeyPair)
		if err != nil {
			return err
		}
		if k.Partner == "" && r.in(k.Environment) {
			pairs = append(pairs, k)
		}
	}
	for _, k := range pairs {
		c, err := tx.Certificate(k.Certificate)
		if err != nil {
			return err
		}
		one := audited(c)
		one.State, one.KeyID, one.Shared = k.State, k.KeyID, k.Partner == ""
		one.Custodian, one.Origin = k.Custodian, k.Origin
		for _, o := range offers {
			if o.KeyPair == k.ID {
				one.Offer = &o
			}
		}
		r.Keys = append(r.Keys, one)
	}
	return nil
}

func (r *AuditReport) renewals(tx registry.Reader) error {
	all, damaged, err := registry.Readable(tx.Renewals(registry.RenewalQuery{
		Partner: r.Partner, Environment: r.Environment, Page: Page{Limit: maxReported},
	}))
	r.lack(damaged)
	slices.SortStableFunc(all, func(a, b registry.Renewal) int { return a.Created.Compare(b.Created) })
	r.Renewals = all
	return err
}

// events adds the records of the partner, and those of the pairs that it shares with others.
func (r *AuditReport) events(tx registry.Reader, in AuditReportQuery) error {
	records, err := r.records(tx, registry.AuditQuery{
		Partner: r.Partner, Environment: r.Environment, Since: in.Since, After: in.After,
	})
	if err != nil {
		return err
	}
	var subjects []string
	for _, k := range r.Keys {
		if k.Shared {
			subjects = append(subjects, "key/"+k.KeyPair, "certificate/"+k.ID)
		}
	}
	if len(subjects) > 0 {
		shared, err := r.records(tx, registry.AuditQuery{Subjects: subjects, Since: in.Since, After: in.After})
		if err != nil {
			return err
		}
		for _, one := range shared {
			if one.Partner == "" { // that of another partner is not for this report
				records = append(records, one)
			}
		}
	}
	slices.SortFunc(records, func(a, b audit.Record) int { return cmp.Compare(a.Seq, b.Seq) })
	if len(records) > maxEvents {
		records = records[:maxEvents]
		r.More = records[maxEvents-1].Seq
	}
	for _, one := range records {
		r.Events = append(r.Events, r.event(one))
	}
	return nil
}

// records returns the first records that match, one more than a report has at most.
func (r *AuditReport) records(tx registry.Reader, q registry.AuditQuery) (all []audit.Record, err error) {
	q.Limit, q.Oldest = maxPage, true
	for len(all) <= maxEvents {
		page, damaged, err := registry.Readable(tx.FindAudit(q))
		if err != nil {
			return nil, err
		}
		r.lack(damaged)
		all = append(all, page...)
		if len(page) < maxPage {
			break
		}
		q.After = page[len(page)-1].Seq
	}
	return all, nil
}

func (r *AuditReport) event(of audit.Record) AuditedEvent {
	return AuditedEvent{
		Record: of.Seq, Time: of.Time, Who: of.Actor, Action: Action(of.Action), Subject: of.Subject,
		Environment: of.Environment, Reason: of.Reason, Facts: factsOfRecord(of, r.Partner),
	}
}
