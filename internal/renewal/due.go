package renewal

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

// duePage is how many certificates one pass looks at, to find those that are due.
const duePage = 1000

// due begins the renewals of active keys that are due, and ends what was on its way in and has expired.
// A pass looks at a part of the certificates, and the next one goes on there.
func (p *pass) due(ctx context.Context) error {
	q := registry.CertificateQuery{
		States: []registry.State{registry.Active}, Brief: true, Page: registry.Page{After: p.after, Limit: duePage},
	}
	var page []registry.Certificate
	var damaged registry.DamagedRows
	lanes, open := laneRows{}, map[string]bool{} // the keys whose renewals are open
	due := map[string]time.Time{}
	err := p.session.View(ctx, func(tx registry.Reader) (err error) {
		if page, damaged, err = registry.Readable(tx.Certificates(q)); err != nil {
			return err
		}
		var partners []string
		for _, c := range page {
			partners = append(partners, c.Partner)
		}
		if err := lanes.read(tx, partners); err != nil {
			return err
		}
		for _, c := range page {
			_, env, _ := lanes.of(c.Partner, c.Environment)
			r := env.Rotation
			if c.Partner == "" {
				if r, err = registry.RotationOf(tx, legOf(c), c.KeyPair); err != nil {
					return err
				}
			}
			if due[c.ID] = c.Due(r); p.now.Before(due[c.ID]) {
				continue
			}
			_, err := tx.OpenRenewal(legOf(c))
			if err != nil && !errors.Is(err, registry.ErrNotFound) {
				return err
			}
			open[c.ID] = err == nil
		}
		return nil
	})
	if err != nil {
		return err
	}
	p.after = ""
	if len(page)+len(damaged) == q.Limit {
		for _, c := range page {
			p.after = max(p.after, c.ID)
		}
		for _, row := range damaged {
			p.after = max(p.after, row.ID)
		}
	}
	for _, c := range page {
		if open[c.ID] {
			continue
		}
		if err := p.keepClaim(ctx); err != nil {
			return err
		}
		if err := p.end(ctx, c, due[c.ID], lanes); err != nil {
			if ctx.Err() != nil || errors.Is(err, registry.ErrStore) {
				return err
			}
			p.unseen(c.Partner, c.ID, err.Error())
		}
	}
	for _, row := range damaged {
		p.unseen("", row.ID, row.Why)
	}
	return p.expire(ctx)
}

// legOf returns the leg of a certificate.
func legOf(c registry.Certificate) registry.Leg {
	return registry.Leg{Owner: c.Owner, Partner: c.Partner, Profile: c.Profile, Environment: c.Environment}
}

// unseen has an alarm where it can't be seen whether a certificate is due.
func (p *pass) unseen(partner, id, why string) {
	p.report.wait(&p.report.Alarms, registry.Renewal{Leg: registry.Leg{Partner: partner}},
		"whether certificate %s is due can't be seen: %s", id, why)
}

// laneRows are the partners and environments of some certificates, read together.
type laneRows struct {
	partners     map[string]registry.Partner
	environments map[lanes.Name]registry.Environment
}

func (l *laneRows) read(tx registry.Reader, of []string) error {
	l.partners, l.environments = map[string]registry.Partner{}, map[lanes.Name]registry.Environment{}
	of = slices.DeleteFunc(of, func(id string) bool { return id == "" })
	partners, _, err := registry.Readable(tx.PartnersOf(of))
	if err != nil {
		return err
	}
	for _, one := range partners {
		l.partners[one.ID] = one
	}
	environments, _, err := registry.Readable(tx.EnvironmentsOf(of))
	for _, e := range environments {
		l.environments[lanes.Name{Partner: e.Partner, Environment: e.Name}] = e
	}
	return err
}

// of returns the rows of a lane, and reports whether both can be read. A pair that partners share has none.
func (l *laneRows) of(partner, environment string) (registry.Partner, registry.Environment, bool) {
	p, known := l.partners[partner]
	env, has := l.environments[lanes.Name{Partner: partner, Environment: environment}]
	return p, env, known && has || partner == ""
}

// end begins the renewal of an active key that is due, and asks for the contacts some time before.
func (p *pass) end(ctx context.Context, c registry.Certificate, due time.Time, lanes laneRows) error {
	partner, env, known := lanes.of(c.Partner, c.Environment)
	switch {
	case !known:
		return errors.New("the row of its partner or environment can't be read")
	case !partner.Archived.IsZero():
		return nil
	case !p.now.Before(due):
		return p.begin(ctx, c, due)
	case c.Partner != "" && !p.now.Before(registry.DaysBefore(c.EndOfUse(), contactsDay)):
		return p.askContacts(ctx, c, env)
	}
	return nil
}

// begin begins the renewal of an active key that is due, if none is open.
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
