package renewal

import (
	"context"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

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

// Join begins the renewal of a key that follows another, if no open renewal leads to another one. It
// reports whether the key follows one.
func (r Renewals) Join(ctx context.Context, of Name) (joined bool, err error) {
	err = r.session.View(ctx, func(tx registry.Reader) error {
		leg, err := registry.LegOf(tx, of.ID, of.Partner)
		if err != nil {
			return err
		}
		joined, err = registry.Follows(tx, leg, of.ID)
		return err
	})
	if err != nil || !joined {
		return false, err
	}
	entry := registry.Entry{Action: registry.ActionRenewalOrder, Subject: subject(of.ID)}
	err = r.session.Change(ctx, entry, func(tx registry.Tx, entry *registry.Entry) error {
		leg, err := r.session.JoinRenewal(tx, of.ID, of.Partner)
		entry.Partner, entry.Environment = leg.Partner, leg.Environment
		return err
	})
	return err == nil, err
}

// mayOrder returns an error where the activation can't be ordered.
func (r Renewals) mayOrder(tx registry.Reader, n registry.Renewal, in Activation) error {
	switch {
	case in.ID == n.Replaces && n.Activated != 0:
		return registry.Refuse("%s is replaced by %s in renewal %s: roll that back instead", in.ID, n.Successor, n.ID).
			Then(registry.Advice{Action: registry.ActionRenewalRollback, ID: n.ID})
	case in.ID == n.Replaces && n.Successor != "":
		return registry.Refuse("%s is in use already: name %s, which follows it in renewal %s", in.ID, n.Successor,
			n.ID).Then(registry.Advice{Action: registry.ActionRenewalOrder, ID: n.Successor, Partner: n.Partner})
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

// needsAppointment refuses an activation without a time where both sides must change at the same time.
func needsAppointment(tx registry.Reader, n registry.Renewal) error {
	appointed, err := n.ByAppointment(tx)
	if err != nil || !appointed {
		return err
	}
	return registry.Refuse("%s holds one certificate at a time, and nothing is sent again that it can't open: "+
		"agree on a time with them, and order the activation for it", n.Partner)
}

// mayBeAt checks the time of an activation.
func (r Renewals) mayBeAt(tx registry.Reader, n registry.Renewal, at time.Time) error {
	env, err := tx.Environment(n.Partner, n.Environment)
	if err != nil {
		return err
	}
	c, err := registry.CertificateOfKey(tx, n.Leg, n.Successor)
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
