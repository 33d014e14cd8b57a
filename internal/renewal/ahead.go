package renewal

import (
	"context"
	"time"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

// ahead is how much later than the present a time may be that was noted: the clocks of two computers differ.
const ahead = time.Minute

// clockAhead notes again what was noted by a clock that was ahead. The mail would wait, and nobody would know for
// what, until that time.
func (p *pass) clockAhead(ctx context.Context, n *registry.Renewal) error {
	future := func(t time.Time) bool { return t.After(p.now.Add(ahead)) }
	var last time.Time
	for _, t := range []time.Time{n.LoadedAt, n.ActivatedAt, n.Everywhere, n.QuietAt} {
		if future(t) && t.After(last) {
			last = t
		}
	}
	if last.IsZero() {
		return nil
	}
	p.report.wait(&p.report.Alarms, *n, "a step of it was noted for %s, which is in the future: a clock is wrong, or "+
		"was; look at the clocks of the schedules and nodes. It is noted again", last.Format(time.RFC3339))
	return p.note(ctx, n, always, func(n *registry.Renewal) {
		for _, t := range []*time.Time{&n.LoadedAt, &n.Everywhere, &n.QuietAt} {
			if future(*t) {
				*t = time.Time{}
			}
		}
		if future(n.ActivatedAt) {
			n.OverlapUntil = n.OverlapUntil.Add(p.now.Sub(n.ActivatedAt))
			n.ActivatedAt = p.now
		}
	})
}

// lateUses warns where the partner uses the old key although it knows that the new one counts: the overlap goes on.
// It has an alarm for a node that has counted a use by a clock that is ahead: until that time, the key is not quiet.
func (p *pass) lateUses(tx registry.Reader, n registry.Renewal) error {
	uses, err := tx.KeyUsage(n.Replaces, n.Partner)
	var last time.Time
	for _, u := range uses {
		if u.Last.After(p.now.Add(ahead)) {
			p.report.wait(&p.report.Alarms, n, "node %s has counted a use of %s at %s, which is in the future: look "+
				"at its clock; until then nobody knows whether the key is used", u.Node, n.Replaces,
				u.Last.Format(time.RFC3339))
		} else if u.Direction == lanes.In && u.Last.After(last) {
			last = u.Last
		}
	}
	knows := n.Everywhere
	if n.Owner == registry.Theirs {
		if n.Mail == nil || n.Mail.Sent.IsZero() {
			return err
		}
		knows = n.Mail.Sent
	}
	if last.After(knows) {
		p.report.wait(&p.report.Wait, n, "%s is still used, last at %s: it counts until nobody uses it", n.Replaces,
			last.Format(time.RFC3339))
	}
	return err
}
