package registry

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/registry/internal/guard"
)

// MayActivate returns an error where a key of a leg can't be activated because of its renewal. The
// transaction of the move asks, for people and programs alike. A key without a renewal is the first
// one, of which nothing depends on another.
func (s *Session) MayActivate(tx Reader, leg Leg, id string) error {
	n, err := tx.OpenRenewal(leg)
	if errors.Is(err, ErrNotFound) {
		return s.mayBeFirst(tx, leg, id)
	}
	if err != nil {
		return err
	}
	emergency, err := n.Emergency(tx)
	if err != nil {
		return err
	}
	if n.Campaign != "" {
		all, err := tx.Renewal(n.Campaign)
		if err != nil {
			return err
		}
		if all.Hold != nil {
			return heldError(all)
		}
	}
	switch {
	case n.Hold != nil && !guard.Out(guard.Hold):
		return heldError(n)
	case n.Partner == "": // each partner's part decides
		return nil
	case id == n.Replaces && !emergency:
		if n.Activated == 0 { // it is active, or its successor never was
			return nil
		}
		return Refuse("renewal %s has replaced it by %s: roll that back instead", n.ID, n.Successor).
			Then(Advice{Action: ActionRenewalRollback, ID: n.ID})
	case emergency:
		return s.mayUseAtAll(tx, n, id)
	case n.Successor != "" && id != n.Successor:
		return n.elsewhere(id)
	}
	for _, check := range []func(Reader, Renewal, string) error{
		s.lastsLonger, s.mayUseAtAll, s.loaded, s.ordered, s.inWindow,
	} {
		if err := check(tx, n, id); err != nil {
			return err
		}
	}
	return nil
}

// mayBeFirst checks that a key without a renewal follows no other, where two people decide: the order for
// it is in its renewal.
func (s *Session) mayBeFirst(tx Reader, leg Leg, id string) error {
	two, err := twoDecide(tx, leg)
	if err != nil || !two {
		return err
	}
	follows, err := Follows(tx, leg, id)
	if err != nil || !follows {
		return err
	}
	return Refuse("%s follows another key, and its activation is not ordered: order it for a time", id).
		Then(Advice{Action: ActionRenewalOrder, ID: id, Needs: []Need{Change}})
}

// elsewhere is the error for a key that is not the successor in a renewal: no order is about it.
func (n Renewal) elsewhere(id string) error {
	if n.Successor == "" {
		return Refuse("renewal %s has no successor yet, and %s is none", n.ID, id)
	}
	return Refuse("renewal %s is to lead to %s: end the exchange of that one first, or stage %s in its place",
		n.ID, n.Successor, id)
}

// MayStage returns an error where a certificate can't verify yet, or again, because the successor in an
// open renewal does, and is another: a client that a partner refuses chooses between two keys.
func (s *Session) MayStage(tx Reader, leg Leg, id string) error {
	n, err := tx.OpenRenewal(leg)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil || n.Successor == "" || id == n.Successor || id == n.Replaces || n.Partner == "" {
		return err
	}
	state, err := keyState(tx, leg, n.Successor)
	if err == nil && state == Staged {
		err = Refuse("renewal %s is to lead from %s to %s: retire that one first, or wait for the end of the renewal",
			n.ID, n.Replaces, n.Successor)
	}
	return err
}

func heldError(n Renewal) error {
	return Refuse("renewal %s is held by %s since %s (%s): end the hold first",
		n.ID, n.Hold.By, n.Hold.At.Format(time.DateOnly), n.Hold.Reason).
		Then(Advice{Action: ActionRenewalHold, ID: n.ID})
}

// lastsLonger checks that the successor is not smaller than the key that it replaces, and does not end
// before it: the next renewal would be due at once, or the lane would end.
func (s *Session) lastsLonger(tx Reader, n Renewal, id string) error {
	before, err := CertificateOfKey(tx, n.Leg, n.Replaces)
	if err != nil {
		return err
	}
	after, err := CertificateOfKey(tx, n.Leg, id)
	if err != nil {
		return err
	}
	return mayFollow(before, after, id)
}

// mayFollow returns an error where a certificate can't be the successor of another.
func mayFollow(before, after Certificate, id string) error {
	switch {
	case after.Bits < before.Bits:
		return Refuse("%s has %d bits, and the key that it replaces has %d: make or ask for one that is as large",
			id, after.Bits, before.Bits)
	case after.NotAfter.Before(before.EndOfUse().AddDate(0, 0, -1)): // a day is the grain
		return Refuse("%s ends on %s, before the one that it replaces (%s): make or ask for one that is valid longer",
			id, after.NotAfter.Format(time.DateOnly), before.EndOfUse().Format(time.DateOnly))
	}
	return nil
}

// CertificateOfKey returns the certificate of a key of a leg.
func CertificateOfKey(tx Reader, leg Leg, id string) (Certificate, error) {
	if leg.Owner == Ours {
		k, err := tx.KeyPair(id)
		if err != nil {
			return Certificate{}, err
		}
		id = k.Certificate
	}
	return tx.Certificate(id)
}

// mayUseAtAll checks that the successor is valid, and that the partner surely accepts it: that it was
// confirmed, and that a larger key has a key ID that the partner knows.
func (s *Session) mayUseAtAll(tx Reader, n Renewal, id string) error {
	c, err := CertificateOfKey(tx, n.Leg, id)
	if err != nil {
		return err
	}
	if err := s.stillGood(tx, c); err != nil {
		return err
	}
	if now := s.registry.now(); now.Before(c.NotBefore) {
		return Refuse("the certificate of %s is valid from %s only", id, c.NotBefore.Format(time.RFC3339))
	}
	if n.Owner == Ours && n.Partner != "" {
		offers, err := tx.Offers(n.Partner)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(offers, func(o Offer) bool { return o.KeyPair == id })
		said := i >= 0 && (!offers[i].Installed.IsZero() || !offers[i].Confirmed.IsZero())
		if !said && !guard.Out(guard.Confirmed) {
			return Refuse("%s has not said that key pair %s is installed: record that first", n.Partner, id).
				Then(Advice{Action: ActionKeyInstalled, ID: id})
		}
	}
	return newKeyIDKnown(tx, n, id)
}

// newKeyIDKnown checks that a key of another size has another key ID, and that the partner knows it.
func newKeyIDKnown(tx Reader, n Renewal, id string) error {
	prof, err := LoadProfile(tx, n.Profile)
	if err != nil || prof.Certificate.KeyIDFormat != cert.KeyIDSixPart {
		return err
	}
	before, err := bitsOf(tx, n.Leg, n.Replaces)
	if err != nil {
		return err
	}
	after, err := bitsOf(tx, n.Leg, id)
	if err != nil || before.bits == after.bits {
		return err
	}
	switch {
	case before.keyID == after.keyID:
		return Refuse("%s has %d bits and the key ID of %s, which has %d: a key of another size has another key ID",
			id, after.bits, n.Replaces, before.bits).Then(Advice{Action: ActionExchangeAlias, ID: id})
	case n.Owner == Theirs && (n.Told == nil || n.Told.KeyID != after.keyID):
		return Refuse("the key ID %s is new, because the key has %d bits: tell %s, and record that they know it",
			after.keyID, after.bits, n.Partner).Then(Advice{Action: ActionRenewalTold, ID: n.ID})
	}
	return nil
}

type keySize struct {
	bits  int
	keyID string
}

func bitsOf(tx Reader, leg Leg, id string) (keySize, error) {
	if leg.Owner == Theirs {
		c, err := tx.Certificate(id)
		return keySize{c.Bits, c.KeyID}, err
	}
	k, err := tx.KeyPair(id)
	return keySize{k.Bits, k.KeyID}, err
}

// ordered checks that a person has ordered the activation, where two people decide, and that another
// has agreed. The order of a campaign is that of its parts.
func (s *Session) ordered(tx Reader, n Renewal, _ string) error {
	if guard.Out(guard.Ordered) {
		return nil
	}
	order, err := OrderOf(tx, n)
	if err != nil {
		return err
	}
	two, err := twoDecide(tx, n.Leg)
	if err != nil {
		return err
	}
	switch {
	case order == nil && !two && s.program == nil:
		return nil
	case order == nil:
		return Refuse("the activation of %s in renewal %s is not ordered: order it for a time",
			n.Successor, n.ID).Then(Advice{Action: ActionRenewalOrder, ID: n.ID, Needs: []Need{Change}})
	case two && (order.Released == "" || order.Released == order.By):
		return Refuse("the activation of %s in renewal %s was ordered by %s, and nobody else has agreed: order "+
			"it again",
			n.Successor, n.ID, order.By).Then(Advice{Action: ActionRenewalOrder, ID: n.ID})
	case order.Lapsed(s.registry.now(), n):
		return Refuse("the activation of %s in renewal %s was ordered for %s, and that time has passed: order "+
			"it again",
			n.Successor, n.ID, cmp.Or(order.At, order.Given).Format(time.RFC3339)).
			Then(Advice{Action: ActionRenewalOrder, ID: n.ID, Needs: []Need{Change}})
	case s.registry.now().Before(order.At):
		return Refuse("the activation of %s in renewal %s is ordered for %s: take that order back if it must be now",
			n.Successor, n.ID, order.At.Format(time.RFC3339)).
			Then(Advice{Action: ActionRenewalOrder, ID: n.ID, Needs: []Need{Cancel, Reason}})
	}
	return nil
}

// OrderOf returns the order of a renewal, or that of the campaign that it is a part of. It is nil if
// there is none.
func OrderOf(tx Reader, n Renewal) (*RenewalOrder, error) {
	if n.Order != nil || n.Campaign == "" {
		return n.Order, nil
	}
	all, err := tx.Renewal(n.Campaign)
	if err != nil || all.Successor != n.Successor {
		return nil, err
	}
	return all.Order, nil
}

// twoDecide reports whether two people decide in the environment of a leg.
func twoDecide(tx Reader, leg Leg) (bool, error) {
	if leg.Partner == "" {
		return Production(leg.Environment), nil
	}
	env, err := tx.Environment(leg.Partner, leg.Environment)
	return env.ApprovalsNeeded() > 1, err
}

// inWindow checks the change window of the environment.
func (s *Session) inWindow(tx Reader, n Renewal, _ string) error {
	if guard.Out(guard.Window) {
		return nil
	}
	env, err := tx.Environment(n.Partner, n.Environment)
	if err != nil {
		return err
	}
	if err := env.Rotation.Window.Check(s.registry.now()); err != nil {
		return Refuse("%s in %s: %w", n.Partner, n.Environment, err)
	}
	return nil
}

// mayRetire returns an error where a key can't be retired because of its renewal. A person's reason
// takes the place of quiet, and nothing takes that of the end of a hold.
func (s *Session) mayRetire(tx Reader, leg Leg, id string) error {
	n, err := tx.OpenRenewal(leg)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	switch {
	case err != nil:
		return err
	case n.Hold != nil:
		return heldError(n)
	case s.program == nil:
		return nil
	case id == n.Successor || id == n.Replaces && n.Step != RenewalQuiet:
		return Refuse("renewal %s is %s: a program retires nothing then", n.ID, n.Step)
	}
	return nil
}
