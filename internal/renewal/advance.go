package renewal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

// advance does the steps of one renewal that are due. Each is one transaction, in which its guards are
// checked again.
func (p *pass) advance(ctx context.Context, n *registry.Renewal) error {
	if archived, err := p.archived(ctx, *n); err != nil || archived {
		return err
	}
	if err := p.stopped(ctx, *n); err != nil {
		return err
	}
	if n.Hold != nil {
		p.report.wait(&p.report.Wait, *n, "it is held by %s (%s)", n.Hold.By, n.Hold.Reason)
		return nil
	}
	steps := []func(context.Context, *registry.Renewal) error{
		p.stage, p.load, p.activate, p.everywhere, p.mail, p.quiet, p.retire, p.follow,
	}
	for _, step := range steps {
		if err := step(ctx, n); err != nil {
			return err
		}
		if n.Step.Closed() {
			return nil
		}
	}
	p.late(*n)
	return nil
}

// change is one step of a program in a renewal. f reports whether there is something to do; n is then
// read again.
func (p *pass) change(
	ctx context.Context, n *registry.Renewal, f func(registry.Tx, *registry.Renewal) error,
) error {
	entry := registry.Entry{
		Action: registry.ActionRenewalAdvance, Subject: "renewal/" + n.ID, Partner: n.Partner,
		Environment: n.Environment,
	}
	err := p.session.Change(ctx, entry, func(tx registry.Tx, entry *registry.Entry) error {
		now, err := tx.Renewal(n.ID)
		if err != nil {
			return err
		}
		if now.Version != n.Version {
			return fmt.Errorf("renewal %s: %w", n.ID, registry.ErrConflict)
		}
		entry.Before = now
		if err := f(tx, &now); err != nil {
			return err
		}
		entry.After = now
		return nil
	})
	if errors.Is(err, registry.ErrConflict) {
		return nil // somebody was faster; the next pass sees it
	}
	if err != nil {
		return err
	}
	return p.session.View(ctx, func(tx registry.Reader) (err error) {
		*n, err = tx.Renewal(n.ID)
		return err
	})
}

// note stores what a program has seen.
func (p *pass) note(ctx context.Context, n *registry.Renewal, set func(*registry.Renewal)) error {
	return p.change(ctx, n, func(tx registry.Tx, n *registry.Renewal) error {
		set(n)
		n.Changed = p.now
		if err := tx.PutRenewal(n); err != nil {
			return err
		}
		p.session.FollowRenewal(tx, *n)
		return nil
	})
}

// without returns the nodes that may lack a record.
func (p *pass) without(ctx context.Context, record int64) (nodes []string, err error) {
	err = p.session.View(ctx, func(tx registry.Reader) error {
		nodes, err = registry.NodesWithout(tx, record, p.now)
		return err
	})
	return nodes, err
}

// stage makes a partner's certificate verify that two people have let in: the partner may use it.
func (p *pass) stage(ctx context.Context, n *registry.Renewal) error {
	if n.Step != registry.RenewalApproved || n.Unstaged {
		return nil
	}
	err := p.change(ctx, n, func(tx registry.Tx, n *registry.Renewal) error {
		c, err := tx.Certificate(n.Successor)
		if err != nil {
			return err
		}
		return exchange.New(p.session).UseTheirs(tx, &c, registry.Staged)
	})
	if waits(err) {
		p.report.wait(&p.report.Wait, *n, "%s can't be staged: %v", n.Successor, err)
		return nil
	}
	if err == nil && n.Staged != 0 {
		p.report.done(*n, "%s verifies", n.Successor)
	}
	return err
}

// load notes that every node has the successor.
func (p *pass) load(ctx context.Context, n *registry.Renewal) error {
	if n.Staged == 0 || !n.LoadedAt.IsZero() {
		return nil
	}
	waiting, err := p.without(ctx, n.Staged)
	if err != nil {
		return err
	}
	if len(waiting) > 0 {
		p.report.wait(&p.report.Wait, *n, "%v", &registry.NotLoadedError{Key: n.Successor, Nodes: waiting})
		return nil
	}
	err = p.note(ctx, n, func(n *registry.Renewal) { n.LoadedAt = p.now })
	if err == nil {
		p.report.done(*n, "every node has %s", n.Successor)
	}
	return err
}

// activate does what was ordered for a time that has come.
func (p *pass) activate(ctx context.Context, n *registry.Renewal) error {
	if n.Activated != 0 || n.Successor == "" || n.Partner == "" {
		return nil
	}
	order, emergency, err := p.ordered(ctx, *n)
	if err != nil || order == nil {
		return err
	}
	if !emergency && p.now.Before(order.At) {
		if next := &p.report.Next; next.IsZero() || order.At.Before(*next) {
			*next = order.At
		}
		return nil
	}
	err = p.session.View(ctx, func(tx registry.Reader) error { return mayActivate(tx, p.session, *n) })
	if waits(err) {
		to := &p.report.Wait
		if p.now.Sub(order.At) > Tick*2 && !order.At.IsZero() {
			to = &p.report.Alarms
		}
		p.report.wait(to, *n, "the activation that %s has ordered waits: %v", order.By, err)
		return nil
	}
	if err != nil {
		return err
	}
	was := n.Version
	err = p.change(ctx, n, func(tx registry.Tx, n *registry.Renewal) error {
		if err := mayActivate(tx, p.session, *n); err != nil {
			return err
		}
		return activate(tx, p.session, *n)
	})
	if waits(err) {
		p.report.wait(&p.report.Alarms, *n, "the activation that %s has ordered was refused: %v", order.By, err)
		return nil
	}
	if err == nil && n.Version != was {
		p.report.done(*n, "%s is active, as %s has ordered", n.Successor, order.By)
	}
	return err
}

// ordered returns the order to activate the successor: a person's, or the revocation of the key that it
// replaces, which is an emergency.
func (p *pass) ordered(ctx context.Context, n registry.Renewal) (order *registry.RenewalOrder, emergency bool,
	err error) {
	err = p.session.View(ctx, func(tx registry.Reader) (err error) {
		if emergency, err = n.Emergency(tx); err != nil {
			return err
		}
		order, err = registry.OrderOf(tx, n)
		return err
	})
	if emergency && order == nil {
		order = &registry.RenewalOrder{By: "the revocation of " + n.Replaces}
	}
	return order, emergency, err
}

// everywhere notes that every node uses the successor.
func (p *pass) everywhere(ctx context.Context, n *registry.Renewal) error {
	if n.Activated == 0 || !n.Everywhere.IsZero() {
		return nil
	}
	waiting, err := p.without(ctx, n.Activated)
	if err != nil {
		return err
	}
	if len(waiting) > 0 {
		p.report.wait(&p.report.Wait, *n, "%s is active, and %s may still use %s",
			n.Successor, strings.Join(waiting, ", "), n.Replaces)
		return nil
	}
	err = p.note(ctx, n, func(n *registry.Renewal) { n.Everywhere = p.now })
	if err == nil {
		p.report.done(*n, "every node uses %s", n.Successor)
	}
	return err
}

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

// quiet notes that nobody has used the old key for long enough, or that somebody has again.
func (p *pass) quiet(ctx context.Context, n *registry.Renewal) error {
	if n.Everywhere.IsZero() {
		return nil
	}
	var is bool
	err := p.session.View(ctx, func(tx registry.Reader) (err error) {
		is, err = isQuiet(tx, *n, n.Replaces, p.now)
		return err
	})
	if err != nil || is == !n.QuietAt.IsZero() {
		return err
	}
	if !is {
		err = p.note(ctx, n, func(n *registry.Renewal) { n.QuietAt = time.Time{} })
		p.report.wait(&p.report.Alarms, *n, "%s is used again", n.Replaces)
		return err
	}
	err = p.note(ctx, n, func(n *registry.Renewal) { n.QuietAt = p.now })
	if err == nil {
		p.report.done(*n, "nobody has used %s for the days that the environment asks for", n.Replaces)
	}
	return err
}

// retire ends the old key where the environment lets a program do so.
func (p *pass) retire(ctx context.Context, n *registry.Renewal) error {
	if n.QuietAt.IsZero() {
		return nil
	}
	policy, err := p.policy(ctx, *n)
	if err != nil {
		return err
	}
	switch {
	case n.Owner == registry.Theirs && (n.Mail == nil || n.Mail.Sent.IsZero()):
		p.report.wait(&p.report.Wait, *n, "%s can be retired when the mail that confirms %s is sent",
			n.Replaces, n.Successor)
		return nil
	case policy == registry.RetirePropose:
		p.report.wait(&p.report.Wait, *n, "%s can be retired: nobody uses it", n.Replaces)
		return nil
	case policy != registry.RetireDo:
		return nil
	}
	err = p.change(ctx, n, func(tx registry.Tx, n *registry.Renewal) error {
		is, err := isQuiet(tx, *n, n.Replaces, p.now)
		if err != nil || !is {
			return errors.Join(err, registry.ErrConflict)
		}
		return exchange.New(p.session).EndKey(tx, n.Replaces)
	})
	if waits(err) {
		p.report.wait(&p.report.Wait, *n, "%s can't be retired: %v", n.Replaces, err)
		return nil
	}
	if err == nil && n.Step == registry.RenewalDone {
		p.report.done(*n, "%s is retired: nobody used it", n.Replaces)
	}
	return err
}

// policy returns what becomes of an old key that nobody uses. A shared pair ends by a person only,
// because many partners depend on it.
func (p *pass) policy(ctx context.Context, n registry.Renewal) (policy registry.Retire, err error) {
	if n.Partner == "" {
		return registry.RetirePropose, nil
	}
	err = p.session.View(ctx, func(tx registry.Reader) error {
		env, err := tx.Environment(n.Partner, n.Environment)
		policy = env.Rotation.RetireAs()
		if n.Owner == registry.Ours && err == nil {
			k, failed := tx.KeyPair(n.Replaces)
			if err = failed; k.Partner == "" {
				policy = registry.RetireNever // by its campaign
			}
		}
		return err
	})
	return policy, err
}

// follow closes a renewal whose keys have ended in the rows of others, such as that of a shared pair.
func (p *pass) follow(ctx context.Context, n *registry.Renewal) error {
	var ends bool
	err := p.session.View(ctx, func(tx registry.Reader) (err error) {
		ends, err = hasEnded(tx, *n)
		return err
	})
	if err != nil || !ends {
		return err
	}
	if err := p.note(ctx, n, func(*registry.Renewal) {}); err != nil {
		return err
	}
	if n.Step.Closed() {
		p.report.done(*n, "it has ended, because its keys have")
	}
	return nil
}

// hasEnded reports whether the keys of an open renewal have ended so that it has, too.
func hasEnded(tx registry.Reader, n registry.Renewal) (bool, error) {
	replaced, err := registry.StateOf(tx, n.Leg, n.Replaces)
	if err != nil {
		return false, err
	}
	successor, err := registry.StateOf(tx, n.Leg, n.Successor)
	if err != nil {
		return false, err
	}
	revoked := replaced == registry.Compromised
	switch {
	case n.Successor == "":
		return !replaced.InUse() && !revoked, nil
	case !successor.Open() && !successor.InUse():
		return true, nil
	case n.Activated == 0 || replaced.InUse():
		return false, nil
	case revoked:
		return !n.Everywhere.IsZero(), nil
	}
	return n.Owner == registry.Ours || n.Mail != nil, nil
}

// archived reports whether the partner of a renewal was archived. Nothing of it moves then.
func (p *pass) archived(ctx context.Context, n registry.Renewal) (is bool, err error) {
	if n.Partner == "" {
		return false, nil
	}
	err = p.session.View(ctx, func(tx registry.Reader) error {
		partner, err := tx.Partner(n.Partner)
		is = !partner.Archived.IsZero()
		return err
	})
	return is, err
}

// stopped reports the nodes that may still use a revoked key.
func (p *pass) stopped(ctx context.Context, n registry.Renewal) error {
	if n.Revoked == 0 || n.Step.Closed() {
		return nil
	}
	waiting, err := p.without(ctx, n.Revoked)
	if err == nil && len(waiting) > 0 {
		p.report.wait(&p.report.Alarms, n, "%s was revoked, and may still be used on %s", n.Replaces,
			strings.Join(waiting, ", "))
	}
	return err
}

// late reports deadlines that have passed.
func (p *pass) late(n registry.Renewal) {
	switch {
	case n.Activated != 0 && p.now.After(n.OverlapUntil):
		p.report.wait(&p.report.Alarms, n, "the overlap ended on %s, and %s still counts",
			n.OverlapUntil.Format(time.DateOnly), n.Replaces)
	case n.Activated != 0 && p.now.After(n.OverlapUntil.AddDate(0, 0, -14)):
		p.report.wait(&p.report.Alarms, n, "the overlap ends on %s, and %s still counts",
			n.OverlapUntil.Format(time.DateOnly), n.Replaces)
	case n.Activated == 0 && !n.RespondBy.IsZero() && p.now.After(n.RespondBy):
		p.report.wait(&p.report.Alarms, n, "it is %s, and the answer of %s was due on %s",
			n.Step, n.Partner, n.RespondBy.Format(time.DateOnly))
	}
}

// isQuiet reports whether nobody has used the old key of a renewal for as many observed days as the
// environment asks for. Days on which not every node counted do not count.
func isQuiet(tx registry.Reader, n registry.Renewal, id string, now time.Time) (bool, error) {
	if n.Everywhere.IsZero() {
		return false, nil
	}
	need := registry.Rotation{}.QuietDays()
	if n.Partner != "" {
		env, err := tx.Environment(n.Partner, n.Environment)
		if err != nil {
			return false, err
		}
		need = env.Rotation.QuietDays()
	}
	uses, err := tx.KeyUsage(id, n.Partner)
	if err != nil {
		return false, err
	}
	since := n.Everywhere
	for _, u := range uses {
		if u.Last.After(since) {
			since = u.Last
		}
	}
	days, err := tx.Observed(since)
	if err != nil {
		return false, err
	}
	return registry.Quiet(watchedDays(days, since, now), need), nil
}

// watchedDays returns how many days have gone by since a time that were watched, at least for the most
// part.
func watchedDays(days []registry.ObservedDay, since, now time.Time) (n int) {
	const most = 20 * time.Hour // of a day
	for _, d := range days {
		if d.Day.After(since) && d.Watched >= most && d.Day.Before(now) {
			n++
		}
	}
	return n
}
