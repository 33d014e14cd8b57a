package renewal

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// duePage is how many certificates one pass looks at, to find those that are due.
const duePage = 2000

// due begins the renewals of active keys that are due, and ends what was on its way in and has expired.
// A pass looks at a part of the certificates, and the next one goes on there.
func (p *pass) due(ctx context.Context) error {
	q := registry.CertificateQuery{
		States: []registry.State{registry.Active}, Brief: true, Page: registry.Page{After: p.after, Limit: 1000},
	}
	for looked := 0; looked < duePage; {
		var page []registry.Certificate
		var damaged registry.DamagedRows
		var due []time.Time // when those of the page are due; zero: not yet
		err := p.session.View(ctx, func(tx registry.Reader) (err error) {
			if page, damaged, err = registry.Readable(tx.Certificates(q)); err == nil {
				due, err = p.dueOf(tx, page)
			}
			return err
		})
		if err != nil {
			return err
		}
		for i, c := range page {
			q.After = max(q.After, c.ID)
			if due[i].IsZero() {
				continue
			}
			if err := p.begin(ctx, c, due[i]); err != nil {
				if ctx.Err() != nil || errors.Is(err, registry.ErrStore) {
					return err
				}
				p.unseen(c, err)
			}
		}
		for _, row := range damaged {
			q.After = max(q.After, row.ID)
			p.report.wait(&p.report.Alarms, registry.Renewal{}, "whether certificate %s is due can't be seen: %s",
				row.ID,
				row.Why)
		}
		seen := len(page) + len(damaged)
		looked += seen
		p.after = q.After
		if seen < q.Limit {
			p.after = ""
			break
		}
	}
	return p.expire(ctx)
}

// unseen reports a certificate whose row or environment can't be read.
func (p *pass) unseen(c registry.Certificate, err error) {
	p.report.wait(&p.report.Alarms, registry.Renewal{Leg: registry.Leg{Partner: c.Partner}},
		"whether certificate %s is due can't be seen: %v", c.ID, err)
}

// legOf returns the leg of a certificate.
func legOf(c registry.Certificate) registry.Leg {
	return registry.Leg{Owner: c.Owner, Partner: c.Partner, Profile: c.Profile, Environment: c.Environment}
}

// dueOf returns when certificates were due, or zero for those that are not yet, or whose renewal is open.
func (p *pass) dueOf(tx registry.Reader, page []registry.Certificate) ([]time.Time, error) {
	due := make([]time.Time, len(page))
	for i, c := range page {
		at, err := p.dueAt(tx, c)
		if err != nil && errors.Is(err, registry.ErrStore) {
			return nil, err
		}
		if err != nil {
			p.unseen(c, err)
		}
		due[i] = at
	}
	return due, nil
}

func (p *pass) dueAt(tx registry.Reader, c registry.Certificate) (due time.Time, err error) {
	var r registry.Rotation
	if c.Partner != "" {
		partner, err := tx.Partner(c.Partner)
		if err != nil || !partner.Archived.IsZero() {
			return due, err
		}
		env, err := tx.Environment(c.Partner, c.Environment)
		if err != nil {
			return due, err
		}
		r = env.Rotation
	}
	if due = c.Due(r); p.now.Before(due) {
		return time.Time{}, nil
	}
	_, err = tx.OpenRenewal(legOf(c))
	if errors.Is(err, registry.ErrNotFound) {
		return due, nil
	}
	return time.Time{}, err
}

// begin begins the renewal of an active key that was due at a time, unless one is open.
func (p *pass) begin(ctx context.Context, c registry.Certificate, due time.Time) error {
	leg, id := legOf(c), c.ID
	if c.Owner == registry.Ours {
		id = c.KeyPair
	}
	n := registry.Renewal{Leg: leg, Replaces: id, Due: due, RespondBy: c.EndOfUse().AddDate(0, 0,
		-registry.RespondDays)}
	entry := registry.Entry{
		Action: registry.ActionRenewalBegin, Subject: "renewal of " + id, Partner: c.Partner,
		Environment: c.Environment,
	}
	err := p.session.Change(ctx, entry, func(tx registry.Tx, entry *registry.Entry) error {
		if state, err := registry.StateOf(tx, leg, id); err != nil || state != registry.Active {
			return errors.Join(err, registry.ErrConflict)
		}
		err := p.session.BeginRenewal(tx, &n)
		entry.After = n
		return err
	})
	if errors.Is(err, registry.ErrExists) || errors.Is(err, registry.ErrConflict) {
		return nil // somebody was faster
	}
	if err == nil {
		n.Step = registry.RenewalDue
		p.report.done(n, "the renewal of %s is due", id)
	}
	return err
}

// expire ends certificates that have expired on their way in: they can't be used any more. A day that was
// watched must have gone by since, because a clock that was set wrongly must not end them.
func (p *pass) expire(ctx context.Context) error {
	var ended []registry.Certificate
	err := p.session.View(ctx, func(tx registry.Reader) (err error) {
		ended, _, err = registry.Readable(tx.Certificates(registry.CertificateQuery{
			Owner: registry.Theirs, States: []registry.State{registry.Received, registry.Matched, registry.Approved},
			NotAfterBefore: p.now, Page: registry.Page{Limit: 100},
		}))
		if err != nil {
			return err
		}
		days, err := tx.Observed(p.now.AddDate(0, -1, 0))
		ended = slices.DeleteFunc(ended, func(c registry.Certificate) bool {
			return watchedDays(days, c.NotAfter, p.now) == 0
		})
		return err
	})
	for _, c := range ended {
		entry := registry.Entry{
			Action: registry.ActionRenewalAdvance, Subject: "certificate/" + c.ID, Partner: c.Partner,
			Environment: c.Environment,
		}
		failed := p.session.Change(ctx, entry, func(tx registry.Tx, entry *registry.Entry) error {
			c, err := tx.Certificate(c.ID)
			if err != nil {
				return err
			}
			entry.Before = c
			err = p.session.MoveCertificate(tx, &c, registry.Expired)
			entry.After = c
			return err
		})
		if failed != nil && !errors.Is(failed, registry.ErrConflict) && !waits(failed) {
			return failed
		}
	}
	return err
}
