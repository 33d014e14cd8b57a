package registry

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// State is where a key or certificate stands in its life. A partner's certificate is received,
// matched and approved before it has a key's states.
type State string

// The states.
const (
	Received State = "received" // came in; nothing is compared yet
	Matched  State = "matched"  // it has the checksum that came in a second message
	Approved State = "approved" // by a second person

	Staged   State = "staged"   // ours: opens already; theirs: verifies already
	Active   State = "active"   // in use for sealing
	Retiring State = "retiring" // still opens or verifies what comes late
	Retired  State = "retired"
	// Destroyed is a key pair of which only the public part is left.
	Destroyed State = "destroyed"

	Rejected    State = "rejected"
	Expired     State = "expired"
	Compromised State = "compromised"
)

// States for queries.
var (
	StatesInUse = []State{Staged, Active, Retiring}
	StatesAlive = []State{Received, Matched, Approved, Staged, Active, Retiring} // on their way in, or in use
)

// States returns all states.
func States() []State {
	return []State{
		Received, Matched, Approved, Staged, Active, Retiring, Retired, Destroyed, Rejected, Expired, Compromised,
	}
}

// InUse reports whether lanes have the key.
func (s State) InUse() bool { return s == Staged || s == Active || s == Retiring }

// Ended reports whether a key pair was retired, so that this can be undone, and the private key destroyed later.
func (s State) Ended() bool { return s == Retired || s == Expired }

// Open reports whether the exchange of a certificate is under way.
func (s State) Open() bool { return s == Received || s == Matched || s == Approved }

// pairMoves are the states of a key pair of ours that may follow another.
var pairMoves = map[State][]State{
	Staged:      {Active, Retired, Compromised, Expired},
	Active:      {Retiring, Retired, Compromised, Expired},
	Retiring:    {Active, Retired, Compromised, Expired},
	Retired:     {Destroyed},
	Expired:     {Destroyed},
	Compromised: {Destroyed},
}

// certificateMoves are the states of a partner's certificate that may follow another.
var certificateMoves = map[State][]State{
	// A wrong checksum that comes later leads back to Received.
	Received: {Matched, Rejected, Compromised, Expired},
	Matched:  {Received, Approved, Rejected, Compromised, Expired},
	Approved: {Received, Staged, Active, Rejected, Compromised, Expired},
	Staged:   {Active, Retired, Compromised, Expired},
	Active:   {Retiring, Retired, Compromised, Expired},
	Retiring: {Active, Retired, Compromised, Expired},
}

// pairReturns and certificateReturns are the states that a step which is undone may lead back to.
var (
	pairReturns = map[State][]State{
		Active: {Staged}, Retired: {Staged, Retiring}, Expired: {Staged, Retiring},
	}
	certificateReturns = map[State][]State{
		Active:  {Staged}, // its renewal is rolled back
		Matched: {Received}, Approved: {Matched}, Staged: {Approved}, Rejected: {Received, Matched},
		Retired: {Retiring},
	}
)

func mayBecome(next []State) string {
	if len(next) == 0 {
		return "it has ended"
	}
	return "it can become " + alternatives(next)
}

// MoveCertificate changes the state of a partner's certificate, as part of a change.
func (s *Session) MoveCertificate(tx Tx, c *Certificate, to State) error {
	if err := s.mayMove(tx, c.leg(), c.ID, to); err != nil {
		return err
	}
	return s.moveCertificate(tx, c, to, certificateMoves)
}

// mayMove asks the renewal of a leg about a move.
func (s *Session) mayMove(tx Reader, leg Leg, id string, to State) error {
	switch to {
	case Active:
		return s.MayActivate(tx, leg, id)
	case Retired:
		return s.mayRetire(tx, leg, id)
	case Expired:
		if state, err := keyState(tx, leg, id); err != nil || !state.InUse() {
			return err
		}
		return s.mayRetire(tx, leg, id)
	}
	return nil
}

// leg returns the leg that a partner's certificate is of.
func (c Certificate) leg() Leg {
	return Leg{Owner: Theirs, Partner: c.Partner, Profile: c.Profile, Environment: c.Environment}
}

// leg returns the leg that a key pair of ours is of: that of all who share it, if it is shared.
func (k KeyPair) leg() Leg {
	return Leg{Owner: Ours, Partner: k.Partner, Profile: k.Profile, Environment: k.Environment}
}

// ReturnCertificate brings a partner's certificate back into a state that it had, as part of a
// change that undoes another.
func (s *Session) ReturnCertificate(tx Tx, c *Certificate, to State) error {
	if c.State == Rejected { // its key may have come in elsewhere since then
		found, err := s.registry.checkKnown(tx, c.SPKI, c.use())
		if err != nil {
			return err
		}
		if err := Refusal(found, c.Provenance.Waivers); err != nil {
			return err
		}
	}
	if c.State == Retired {
		if err := s.MayStage(tx, c.leg(), c.ID); err != nil {
			return err
		}
	}
	return s.moveCertificate(tx, c, to, certificateReturns)
}

func (s *Session) moveCertificate(tx Tx, c *Certificate, to State, moves map[State][]State) error {
	if !slices.Contains(moves[c.State], to) {
		return Refuse("certificate %s is %s, and can't become %s; %s", c.ID, c.State, to, mayBecome(moves[c.State]))
	}
	c.State, c.Changed = to, s.registry.now()
	if to == Active {
		c.Activated = c.Changed
	}
	return tx.PutCertificate(c)
}

// pairActions are the actions that bring a key pair of ours into a state.
var pairActions = map[State]Action{
	Active: ActionKeyInstalled, Retired: ActionKeyRetire,
	Destroyed: ActionKeyDestroy, Compromised: ActionKeyRevoke,
}

// MovePair changes the state of a key pair of ours, and of its certificate. One that is in use
// ends only if another has followed it, or if it is the last.
func (s *Session) MovePair(ctx context.Context, id string, to State, last bool) error {
	return s.Change(ctx, Entry{Action: pairActions[to], Subject: "key/" + id}, func(tx Tx, entry *Entry) error {
		k, err := tx.KeyPair(id)
		if err != nil {
			return err
		}
		entry.Before, entry.Partner, entry.Environment = k, k.Partner, k.Environment
		switch {
		case to == Active:
			if err = s.confirm(tx, k); err == nil {
				err = s.ActivatePair(tx, &k)
			}
		case to == Compromised: // blocking its key ends the use of everything that has it
			if _, err = s.Block(tx, k.SPKISHA256, "key pair "+k.ID+" of ours was compromised: "+s.reason); err == nil {
				k, err = tx.KeyPair(id)
			}
		case to == Retired && !last:
			err = s.EndPair(tx, &k)
		case to == Destroyed:
			if err = s.mayDestroy(k); err == nil {
				err = s.movePair(tx, &k, to)
			}
		default:
			err = s.movePair(tx, &k, to)
		}
		entry.After = k
		return err
	})
}

// DestroyAfter is how many days after its retirement a private key may be destroyed at the earliest. Until
// then the retirement can be undone, and a late message can be looked into.
const DestroyAfter = 30

func (s *Session) mayDestroy(k KeyPair) error {
	first := k.Changed.AddDate(0, 0, DestroyAfter)
	if k.State.Ended() && s.registry.now().Before(first) {
		return Refuse("key pair %s was retired on %s: its private key can be destroyed from %s on, because a "+
			"late message "+
			"may need it; a key that others have seen is revoked first", k.ID, k.Changed.Format(time.DateOnly),
			first.Format(time.DateOnly))
	}
	return nil
}

// EndPair retires a pair that another has followed, as part of a change.
func (s *Session) EndPair(tx Tx, k *KeyPair) error {
	if err := mayEnd(tx, *k); err != nil {
		return err
	}
	return s.movePair(tx, k, Retired)
}

// confirm records that the partner of a pair has installed it.
func (s *Session) confirm(tx Tx, k KeyPair) error {
	if k.Partner == "" {
		return nil
	}
	offers, err := tx.Offers(k.Partner)
	if err != nil {
		return err
	}
	o := Offer{KeyPair: k.ID, Partner: k.Partner}
	for _, one := range offers {
		if one.KeyPair == k.ID {
			o = one
		}
	}
	o.Confirmed = ConfirmedAt(offers, s.registry.now())
	o.Installed = cmp.Or(o.Installed, o.Confirmed)
	return tx.PutOffer(&o)
}

// ReturnPair brings a pair of ours back into a state that it had, as part of a change that undoes
// another.
func (s *Session) ReturnPair(tx Tx, k *KeyPair, to State) error {
	c, err := tx.Certificate(k.Certificate)
	if err != nil {
		return err
	}
	if err := c.NotBlocked(tx); err != nil {
		return fmt.Errorf("key pair %s: %w", k.ID, err)
	}
	if k.State.Ended() && k.Partner != "" {
		if err := s.MayStage(tx, k.leg(), k.ID); err != nil {
			return err
		}
	}
	return s.movePairBy(tx, k, to, pairReturns)
}

// RetireOffer ends a pair of ours that no partner has installed, as part of a change.
func (s *Session) RetireOffer(tx Tx, k *KeyPair) error {
	if k.State != Staged {
		return Refuse("key pair %s is %s, so its offer has ended: retire the pair", k.ID, k.State).
			Then(Advice{Action: ActionKeyRetire, ID: k.ID, Needs: []Need{Reason}})
	}
	if k.Partner != "" {
		offers, err := tx.Offers(k.Partner)
		if err != nil {
			return err
		}
		for _, o := range offers {
			if o.KeyPair == k.ID && !o.Installed.IsZero() {
				return installedAlready(o)
			}
		}
	}
	return s.movePair(tx, k, Retired)
}

// installedAlready refuses to withdraw what a partner has installed: messages to it may come.
func installedAlready(o Offer) error {
	return Refuse("%s has said on %s that key pair %s is installed: take that back, before the offer is withdrawn",
		o.Partner, o.Installed.Format(time.DateOnly), o.KeyPair).
		Then(Advice{Action: ActionKeyUndo, ID: o.KeyPair, Partner: o.Partner, Needs: []Need{Reason}})
}

// ActivatePair makes a key pair the active one, as part of a change; the one before it still
// opens. Several shared pairs may be active, see [PairsFor].
func (s *Session) ActivatePair(tx Tx, k *KeyPair) error {
	c, err := tx.Certificate(k.Certificate)
	if err != nil {
		return err
	}
	if err := c.NotBlocked(tx); err != nil {
		return fmt.Errorf("key pair %s: %w", k.ID, err)
	}
	if err := s.MayActivate(tx, k.leg(), k.ID); err != nil {
		return err
	}
	if k.Partner != "" {
		if err := s.retireActive(tx, *k); err != nil {
			return err
		}
	}
	return s.movePair(tx, k, Active)
}

func (s *Session) retireActive(tx Tx, next KeyPair) error {
	active, err := tx.KeyPairs(KeyPairQuery{
		Profile: next.Profile, Partner: next.Partner, Environment: next.Environment, States: []State{Active},
	})
	if err != nil {
		return err
	}
	for _, k := range active {
		if k.ID == next.ID {
			continue
		}
		if err := s.movePair(tx, &k, Retiring); err != nil {
			return err
		}
	}
	return nil
}

// movePair changes the state of a key pair of ours. One that is retired after the end of its certificate has
// expired: that is what the books have, and nothing else is different.
func (s *Session) movePair(tx Tx, k *KeyPair, to State) error {
	if to == Retired {
		c, err := tx.Certificate(k.Certificate)
		if err != nil {
			return err
		}
		if s.registry.now().After(c.NotAfter) {
			to = Expired
		}
	}
	if err := s.mayMove(tx, k.leg(), k.ID, to); err != nil {
		return err
	}
	return s.movePairBy(tx, k, to, pairMoves)
}

func (s *Session) movePairBy(tx Tx, k *KeyPair, to State, moves map[State][]State) error {
	if !slices.Contains(moves[k.State], to) {
		return Refuse("key pair %s is %s, and can't become %s; %s", k.ID, k.State, to, mayBecome(moves[k.State]))
	}
	k.State, k.Changed = to, s.registry.now()
	if to == Destroyed {
		k.Sealed, k.RootKey = nil, ""
	}
	if err := tx.PutKeyPair(k); err != nil {
		return err
	}
	c, err := tx.Certificate(k.Certificate)
	if err != nil {
		return err
	}
	c.State, c.Changed = to, k.Changed
	return tx.PutCertificate(&c)
}
