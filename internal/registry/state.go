package registry

import (
	"context"
	"fmt"
	"slices"
)

// pairMoves says which state of a key pair of ours may follow which. Compromise
// skips the overlap.
var pairMoves = map[State][]State{
	Staged:      {Active, Retired, Compromised},
	Active:      {Retiring, Compromised},
	Retiring:    {Active, Retired, Compromised},
	Retired:     {Destroyed},
	Compromised: {Destroyed},
}

// certificateMoves is the same for a partner's certificate.
var certificateMoves = map[State][]State{
	Received: {Matched, Rejected, Compromised},
	Matched:  {Approved, Rejected, Compromised},
	Approved: {Staged, Active, Rejected, Compromised},
	Staged:   {Active, Retired, Compromised},
	Active:   {Retiring, Retired, Compromised, Expired},
	Retiring: {Active, Retired, Compromised, Expired},
}

// MoveCertificate changes the state of a partner's certificate, if it may follow.
func (d *Desk) MoveCertificate(tx Tx, c *Certificate, to State) error {
	if !slices.Contains(certificateMoves[c.State], to) {
		return fmt.Errorf("certificate %s is %s, and can't become %s; it can become %s", c.ID, c.State, to, words(certificateMoves[c.State]))
	}
	c.State, c.Changed = to, d.now()
	return tx.PutCertificate(c)
}

// MovePair changes the state of a key pair of ours, and of its certificate. An
// active pair makes the one that was active before it retiring.
func (d *Desk) MovePair(ctx context.Context, id string, to State, reason string) error {
	return d.Change(ctx, Entry{Action: "key.state", Subject: "key/" + id, Reason: reason}, func(tx Tx, e *Entry) error {
		k, err := tx.KeyPair(id)
		if err != nil {
			return fmt.Errorf("key pair %s: %w", id, err)
		}
		e.Before, e.Partner, e.Environment = k, k.Partner, k.Environment
		if to == Active {
			if err := d.retireActive(tx, k); err != nil {
				return err
			}
		}
		if err := d.movePair(tx, &k, to); err != nil {
			return err
		}
		e.After = k
		return nil
	})
}

func (d *Desk) retireActive(tx Tx, next KeyPair) error {
	active, err := tx.KeyPairs(KeyPairQuery{Profile: next.Profile, Partner: next.Partner, Shared: next.Partner == "", Environment: next.Environment, States: []State{Active}})
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
		return fmt.Errorf("key pair %s is %s, and can't become %s; it can become %s", k.ID, k.State, to, words(pairMoves[k.State]))
	}
	k.State, k.Changed = to, d.now()
	if to == Destroyed {
		k.Sealed, k.RootKey = nil, ""
	}
	if to == Compromised {
		b := Blocked{SPKISHA256: k.SPKISHA256, Reason: "key pair " + k.ID + " of ours was compromised", By: d.person.ID, At: d.now()}
		if err := tx.PutBlocked(b); err != nil {
			return err
		}
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
