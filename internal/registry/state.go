package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// pairMoves says which state of a key pair of ours may follow which. Compromise
// skips the overlap.
var pairMoves = map[State][]State{
	Staged:      {Active, Retired, Compromised},
	Active:      {Retiring, Retired, Compromised},
	Retiring:    {Active, Retired, Compromised},
	Retired:     {Destroyed},
	Compromised: {Destroyed},
}

// certificateMoves is the same for a partner's certificate.
var certificateMoves = map[State][]State{
	Received: {Matched, Rejected, Compromised},
	Matched:  {Received, Approved, Rejected, Compromised}, // Received: another checksum came, and is wrong
	Approved: {Staged, Active, Rejected, Compromised},
	Staged:   {Active, Retired, Compromised},
	Active:   {Retiring, Retired, Compromised, Expired},
	Retiring: {Active, Retired, Compromised, Expired},
}

// MoveCertificate changes the state of a partner's certificate, if it may follow.
func (d *Desk) MoveCertificate(tx Tx, c *Certificate, to State) error {
	if !slices.Contains(certificateMoves[c.State], to) {
		return fmt.Errorf("certificate %s is %s, and can't become %s; %s", c.ID, c.State, to, mayBecome(certificateMoves[c.State]))
	}
	c.State, c.Changed = to, d.now()
	return tx.PutCertificate(c)
}

func mayBecome(next []State) string {
	if len(next) == 0 {
		return "it has ended"
	}
	return "it can become " + words(next)
}

// MovePair changes the state of a key pair of ours, and of its certificate. One that is
// in use ends only where another has followed it, or where it is the last.
func (d *Desk) MovePair(ctx context.Context, id string, to State, last bool, reason string) error {
	action := map[State]string{Active: "key.activate", Retired: "key.retire", Destroyed: "key.destroy", Compromised: "key.compromised"}[to]
	return d.Change(ctx, Entry{Action: action, Subject: "key/" + id, Reason: reason}, func(tx Tx, e *Entry) error {
		k, err := tx.KeyPair(id)
		if err != nil {
			return fmt.Errorf("key pair %s: %w", id, err)
		}
		e.Before, e.Partner, e.Environment = k, k.Partner, k.Environment
		switch {
		case to == Active:
			err = d.ActivatePair(tx, &k)
		case to == Compromised: // by blocking its key, which ends the use of all that has it
			if _, err = d.Block(tx, k.SPKISHA256, "key pair "+k.ID+" of ours was compromised: "+reason); err == nil {
				k, err = tx.KeyPair(id)
			}
		case to == Retired && k.State == Active && !last:
			if err = followed(tx, k); err == nil {
				err = d.movePair(tx, &k, to)
			}
		default:
			err = d.movePair(tx, &k, to)
		}
		e.After = k
		return err
	})
}

// followed refuses to end a pair that somebody relies on.
func followed(tx Tx, k KeyPair) error {
	if k.Partner != "" {
		return fmt.Errorf("key pair %s is in use: activate its renewal first; or, where none is to follow, say that it is the last (--last)", k.ID)
	}
	relying, err := tx.Relying(k, 4)
	if err != nil || len(relying) == 0 {
		return err
	}
	if len(relying) > 3 {
		relying[3] = "others"
	}
	return fmt.Errorf("key pair %s is the one that %s use: have them confirm its renewal first; or, where none is to follow, say that it is the last (--last)", k.ID, strings.Join(relying, ", "))
}

// RetireOffer ends a pair of ours that its partner has not installed, as part of a
// change.
func (d *Desk) RetireOffer(tx Tx, k *KeyPair) error {
	if k.State != Staged {
		return fmt.Errorf("key pair %s is %s: it is on offer no more; end its use by sealane key retire", k.ID, k.State)
	}
	return d.movePair(tx, k, Retired)
}

// ActivatePair makes a key pair the active one, as part of a change; the one that
// was active before it still opens. Of shared pairs several are active, see PairsFor.
func (d *Desk) ActivatePair(tx Tx, k *KeyPair) error {
	if err := NotBlocked(tx, k.SPKISHA256); err != nil {
		return fmt.Errorf("key pair %s: %w", k.ID, err)
	}
	if k.Partner != "" {
		if err := d.retireActive(tx, *k); err != nil {
			return err
		}
	}
	return d.movePair(tx, k, Active)
}

func (d *Desk) retireActive(tx Tx, next KeyPair) error {
	active, err := tx.KeyPairs(KeyPairQuery{Profile: next.Profile, Partner: next.Partner, Environment: next.Environment, States: []State{Active}})
	if err != nil {
		return err
	}
	for _, k := range active {
		if k.ID == next.ID {
			continue
		}
		if err := d.movePair(tx, &k, Retiring); err != nil {
			return err
		}
	}
	return nil
}

func (d *Desk) movePair(tx Tx, k *KeyPair, to State) error {
	if !slices.Contains(pairMoves[k.State], to) {
		return fmt.Errorf("key pair %s is %s, and can't become %s; %s", k.ID, k.State, to, mayBecome(pairMoves[k.State]))
	}
	k.State, k.Changed = to, d.now()
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
