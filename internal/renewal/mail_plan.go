package renewal

import (
	"cmp"
	"context"

	"github.com/sealane/sealane/internal/registry"
)

// mail plans the mail after which the partner may end the old one: every node uses the successor, and
// what began before has ended. A partner who holds one certificate at a time gets it when every node
// has the successor: it may replace the old one when it likes, unless there is an appointment.
func (p *pass) mail(ctx context.Context, n *registry.Renewal) error {
	if n.Owner != registry.Theirs {
		return nil
	}
	if n.Mail != nil {
		return p.unaddressed(ctx, *n)
	}
	swaps, err := p.swaps(ctx, *n)
	if err != nil {
		return err
	}
	since := n.Everywhere
	if swaps && since.IsZero() {
		since = n.LoadedAt
	}
	if since.IsZero() || p.now.Before(since.Add(cmp.Or(p.Drain, DefaultDrain))) {
		return nil
	}
	if swaps && n.Everywhere.IsZero() {
		before, err := p.before(ctx, *n)
		if err != nil || before != "" {
			p.report.wait(&p.report.Wait, *n, "%s can't replace its key yet, because %s still counts: retire that one",
				n.Partner, before)
			return err
		}
	}
	err = p.change(ctx, n, func(tx registry.Tx, n *registry.Renewal) error {
		env, err := tx.Environment(n.Partner, n.Environment)
		if err != nil {
			return err
		}
		n.Mail = &registry.RenewalMail{
			Planned: p.now, To: mailTo(env), ID: mailID(*n, env), Ready: n.Everywhere.IsZero(),
		}
		n.Changed = p.now
		if err := tx.PutRenewal(n); err != nil {
			return err
		}
		p.session.FollowRenewal(tx, *n)
		return nil
	})
	if err != nil {
		return err
	}
	if n.Mail != nil {
		p.report.done(*n, "the mail that confirms %s to %s is planned", n.Successor, n.Partner)
	}
	return p.unaddressed(ctx, *n)
}

// unaddressed has an alarm where a planned mail has nobody to whom it could be sent.
func (p *pass) unaddressed(ctx context.Context, n registry.Renewal) error {
	if n.Mail == nil || !n.Mail.Sent.IsZero() || len(n.Mail.To) > 0 {
		return nil
	}
	return p.session.View(ctx, func(tx registry.Reader) error {
		env, err := tx.Environment(n.Partner, n.Environment)
		if err == nil && len(mailTo(env)) == 0 {
			p.report.wait(&p.report.Alarms, n, "%s has no contact in %s for the mail that confirms %s",
				n.Partner, n.Environment, n.Successor)
		}
		return err
	})
}

// swaps reports whether the partner of a renewal holds one certificate at a time, and may replace it when
// it likes.
func (p *pass) swaps(ctx context.Context, n registry.Renewal) (may bool, err error) {
	err = p.session.View(ctx, func(tx registry.Reader) error {
		env, err := tx.Environment(n.Partner, n.Environment)
		if err != nil {
			return err
		}
		prof, err := registry.LoadProfile(tx, n.Profile)
		if err != nil {
			return err
		}
		appointed, err := n.ByAppointment(tx)
		may = env.SlotsOf(prof) == 1 && !appointed
		return err
	})
	return may, err
}
