// Package renewal changes keys and certificates while messages flow. A renewal leads from one key of
// a leg to its successor: our key pair at a partner, or a partner's certificate with us.
//
// Two rules hold in each step: we accept whatever the partner may use, and we use only what the
// partner surely accepts. Where a renewal stands follows from the rows of its keys (see
// [registry.RenewalStep]), and the registry checks the guard of each move in the transaction of the
// move, for people and programs alike.
//
// People order, roll back and hold. A [Scheduler] does what they have ordered.
package renewal

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/profile"
)

// Renewals are the acts on renewals, done in one person's session.
type Renewals struct{ session *registry.Session }

// New returns the renewals as the person of that session may change them.
func New(s *registry.Session) Renewals { return Renewals{s} }

// Name names a renewal by its own identity, or by that of a key that has a part in it. The partner is
// who a shared key pair is about.
type Name struct {
	ID      string `json:"id"`
	Partner string `json:"partner,omitempty"`
}

// change is a change of an open renewal.
func (r Renewals) change(
	ctx context.Context, action registry.Action, of Name, step func(registry.Tx, *registry.Entry,
		*registry.Renewal) error,
) (n registry.Renewal, err error) {
	err = r.session.Change(ctx, registry.Entry{Action: action, Subject: subject(of.ID)},
		func(tx registry.Tx, entry *registry.Entry) error {
			if n, err = find(tx, of); err != nil {
				return err
			}
			entry.Subject, entry.Partner, entry.Environment = "renewal/"+n.ID, n.Partner, n.Environment
			entry.Before = n
			if err := step(tx, entry, &n); err != nil {
				return err
			}
			if entry.After == nil {
				entry.After = n
			}
			return nil
		})
	return n, err
}

func subject(id string) string {
	if registry.IsRenewal(id) {
		return "renewal/" + id
	}
	return "renewal of " + id
}

// find returns an open renewal.
func find(tx registry.Reader, of Name) (registry.Renewal, error) {
	n, err := registry.FindRenewal(tx, of.ID, of.Partner)
	if errors.Is(err, registry.ErrNotFound) && !registry.IsRenewal(of.ID) {
		return n, registry.Refuse("%s has no part in a renewal that is open", of.ID)
	}
	if err == nil && n.Step.Closed() {
		err = registry.Refuse("renewal %s ended on %s: it is %s", n.ID, n.Closed.Format(time.DateOnly), n.Step)
	}
	return n, err
}

// Activation orders that the successor of a renewal is activated.
type Activation struct {
	Name
	At     time.Time `json:"at,omitzero"`      // zero: as soon as the environment's window allows
	Change string    `json:"change,omitempty"` // the change reference; production needs it
}

// Order orders the activation of a renewal's successor. It is done at once if it is due and possible,
// and otherwise by a program at its time. Where two people decide, it needs the second one.
func (r Renewals) Order(ctx context.Context, in Activation) (registry.Renewal, error) {
	in.Change = strings.TrimSpace(in.Change)
	n, err := r.change(ctx, registry.ActionRenewalOrder, in.Name,
		func(tx registry.Tx, entry *registry.Entry, n *registry.Renewal) error {
			if err := r.mayOrder(tx, *n, in); err != nil {
				return err
			}
			if err := r.session.OrderRenewal(tx, entry, n, in.At, in.Change); err != nil {
				return err
			}
			if n.Partner == "" || in.At.After(r.session.Time()) {
				return nil
			}
			err := mayActivate(tx, r.session, *n)
			if waits(err) {
				return nil
			}
			if err != nil {
				return err
			}
			return activate(tx, r.session, *n)
		})
	return r.again(ctx, n, err)
}

// mayOrder returns an error where the activation can't be ordered.
func (r Renewals) mayOrder(tx registry.Reader, n registry.Renewal, in Activation) error {
	switch {
	case n.Partner != "" && n.Activated != 0:
		return registry.Refuse("renewal %s is %s: its successor is active already", n.ID, n.Step)
	case n.Hold != nil:
		return registry.Refuse("renewal %s is held by %s (%s): end the hold first", n.ID, n.Hold.By, n.Hold.Reason).
			Then(registry.Advice{Action: registry.ActionRenewalHold, ID: n.ID})
	case n.Successor == "":
		return registry.Refuse("renewal %s is %s: there is no successor yet", n.ID, n.Step)
	case n.Step == registry.RenewalReceived || n.Step == registry.RenewalMatched:
		return registry.Refuse("renewal %s is %s: its successor must be approved first", n.ID, n.Step)
	case registry.Production(n.Environment) && in.Change == "":
		return registry.Refuse("renewal %s is in production: its activation needs the reference of the change", n.ID).
			Needing(registry.Change)
	}
	switch {
	case n.Partner == "": // each part of a campaign has its own window
		return nil
	case in.At.IsZero():
		return needsAppointment(tx, n)
	}
	return r.mayBeAt(tx, n, in.At)
}

// needsAppointment refuses an activation without a time where both sides must change in the same minute:
// the partner holds one certificate, and its answers do not say that it could not open a message, so that
// nothing is sent again.
func needsAppointment(tx registry.Reader, n registry.Renewal) error {
	env, err := tx.Environment(n.Partner, n.Environment)
	if err != nil {
		return err
	}
	p, err := tx.Partner(n.Partner)
	if err != nil {
		return err
	}
	prof, err := registry.LoadProfile(tx, n.Profile)
	if err != nil {
		return err
	}
	told := saysWhy(prof)
	if n.Owner != registry.Theirs || p.Side != sealane.ClientSide || env.SlotsOf(prof) > 1 || told &&
		env.NoResend == "" {
		return nil
	}
	return registry.Refuse("%s holds one certificate at a time, and nothing is sent again that it can't open: "+
		"agree on a "+
		"time with them, and order the activation for it", n.Partner)
}

// saysWhy reports whether a profile has an answer by which the sender knows that a message could not be
// decrypted or verified, and was not processed.
func saysWhy(prof *profile.Profile) bool {
	rows := prof.Errors.Table
	return slices.ContainsFunc(rows, func(e profile.ErrorRow) bool {
		if e.On != profile.Decryption && e.On != profile.Signature {
			return false
		}
		return !slices.ContainsFunc(rows, func(o profile.ErrorRow) bool {
			return o.On != e.On && o.Status == e.Status && (o.Text == e.Text || slices.Contains(o.Also, e.Text))
		})
	})
}

// mayBeAt checks the time of an activation.
func (r Renewals) mayBeAt(tx registry.Reader, n registry.Renewal, at time.Time) error {
	env, err := tx.Environment(n.Partner, n.Environment)
	if err != nil {
		return err
	}
	c, err := certificateOf(tx, n.Leg, n.Successor)
	if err != nil {
		return err
	}
	now := r.session.Time()
	switch {
	case at.Before(now.Add(-time.Minute)):
		return registry.Refuse("%s is in the past", at.Format(time.RFC3339))
	case at.After(now.AddDate(1, 0, 0)):
		return registry.Refuse("%s is more than a year ahead", at.Format(time.RFC3339))
	case !at.Before(c.NotAfter):
		return registry.Refuse("the certificate of %s ends on %s, before %s",
			n.Successor, c.NotAfter.Format(time.DateOnly), at.Format(time.RFC3339))
	case at.Before(c.NotBefore):
		return registry.Refuse("the certificate of %s is valid from %s only",
			n.Successor, c.NotBefore.Format(time.RFC3339))
	}
	if err := env.Rotation.Window.Check(at); err != nil {
		return registry.Refuse("%s in %s: %w", n.Partner, n.Environment, err)
	}
	return r.hasNotice(tx, n, env, at)
}

// hasNotice checks that a partner who has not installed our certificate yet has the days for it that it
// asks for.
func (r Renewals) hasNotice(tx registry.Reader, n registry.Renewal, env registry.Environment, at time.Time) error {
	days := env.Rotation.NoticeDays()
	if n.Owner != registry.Ours || days == 0 {
		return nil
	}
	offers, err := tx.Offers(n.Partner)
	if err != nil {
		return err
	}
	since := r.session.Time()
	for _, o := range offers {
		switch {
		case o.KeyPair != n.Successor:
		case !o.Installed.IsZero() || !o.Confirmed.IsZero():
			return nil
		case !o.At.IsZero():
			since = o.At
		}
	}
	if first := since.AddDate(0, 0, days); at.Before(first) {
		return registry.Refuse("%s asks for %d days, and has not said that the certificate is installed: %s is the "+
			"earliest time", n.Partner, days, first.Format(time.RFC3339))
	}
	return nil
}

// CancelOrder takes an order back.
func (r Renewals) CancelOrder(ctx context.Context, of Name) (registry.Renewal, error) {
	return r.change(ctx, registry.ActionRenewalHold, of,
		func(tx registry.Tx, _ *registry.Entry, n *registry.Renewal) error {
			if n.Order == nil {
				return registry.Refuse("renewal %s has no order", n.ID)
			}
			n.Order, n.Changed = nil, r.session.Time()
			return tx.PutRenewal(n)
		})
}

// Rollback is a return to the key before the active one.
type Rollback struct {
	Name
	// Word is what the partner has said, who and how. It is needed where the partner may have ended
	// the old key already.
	Word string `json:"word,omitempty"`
}

// RollBack makes the key that a renewal replaces the one that is used again. The successor opens and
// verifies from then on, and can be activated again.
func (r Renewals) RollBack(ctx context.Context, in Rollback) (registry.Renewal, error) {
	n, err := r.change(ctx, registry.ActionRenewalRollback, in.Name,
		func(tx registry.Tx, entry *registry.Entry, n *registry.Renewal) error {
			if err := r.session.RollBack(tx, *n, in.Word); err != nil {
				return err
			}
			entry.After = map[string]string{"word": in.Word}
			return nil
		})
	return r.again(ctx, n, err)
}

// again reads a renewal as it is after a change.
func (r Renewals) again(ctx context.Context, n registry.Renewal, err error) (registry.Renewal, error) {
	if err != nil {
		return n, err
	}
	err = r.session.View(ctx, func(tx registry.Reader) (err error) {
		n, err = tx.Renewal(n.ID)
		return err
	})
	return n, err
}

// Hold stops a renewal for the session's reason: nothing of it moves, except what a revocation ends.
func (r Renewals) Hold(ctx context.Context, of Name) (registry.Renewal, error) {
	return r.change(ctx, registry.ActionRenewalHold, of,
		func(tx registry.Tx, _ *registry.Entry, n *registry.Renewal) error {
			if n.Hold != nil {
				return registry.Refuse("renewal %s is held by %s already (%s)", n.ID, n.Hold.By, n.Hold.Reason)
			}
			n.Changed = r.session.Time()
			n.Hold = &registry.RenewalHold{By: r.session.Person().ID, At: n.Changed, Reason: r.session.Reason()}
			return tx.PutRenewal(n)
		})
}

// EndHold lets a renewal go on.
func (r Renewals) EndHold(ctx context.Context, of Name) (registry.Renewal, error) {
	return r.change(ctx, registry.ActionRenewalHold, of,
		func(tx registry.Tx, _ *registry.Entry, n *registry.Renewal) error {
			if n.Hold == nil {
				return registry.Refuse("renewal %s is not held", n.ID)
			}
			n.Hold, n.Changed = nil, r.session.Time()
			return tx.PutRenewal(n)
		})
}

// Word is what somebody at the partner has said.
type Word struct {
	Name
	Said string `json:"said"` // who, how, and the words
}

// KeyIDTold records that the partner knows the key ID of its new certificate, which is another one
// because the key has another size.
func (r Renewals) KeyIDTold(ctx context.Context, in Word) (registry.Renewal, error) {
	return r.change(ctx, registry.ActionRenewalTold, in.Name,
		func(tx registry.Tx, _ *registry.Entry, n *registry.Renewal) error {
			switch {
			case n.Owner != registry.Theirs:
				return registry.Refuse("renewal %s is of a key pair of ours: record that the partner has "+
					"installed it", n.ID)
			case n.Successor == "":
				return registry.Refuse("renewal %s is %s: there is no successor yet", n.ID, n.Step)
			}
			if err := registry.CheckReason(in.Said); err != nil {
				return registry.Refuse("say who at %s knows the key ID, and how they said so",
					n.Partner).Needing(registry.Word)
			}
			n.Changed = r.session.Time()
			n.Told = &registry.RenewalMessage{By: r.session.Person().ID, At: n.Changed, Said: in.Said}
			return tx.PutRenewal(n)
		})
}

// Asked records that the partner was asked for a successor.
func (r Renewals) Asked(ctx context.Context, of Name) (registry.Renewal, error) {
	n, err := r.change(ctx, registry.ActionRenewalAsk, of,
		func(tx registry.Tx, _ *registry.Entry, n *registry.Renewal) error {
			if n.Owner != registry.Theirs {
				return registry.Refuse("renewal %s is of a key pair of ours: offer its successor", n.ID)
			}
			n.AskedAt, n.Changed = r.session.Time(), r.session.Time()
			r.session.FollowRenewal(tx, *n)
			return tx.PutRenewal(n)
		})
	return r.again(ctx, n, err)
}

// mayActivate asks all guards of the activation.
func mayActivate(tx registry.Reader, s *registry.Session, n registry.Renewal) error {
	return s.MayActivate(tx, n.Leg, n.Successor)
}

// waits reports whether a guard refuses an activation that may be possible later.
func waits(err error) bool {
	_, refused := errors.AsType[*registry.RefusedError](err)
	_, loading := errors.AsType[*registry.NotLoadedError](err)
	return refused || loading
}

// activate makes the successor the key that is used.
func activate(tx registry.Tx, s *registry.Session, n registry.Renewal) error {
	e := exchange.New(s)
	if n.Owner == registry.Theirs {
		c, err := tx.Certificate(n.Successor)
		if err != nil {
			return err
		}
		return e.UseTheirs(tx, &c, registry.Active)
	}
	k, err := tx.KeyPair(n.Successor)
	if err != nil {
		return err
	}
	return e.UsePair(tx, k, n.Partner)
}

// certificateOf returns the certificate of a key.
func certificateOf(tx registry.Reader, leg registry.Leg, id string) (registry.Certificate, error) {
	if leg.Owner == registry.Ours {
		k, err := tx.KeyPair(id)
		if err != nil {
			return registry.Certificate{}, err
		}
		id = k.Certificate
	}
	return tx.Certificate(id)
}
