package renewal

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

// duePage is how many certificates are looked at in one transaction.
const duePage = 500

// due begins the renewals of active keys that are due, asks for contacts, and ends what was on its way in and
// has expired.
func (p *pass) due(ctx context.Context) error {
	page := registry.Page{Limit: duePage}
	for {
		if err := p.keepClaim(ctx); err != nil {
			return err
		}
		d := dueWork{
			pass: p, due: map[string]time.Time{}, after: map[string]string{},
			there: map[string][]registry.Notice{},
		}
		var damaged registry.DamagedRows
		err := p.session.View(ctx, func(tx registry.Reader) (err error) {
			if d.certificates, damaged, err = registry.Readable(tx.CertificatesToLook(p.now, page)); err != nil {
				return err
			}
			return d.read(tx)
		})
		if err != nil {
			return err
		}
		for _, row := range damaged {
			p.unseen("", row.ID, row.Why)
			page.After = max(page.After, row.ID)
		}
		for _, c := range d.certificates {
			page.After = max(page.After, c.ID)
		}
		if err := d.begin(ctx); err != nil {
			return err
		}
		if err := d.askContacts(ctx); err != nil {
			return err
		}
		if len(d.certificates)+len(damaged) < duePage {
			return p.expire(ctx)
		}
	}
}

// dueWork is about some active certificates that no open renewal replaces.
type dueWork struct {
	*pass
	certificates []registry.Certificate
	lanes        laneRows
	due          map[string]time.Time         // when the successor is due
	after        map[string]string            // which renewal must end before
	there        map[string][]registry.Notice // about those whose contacts are asked
}

// read reads what depends on the lanes, on open renewals and on notices.
func (d *dueWork) read(tx registry.Reader) error {
	var partners []string
	for _, c := range d.certificates {
		partners = append(partners, c.Partner)
	}
	if err := d.lanes.read(tx, partners); err != nil {
		return err
	}
	var asked []string
	for _, c := range d.certificates {
		if !d.now.Before(registry.DaysBefore(c.EndOfUse(), registry.ContactsAsked)) {
			asked = append(asked, c.ID)
		}
		_, env, _ := d.lanes.of(c.Partner, c.Environment)
		r := env.Rotation
		if c.Partner == "" {
			var err error
			if r, err = registry.RotationOf(tx, legOf(c), c.KeyPair); errors.Is(err, registry.ErrStore) {
				return err
			} else if err != nil {
				d.unseen("", c.ID, err.Error())
				continue
			}
		}
		if d.due[c.ID] = c.Due(r); d.now.Before(d.due[c.ID]) {
			continue
		}
		open, err := tx.OpenRenewal(legOf(c))
		switch {
		case err == nil:
			d.after[c.ID] = open.ID
		case errors.Is(err, registry.ErrStore):
			return err
		case !errors.Is(err, registry.ErrNotFound):
			d.unseen(c.Partner, c.ID, err.Error())
			delete(d.due, c.ID)
		}
	}
	there, _, err := registry.Readable(tx.Notices(asked))
	for _, n := range there {
		d.there[n.Certificate] = append(d.there[n.Certificate], n)
	}
	return err
}

// begin begins the renewals that are due.
func (d *dueWork) begin(ctx context.Context) error {
	for _, c := range d.certificates {
		partner, _, known := d.lanes.of(c.Partner, c.Environment)
		if !known {
			d.unseen(c.Partner, c.ID, "the row of its partner or environment can't be read")
		}
		due, seen := d.due[c.ID]
		if !known || !seen || !partner.Archived.IsZero() || d.now.Before(due) {
			continue
		}
		if open := d.after[c.ID]; open != "" {
			d.report.wait(&d.report.Alarms, registry.Renewal{ID: open, Leg: legOf(c)},
				"it is open, so that of %s can't begin, which is due since %s: end it", c.ID,
				due.Format(time.DateOnly))
			continue
		}
		if err := d.keepClaim(ctx); err != nil {
			return err
		}
		if err := d.beginRenewal(ctx, c, due); err != nil {
			if ctx.Err() != nil || errors.Is(err, registry.ErrStore) {
				return err
			}
			d.unseen(c.Partner, c.ID, err.Error())
		}
	}
	return nil
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

// beginRenewal begins the renewal of an active key, if none is open.
func (p *pass) beginRenewal(ctx context.Context, c registry.Certificate, due time.Time) error {
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
