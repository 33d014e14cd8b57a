package renewal

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// serverDays are those of a certificate on which our mails or events depend that are left, from which on it is an
// alarm.
const serverDays = 30

// serversEnd returns what ends soon of the mail server's and the webhook's certificates, as they were presented last.
func (o *Outbox) serversEnd(now time.Time) (texts []string) {
	add := func(end time.Time, server, then string) {
		if left := registry.DaysLeft(end, now); !end.IsZero() && left < serverDays {
			texts = append(texts, fmt.Sprintf("the certificate of the %s ends on %s (%d days left): %s after it",
				server, end.UTC().Format(time.DateOnly), left, then))
		}
	}
	add(o.ends, "mail server", "no mail is sent")
	add(o.webhookEnds(), "webhook", "no event arrives")
	return texts
}

// webhookEnds returns when the certificate ends that the webhook's server has presented last; zero: none was.
func (o *Outbox) webhookEnds() time.Time {
	var c *x509.Certificate
	if o.Hook != nil {
		c = o.Hook.Certificate()
	}
	if c == nil {
		return time.Time{}
	}
	return c.NotAfter
}

// self looks at what the registry itself depends on, and proposes what is not urgent.
func (p *pass) self(ctx context.Context) error {
	return p.session.View(ctx, func(tx registry.Reader) error {
		since, old, err := registry.RootKeyAge(tx, p.now)
		p.report.RootKey = since
		if err == nil && old {
			p.report.wait(&p.report.Proposed, registry.Renewal{}, "%s", RootKeyOld(since))
		}
		if err != nil {
			return err
		}
		if since := p.now.Sub(p.lookedAt); since < 0 || since >= lateEvery {
			if p.ended, err = registry.LateUses(tx, p.now); err != nil {
				return err
			}
			p.lookedAt = p.now
		}
		for _, u := range p.ended {
			p.report.wait(&p.report.Alarms, registry.Renewal{Leg: registry.Leg{Partner: u.Partner}}, "%s", UsedLate(u))
		}
		return nil
	})
}

// lateEvery is how often a scheduler looks for keys that are used and have ended: it looks at all
// keys that have ended.
const lateEvery = time.Hour

// UsedLate says that a node uses a key that has ended, so that nobody watches it.
func UsedLate(u registry.EndedUse) string {
	return fmt.Sprintf("node %q has used %s on %s, and it is %s since %s: nobody watches its end; have the node read "+
		"the registry again, or end it", u.Node, u.Key, u.Last.UTC().Format(time.DateTime), u.State,
		u.Ended.UTC().Format(time.DateTime))
}

// RootKeyOld says that the root key is to be rotated.
func RootKeyOld(since time.Time) string {
	return fmt.Sprintf("the root key is the same since %s: encrypt the private keys under another one",
		since.UTC().Format(time.DateOnly))
}
