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
	"time"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
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

// errNoPart is the end of what is said of a key that no open renewal is about.
var errNoPart = errors.New("has no part in a renewal that is open")

// find returns an open renewal.
func find(tx registry.Reader, of Name) (registry.Renewal, error) {
	n, err := registry.FindRenewal(tx, of.ID, of.Partner)
	if errors.Is(err, registry.ErrNotFound) && !registry.IsRenewal(of.ID) {
		return n, registry.Refuse("%s %w", of.ID, errNoPart)
	}
	if err == nil && n.Step.Closed() {
		err = registry.Refuse("renewal %s ended on %s: it is %s", n.ID, n.Closed.Format(time.DateOnly), n.Step)
	}
	return n, err
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
			if err := r.holdPart(tx, n.ID); err != nil {
				return err
			}
			entry.After = map[string]string{"word": in.Word}
			return nil
		})
	return r.again(ctx, n, err)
}

// holdPart holds a part of a campaign that was rolled back: the order of the campaign would activate it
// again.
func (r Renewals) holdPart(tx registry.Tx, id string) error {
	n, err := tx.Renewal(id)
	if err != nil || n.Campaign == "" {
		return err
	}
	n.Hold = &registry.RenewalHold{
		By: r.session.Person().ID, At: r.session.Time(), Reason: "it was rolled back: " + r.session.Reason(),
	}
	return tx.PutRenewal(&n)
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
			c, err := tx.Certificate(n.Successor)
			if err != nil {
				return err
			}
			if c.KeyID == "" {
				return registry.Refuse("certificate %s has no key ID yet: assign it", c.ID).
					Then(registry.Advice{Action: registry.ActionExchangeAlias, ID: c.ID})
			}
			n.Told = &registry.RenewalMessage{
				By: r.session.Person().ID, At: n.Changed, Said: in.Said, KeyID: c.KeyID,
			}
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
