package renewal

import (
	"context"
	"strings"

	"github.com/sealane/sealane/internal/registry"
)

// askContacts asks a partner's contacts, some time before a certificate ends, whether they are still the
// right ones. It has an alarm where there are none.
func (p *pass) askContacts(ctx context.Context, c registry.Certificate, env registry.Environment) error {
	to, _ := noticed{env: env}.recipients(0, registry.NoticeContacts, contactsDay)
	if len(to) == 0 {
		p.report.wait(&p.report.Alarms, registry.Renewal{Leg: registry.Leg{Partner: c.Partner}},
			"%s has no contact in %s, and certificate %s ends in %d days", c.Partner, c.Environment, c.ID,
			registry.DaysLeft(c.EndOfUse(), p.now))
		return nil
	}
	var missing []registry.Notice
	err := p.session.View(ctx, func(tx registry.Reader) error {
		there, _, err := registry.Readable(tx.Notices([]string{c.ID}))
		for _, address := range to {
			n := registry.Notice{
				Certificate: c.ID, Kind: registry.NoticeContacts, Days: contactsDay, To: address,
				Round: env.ContactRound, Partner: c.Partner, Environment: c.Environment, Planned: p.now,
			}
			if !contains(there, n) {
				missing = append(missing, n)
			}
		}
		return err
	})
	if err != nil || missing == nil {
		return err
	}
	w := noticeWork{now: p.now, added: missing}
	p.report.Notices += len(missing)
	return p.Registry.Store.Update(ctx, func(tx registry.Tx) error {
		w.tx = tx
		return w.store()
	})
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
