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

// MovePair changes the state of a key pair of ours, and of its certificate.
func (d *Desk) MovePair(ctx context.Context, id string, to State, reason string) error {
	return d.Change(ctx, Entry{Action: "key.state", Subject: "key/" + id, Reason: reason}, func(tx Tx, e *Entry) error {
		k, err := tx.KeyPair(id)
		if err != nil {
			return fmt.Errorf("key pair %s: %w", id, err)
		}
		e.Before, e.Partner, e.Environment = k, k.Partner, k.Environment
		switch to {
		case Active:
			err = d.ActivatePair(tx, &k)
		case Compromised: // by blocking its key, which ends the use of all that has it
			if _, err = d.Block(tx, k.SPKISHA256, "key pair "+k.ID+" of ours was compromised: "+reason); err == nil {
				k, err = tx.KeyPair(id)
			}
		default:
			err = d.movePair(tx, &k, to)
		}
		e.After = k
		return err
	})
}

// ActivatePair makes a key pair the active one, as part of a change; the one that
// was active before it still opens.
func (d *Desk) ActivatePair(tx Tx, k *KeyPair) error {
	if err := NotBlocked(tx, k.SPKISHA256); err != nil {
		return fmt.Errorf("key pair %s: %w", k.ID, err)
	}
	if err := d.retireActive(tx, *k); err != nil {
		return err
	}
	return d.movePair(tx, k, Active)
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
