package renewal

import (
	"context"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// askContacts asks partners' contacts, some time before a certificate ends, whether they are still the right
// ones. Where there are none it has an alarm, in each pass.
func (d *dueWork) askContacts(ctx context.Context) error {
	w := noticeWork{now: d.now, lanes: d.lanes}
	var asked []registry.Notice
	var ids []string
	for _, c := range d.certificates {
		partner, env, known := d.lanes.of(c.Partner, c.Environment)
		ask, archived := registry.DaysBefore(c.EndOfUse(), registry.ContactsAsked), !partner.Archived.IsZero()
		due, seen := d.due[c.ID]
		switch {
		case !known || !seen || !archived && !d.now.Before(due):
			continue
		case archived, c.Partner == "": // a change of the partner, or of one that shares the pair, is seen in an hour
			w.looks = append(w.looks, registry.Look{About: c.ID, At: d.now.Add(time.Hour)})
			continue
		case d.now.Before(ask):
			w.looks = append(w.looks, registry.Look{About: c.ID, At: earlier(ask, due)})
			continue
		}
		to, _ := noticed{env: env}.recipients(0, registry.NoticeContacts, registry.ContactsAsked)
		if len(to) == 0 {
			d.report.wait(&d.report.Alarms, registry.Renewal{Leg: registry.Leg{Partner: c.Partner}},
				"%s has no contact in %s, and certificate %s ends in %d days", c.Partner, c.Environment, c.ID,
				registry.DaysLeft(c.EndOfUse(), d.now))
			continue
		}
		for _, address := range to {
			asked = append(asked, registry.Notice{
				Certificate: c.ID, Kind: registry.NoticeContacts, Days: registry.ContactsAsked, To: address,
				Round: env.ContactRound, Partner: c.Partner, Environment: c.Environment, Planned: d.now,
			})
		}
		ids, w.looks = append(ids, c.ID), append(w.looks, registry.Look{About: c.ID, At: due})
	}
	if w.looks == nil {
		return nil
	}
	err := d.Registry.Store.Update(ctx, func(tx registry.Tx) error {
		there, _, err := registry.Readable(tx.Notices(ids))
		if err != nil {
			return err
		}
		w.added = nil
		for _, n := range asked {
			if !contains(there, n) {
				w.added = append(w.added, n)
			}
		}
		w.tx = tx
		return w.store()
	})
	if err == nil {
		d.report.Notices += len(w.added)
	}
	return err
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
