package renewal

import (
	"context"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// askContacts asks partners' contacts, some time before a certificate ends, whether they are still the right
// ones. Where there are none, or a mail did not arrive, it has an alarm in each pass.
func (d *dueWork) askContacts(ctx context.Context) error {
	w := noticeWork{now: d.now, lanes: d.lanes}
	for _, c := range d.certificates {
		partner, _, known := d.lanes.of(c.Partner, c.Environment)
		ask, archived := registry.DaysBefore(c.EndOfUse(), registry.ContactsAsked), !partner.Archived.IsZero()
		due, seen := d.due[c.ID]
		switch {
		case !known || !seen || !archived && !d.now.Before(due):
		case archived, c.Partner == "": // a change of the partner, or of one that shares the pair, is seen in an hour
			w.looks = append(w.looks, registry.Look{About: c.ID, At: d.now.Add(time.Hour)})
		case d.now.Before(ask):
			w.looks = append(w.looks, registry.Look{About: c.ID, At: earlier(ask, due)})
		default:
			asked, arrived := d.asked(c)
			if w.added = append(w.added, asked...); arrived {
				w.looks = append(w.looks, registry.Look{About: c.ID, At: due})
			}
		}
	}
	if w.looks == nil && w.added == nil {
		return nil
	}
	d.report.Notices += len(w.added)
	return d.Registry.Store.Update(ctx, func(tx registry.Tx) error {
		w.tx = tx
		return w.store()
	})
}

// asked returns the notices that ask the contacts about a certificate and are not there yet, and reports whether
// nobody has to do something about it.
func (d *dueWork) asked(c registry.Certificate) (notices []registry.Notice, arrived bool) {
	_, env, _ := d.lanes.of(c.Partner, c.Environment)
	n := noticed{env: env, there: d.there[c.ID]}
	to, failed := n.recipients(0, registry.NoticeContacts, registry.ContactsAsked)
	alarm := func(text string) {
		d.report.wait(&d.report.Alarms, registry.Renewal{Leg: registry.Leg{Partner: c.Partner}},
			"%s %s in %s, and certificate %s ends in %d days", c.Partner, text, c.Environment, c.ID,
			registry.DaysLeft(c.EndOfUse(), d.now))
	}
	switch {
	case failed:
		alarm("has a contact to whom a mail could not be delivered")
	case len(to) == 0:
		alarm("has no contact")
	}
	for _, address := range to {
		one := registry.Notice{
			Certificate: c.ID, Kind: registry.NoticeContacts, Days: registry.ContactsAsked, To: address,
			Round: env.ContactRound, Partner: c.Partner, Environment: c.Environment, Planned: d.now,
		}
		if !contains(n.there, one) {
			notices = append(notices, one)
		}
	}
	return notices, !failed && len(to) > 0
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// contains reports whether a notice is among others, whatever became of it.
func contains(all []registry.Notice, n registry.Notice) bool {
	for _, o := range all {
		if o.Certificate == n.Certificate && o.Kind == n.Kind && o.Days == n.Days && o.Round == n.Round &&
			strings.EqualFold(o.To, n.To) {
			return true
		}
	}
	return false
}
