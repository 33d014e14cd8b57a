package renewal

import (
	"context"
	"errors"
	"time"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

// quiet notes that nobody has used the old key for long enough, or that somebody has again.
func (p *pass) quiet(ctx context.Context, n *registry.Renewal) error {
	if n.Everywhere.IsZero() {
		return nil
	}
	quiet := func(tx registry.Reader, n registry.Renewal) (bool, error) {
		return isQuiet(tx, n, n.Replaces, p.now)
	}
	var is bool
	err := p.session.View(ctx, func(tx registry.Reader) (err error) {
		if is, err = quiet(tx, *n); err != nil {
			return err
		}
		return p.lateUses(tx, *n)
	})
	if err != nil || is == !n.QuietAt.IsZero() {
		return err
	}
	if !is {
		err = p.note(ctx, n, always, func(n *registry.Renewal) { n.QuietAt = time.Time{} })
		p.report.wait(&p.report.Alarms, *n, "%s is used again", n.Replaces)
		return err
	}
	err = p.note(ctx, n, quiet, func(n *registry.Renewal) { n.QuietAt = p.now })
	if err == nil && !n.QuietAt.IsZero() {
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
	seen := false
	err = p.session.View(ctx, func(tx registry.Reader) (err error) {
		seen, err = registry.SeenInUse(tx, *n)
		return err
	})
	if err != nil || !seen {
		p.report.wait(&p.report.Wait, *n, "nobody uses %s, but %s was not seen in use either: a person decides "+
			"whether the old one is retired", n.Replaces, n.Successor)
		return err
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
	if err := p.note(ctx, n, always, func(*registry.Renewal) {}); err != nil {
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
