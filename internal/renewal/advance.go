package renewal

import (
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
	if err := p.clockAhead(ctx, n); err != nil {
		return err
	}
	if n.Hold != nil {
		p.report.wait(&p.report.Wait, *n, "it is held by %s (%s)", n.Hold.By, n.Hold.Reason)
		p.late(*n)
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

// note stores what a program has seen, if it is still so in the transaction.
func (p *pass) note(
	ctx context.Context, n *registry.Renewal, is func(registry.Reader, registry.Renewal) (bool, error),
	set func(*registry.Renewal),
) error {
	return p.change(ctx, n, func(tx registry.Tx, n *registry.Renewal) error {
		if still, err := is(tx, *n); err != nil || !still {
			return errors.Join(err, registry.ErrConflict)
		}
		set(n)
		n.Changed = p.now
		if err := tx.PutRenewal(n); err != nil {
			return err
		}
		p.session.FollowRenewal(tx, *n)
		return nil
	})
}

// always is for a note that needs nothing to be so.
func always(registry.Reader, registry.Renewal) (bool, error) { return true, nil }

// onAll returns a check that every node has a record.
func (p *pass) onAll(record int64) func(registry.Reader, registry.Renewal) (bool, error) {
	return func(tx registry.Reader, _ registry.Renewal) (bool, error) {
		nodes, err := registry.NodesWithout(tx, record, p.now)
		return len(nodes) == 0, err
	}
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
	err = p.note(ctx, n, p.onAll(n.Staged), func(n *registry.Renewal) { n.LoadedAt = p.now })
	if err == nil && !n.LoadedAt.IsZero() {
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
	err = p.note(ctx, n, p.onAll(n.Activated), func(n *registry.Renewal) { n.Everywhere = p.now })
	if err == nil && !n.Everywhere.IsZero() {
		p.report.done(*n, "every node uses %s", n.Successor)
	}
	return err
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
	case n.Activated != 0 || n.RespondBy.IsZero() || !p.now.After(n.RespondBy):
	case !waitsForPartner(n):
		p.report.wait(&p.report.Alarms, n, "it is %s, the next step is ours, and %s must be replaced by %s",
			n.Step, n.Replaces, n.RespondBy.AddDate(0, 0, registry.RespondDays).Format(time.DateOnly))
	default:
		p.report.wait(&p.report.Alarms, n, "it is %s, and the answer of %s was due on %s",
			n.Step, n.Partner, n.RespondBy.Format(time.DateOnly))
	}
}

// waitsForPartner reports whether the partner has to act next: it sends its next certificate, or installs ours.
func waitsForPartner(n registry.Renewal) bool {
	if n.Owner == registry.Theirs {
		return n.Successor == ""
	}
	return n.Partner != "" && n.Step == registry.RenewalOffered
}
