package registry

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Order is what a person orders of a renewal, as a second person sees it.
type Order struct {
	Renewal   string    `json:"renewal"`
	Successor string    `json:"successor"`
	Replaces  string    `json:"replaces"`
	At        time.Time `json:"at,omitzero"` // zero: as soon as the environment's window allows
	Change    string    `json:"change,omitempty"`
}

// OrderRenewal stores a person's order to activate the successor of a renewal, as part of a change.
// Where two people decide, the change needs the second one. An order that counts is not replaced: two
// people who order different times would not know of each other.
func (s *Session) OrderRenewal(tx Tx, entry *Entry, n *Renewal, at time.Time, change string) error {
	two, err := twoDecide(tx, n.Leg)
	if err != nil {
		return err
	}
	if n.ordered(two, s.registry.now()) {
		return orderedAlready(*n)
	}
	if two {
		asked := &second{
			why: "messages will be sealed by another key from then on", what: fmt.Sprintf("%s %s %s %d", n.ID,
				n.Successor, change, n.Rollbacks),
		}
		if n.Partner == "" { // no environment says how many decide
			if asked, err = s.ifOthers(tx, asked); err != nil {
				return err
			}
		}
		entry.asks = asked
	}
	entry.Before = nil
	entry.After = Order{n.ID, n.Successor, n.Replaces, at, change}
	n.Order = &RenewalOrder{At: at, By: s.person.ID, Given: s.registry.now(), Change: change}
	if by := s.Approver(); by != s.person.ID {
		n.Order.Released = by
	}
	n.Changed = s.registry.now()
	return tx.PutRenewal(n)
}

// ordered reports whether a renewal has an order of its own that counts, and is not done yet.
func (n Renewal) ordered(two bool, now time.Time) bool {
	o := n.Order
	switch {
	case o == nil || n.Activated != 0 && n.Partner != "":
		return false
	case two && n.Partner != "" && (o.Released == "" || o.Released == o.By):
		return false // nobody else has agreed to it
	}
	return n.Partner == "" || !o.Lapsed(now, n)
}

func orderedAlready(n Renewal) error {
	when := "as soon as it may be"
	if at := n.Order.At; !at.IsZero() {
		when = "for " + at.Format(time.RFC3339)
	}
	change := ""
	if n.Order.Change != "" {
		change = " (" + n.Order.Change + ")"
	}
	return Refuse("%s has ordered on %s that %s is activated %s%s: take that order back first, if it is to be another",
		n.Order.By, n.Order.Given.Format(time.DateOnly), n.Successor, when, change).
		Then(Advice{Action: ActionRenewalOrder, ID: n.ID, Needs: []Need{Cancel, Reason}})
}

// ActivatesAlone reports whether the successor of a renewal is activated by the word of one person, who
// records that the partner has installed it: no second one decides, the window is open, no order
// waits. So it is where the key before was revoked.
func (s *Session) ActivatesAlone(tx Reader, n Renewal) (bool, error) {
	if emergency, err := n.Emergency(tx); err != nil || emergency {
		return emergency, err
	}
	two, err := twoDecide(tx, n.Leg)
	if err != nil || two || n.Hold != nil {
		return false, err
	}
	if order, err := OrderOf(tx, n); err != nil || order != nil {
		return false, err
	}
	env, err := tx.Environment(n.Partner, n.Environment)
	if err != nil {
		return false, err
	}
	return env.Rotation.Window.Check(s.registry.now()) == nil, nil
}

// For how long an order counts: after its time, so that it is done in the night for which people had agreed
// to it, and without a time after it was given.
const (
	orderCounts = 24 * time.Hour
	orderWaits  = 60 * 24 * time.Hour
)

// Lapsed reports whether an order is too old. That of a campaign counts until the campaign ends.
func (o RenewalOrder) Lapsed(now time.Time, n Renewal) bool {
	switch {
	case n.Order == nil || o.Given.IsZero():
		return false
	case o.At.IsZero():
		return now.Sub(o.Given) > orderWaits
	}
	return now.Sub(o.At) > orderCounts
}

// LegOf returns the leg of a key that is named by its identity, for a partner where a pair is shared.
func LegOf(tx Reader, id, partner string) (Leg, error) {
	if len(id) > 2 && id[:2] == "k-" {
		k, err := tx.KeyPair(id)
		leg := k.leg()
		leg.Partner = cmp.Or(leg.Partner, partner)
		return leg, err
	}
	c, err := tx.Certificate(id)
	if err == nil && c.Owner == Ours {
		return LegOf(tx, c.KeyPair, partner)
	}
	return c.leg(), err
}

// FindRenewal returns a renewal by its identity, or the open one that a key has a part in. The partner
// is who a shared pair is about. The error is [ErrNotFound] if there is none.
func FindRenewal(tx Reader, id, partner string) (Renewal, error) {
	if IsRenewal(id) {
		return tx.Renewal(id)
	}
	leg, err := LegOf(tx, id, partner)
	if err != nil {
		return Renewal{}, err
	}
	n, err := tx.OpenRenewal(leg)
	if err == nil && id != n.Replaces && id != n.Successor && !n.hasCertificate(tx, id) {
		return Renewal{}, fmt.Errorf("renewal of %s: %w", id, ErrNotFound)
	}
	return n, err
}

// Follows reports whether a key that is on its way into use, or back, follows another one of its leg.
func Follows(tx Reader, leg Leg, id string) (bool, error) {
	state, err := keyState(tx, leg, id)
	if err != nil || state != Approved && state != Staged && state != Retiring {
		return false, err
	}
	before, err := activeOf(tx, leg, id)
	return before != "", err
}

// hasCertificate reports whether an identity is that of the certificate of a pair in the renewal.
func (n Renewal) hasCertificate(tx Reader, id string) bool {
	c, err := tx.Certificate(id)
	return err == nil && c.KeyPair != "" && (c.KeyPair == n.Replaces || c.KeyPair == n.Successor)
}

// JoinRenewal has a key that follows another, and that no open renewal leads to, begin one, as part of a
// change. It does so by itself when the key comes in; a renewal that was open then may have ended since.
func (s *Session) JoinRenewal(tx Tx, id, partner string) (Leg, error) {
	leg, err := LegOf(tx, id, partner)
	if err != nil {
		return leg, err
	}
	n, err := tx.OpenRenewal(leg)
	switch {
	case err == nil && n.Activated == 0:
		return leg, n.elsewhere(id)
	case err != nil && !errors.Is(err, ErrNotFound):
		return leg, err
	}
	tx.(*recorder).touch(leg, id)
	return leg, nil
}
