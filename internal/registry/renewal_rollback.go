package registry

import (
	"cmp"
	"slices"
	"time"

	"github.com/sealane/sealane/internal/registry/internal/guard"
)

// RollBack makes the key before the active one, in a renewal of a partner's lane, the one that is used
// again, as part of a change. The successor is staged: it opens and verifies.
//
// A partner's certificate goes back until the mail that confirms it is planned, and a key pair of
// ours as long as the partner holds both. After that it needs the partner's word.
func (s *Session) RollBack(tx Tx, n Renewal, word string) error {
	switch {
	case n.Hold != nil:
		return heldError(n)
	case n.Activated == 0:
		return Refuse("renewal %s is %s: its successor is not in use, and there is nothing to roll back", n.ID, n.Step)
	case n.Partner == "":
		return Refuse("renewal %s is of a shared pair: roll back that of each partner", n.ID)
	}
	if err := s.mayRollBack(tx, n, word); err != nil {
		return err
	}
	n.Rollbacks++
	if err := tx.PutRenewal(&n); err != nil {
		return err
	}
	if n.Owner == Theirs {
		return s.rollBackTheirs(tx, n)
	}
	return s.rollBackOurs(tx, n)
}

func (s *Session) mayRollBack(tx Reader, n Renewal, word string) error {
	if word != "" {
		return CheckReason(word)
	}
	if n.Owner == Theirs {
		appointed, err := n.ByAppointment(tx)
		switch {
		case err != nil:
			return err
		case appointed:
			return Refuse("%s holds one certificate at a time, and has replaced it at the appointment: agree on a "+
				"time to go back with them, and record their word", n.Partner).Needing(Word)
		case n.Mail == nil || guard.Out(guard.Mail):
			return nil
		}
		return Refuse("%s may have ended its old key, because the mail that confirms the new one was planned on %s: "+
			"ask them, and record their word", n.Partner, n.Mail.Planned.Format(time.DateOnly)).Needing(Word)
	}
	env, err := tx.Environment(n.Partner, n.Environment)
	if err != nil {
		return err
	}
	prof, err := LoadProfile(tx, n.Profile)
	if err != nil || env.SlotsOf(prof) > 1 {
		return err
	}
	return Refuse("%s holds one certificate of ours at a time, and has replaced the old one: ask them to "+
		"bring it back, and record their word", n.Partner).Needing(Word)
}

func (s *Session) rollBackTheirs(tx Tx, n Renewal) error {
	before, err := tx.Certificate(n.Replaces)
	if err != nil {
		return err
	}
	if err := s.stillGood(tx, before); err != nil {
		return err
	}
	after, err := tx.Certificate(n.Successor)
	if err != nil {
		return err
	}
	if err := s.moveCertificate(tx, &after, Staged, certificateReturns); err != nil {
		return err
	}
	return s.moveCertificate(tx, &before, Active, certificateMoves)
}

// stillGood returns an error where a certificate can't be used again.
func (s *Session) stillGood(tx Reader, c Certificate) error {
	if s.registry.now().After(c.NotAfter) {
		return Refuse("certificate %s has expired on %s: messages can't be sealed by it again",
			c.ID, c.NotAfter.Format(time.DateOnly))
	}
	return c.NotBlocked(tx)
}

func (s *Session) rollBackOurs(tx Tx, n Renewal) error {
	before, err := tx.KeyPair(n.Replaces)
	if err != nil {
		return err
	}
	c, err := tx.Certificate(before.Certificate)
	if err != nil {
		return err
	}
	if err := s.stillGood(tx, c); err != nil {
		return err
	}
	if !before.State.InUse() {
		return Refuse("key pair %s is %s: messages can't be signed by it again", before.ID, before.State)
	}
	after, err := tx.KeyPair(n.Successor)
	if err != nil {
		return err
	}
	offers, err := tx.Offers(n.Partner)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(offers, func(o Offer) bool { return o.KeyPair == after.ID })
	if i >= 0 && !offers[i].Confirmed.IsZero() {
		o := offers[i]
		o.Installed, o.Confirmed = cmp.Or(o.Installed, o.Confirmed), time.Time{}
		if err := tx.PutOffer(&o); err != nil {
			return err
		}
	}
	if after.Partner != "" {
		if err := s.movePairBy(tx, &after, Staged, pairReturns); err != nil {
			return err
		}
	}
	if before.State == Active { // shared: it was so for others
		return nil
	}
	return s.movePairBy(tx, &before, Active, pairMoves)
}
