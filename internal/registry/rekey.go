package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealane/sealane/internal/rootkey"
)

// The settings of the root key.
const (
	settingRootCheck          = "root-key-check"           // by which a wrong one is noticed at start
	settingRootParameters     = "root-key-parameters"      // public: salt and rounds of a passphrase
	settingRootNext           = "root-key-next-check"      // while a rotation is under way
	settingRootNextParameters = "root-key-next-parameters" // so that one to a passphrase can be finished
)

// RootParameters gives what a passphrase needs to become the root key; empty
// where there is none yet. next are those of the key to which a rotation is under
// way.
func (r *Registry) RootParameters(ctx context.Context) (present, next []byte, err error) {
	err = r.Store.View(ctx, func(tx Tx) error {
		if present, err = tx.Setting(settingRootParameters); err != nil {
			return err
		}
		next, err = tx.Setting(settingRootNextParameters)
		return err
	})
	return present, next, err
}

// ErrNoRoot means that the registry has no root key yet.
var ErrNoRoot = errors.New("this registry has no root key yet: an operator or administrator brings one")

// rootIs holds a key against the registry's: ErrNoRoot, or what Key.Matches says. A
// key to which a rotation is under way counts with next.
func rootIs(tx Tx, key *rootkey.Key, next bool) error {
	check, err := tx.Setting(settingRootCheck)
	if err != nil {
		return err
	}
	if len(check) == 0 {
		return ErrNoRoot
	}
	pending, err := tx.Setting(settingRootNext)
	if err != nil {
		return err
	}
	if err := key.Matches(check); err == nil || len(pending) == 0 || key.Matches(pending) != nil {
		return err
	}
	if next {
		return nil
	}
	return errors.New("the root key is being rotated: give the old one, and finish with sealane rootkey rotate")
}

// UseRoot takes a root key that is this registry's; ErrNoRoot where it has none.
func (r *Registry) UseRoot(ctx context.Context, key *rootkey.Key) error {
	err := r.Store.View(ctx, func(tx Tx) error { return rootIs(tx, key, false) })
	if err != nil {
		return err
	}
	r.Root, err = rootkey.NewRing(key)
	return err
}

// SetRoot is UseRoot; in a registry that has no root key yet, it makes the key its
// own. parameters are those of a passphrase, where it comes from one.
func (d *Desk) SetRoot(ctx context.Context, key *rootkey.Key, parameters []byte) error {
	err := d.UseRoot(ctx, key)
	if !errors.Is(err, ErrNoRoot) {
		return err
	}
	err = d.Change(ctx, Entry{Action: "rootkey.set", Subject: "rootkey/" + key.ID()}, func(tx Tx, e *Entry) error {
		if err := rootIs(tx, key, false); !errors.Is(err, ErrNoRoot) {
			return errors.Join(errAlreadySet, err) // another program was first
		}
		if err := tx.PutSetting(settingRootParameters, parameters); err != nil {
			return err
		}
		return tx.PutSetting(settingRootCheck, key.CheckValue())
	})
	if err != nil && !errors.Is(err, errAlreadySet) {
		return err
	}
	return d.UseRoot(ctx, key)
}

var errAlreadySet = errors.New("the root key was set meanwhile")

// RotateRoot seals every private key under another root key. It may be killed and
// run again at any time: each private key is under the one or the other, and the
// registry takes the new root key for its own only when all are under it.
func (d *Desk) RotateRoot(ctx context.Context, next *rootkey.Key, parameters []byte, reason string) (count int, err error) {
	if d.Root == nil {
		return 0, errors.New("give the present root key as well (--root-key)")
	}
	both := *d.Registry
	if both.Root, err = rootkey.NewRing(next, d.Root.Newest()); err != nil { // seals under the next, opens both
		return 0, err
	}
	desk := &Desk{&both, d.person}
	entry := Entry{Action: "rootkey.rotate", Subject: "rootkey/" + next.ID(), Reason: reason}
	err = desk.Change(ctx, entry, func(tx Tx, e *Entry) error {
		e.After = map[string]string{"step": "begun"}
		return beginRotation(tx, next, parameters)
	})
	for n := 1; err == nil && n > 0; count += n {
		n, err = desk.resealSome(ctx, next, entry)
	}
	if err != nil {
		return count, fmt.Errorf("%d private keys are under the new root key; run it again: %w", count, err)
	}
	err = desk.Change(ctx, entry, func(tx Tx, e *Entry) error {
		e.After = map[string]string{"step": "finished"}
		return finishRotation(tx, next, parameters)
	})
	if err == nil {
		d.Root, err = rootkey.NewRing(next)
	}
	return count, err
}

func beginRotation(tx Tx, next *rootkey.Key, parameters []byte) error {
	pending, err := tx.Setting(settingRootNext)
	if err != nil {
		return err
	}
	if len(pending) > 0 && next.Matches(pending) != nil {
		return errors.New("a rotation to another root key is under way: finish that one first")
	}
	if err := tx.PutSetting(settingRootNextParameters, parameters); err != nil {
		return err
	}
	return tx.PutSetting(settingRootNext, next.CheckValue())
}

// finishRotation makes the next root key the registry's, if nothing is left under
// another.
func finishRotation(tx Tx, next *rootkey.Key, parameters []byte) error {
	left, err := tx.KeyPairs(KeyPairQuery{RootKeyNot: next.ID(), Page: Page{Limit: 1}})
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("%w: key pair %s came under the old root key meanwhile; run it again", ErrConflict, left[0].ID)
	}
	for _, s := range []struct {
		name  string
		value []byte
	}{
		{settingRootCheck, next.CheckValue()}, {settingRootParameters, parameters}, {settingRootNext, nil}, {settingRootNextParameters, nil},
	} {
		if err := tx.PutSetting(s.name, s.value); err != nil {
			return err
		}
	}
	return nil
}

// resealSome seals a hundred private keys again, in one transaction.
func (d *Desk) resealSome(ctx context.Context, next *rootkey.Key, entry Entry) (n int, err error) {
	err = d.Change(ctx, entry, func(tx Tx, e *Entry) error {
		n = 0
		pairs, err := tx.KeyPairs(KeyPairQuery{RootKeyNot: next.ID(), Page: Page{Limit: 100}})
		if err != nil {
			return err
		}
		ids := []string{}
		for _, k := range pairs {
			pkcs8, err := d.Root.Open(k.Sealed, sealContext(&k))
			if err != nil {
				return fmt.Errorf("key pair %s: %w", k.ID, err)
			}
			err = d.sealPair(tx, &k, pkcs8)
			clear(pkcs8)
			if err != nil {
				return err
			}
			if err := tx.PutKeyPair(&k); err != nil {
				return err
			}
			ids = append(ids, k.ID)
			n++
		}
		e.After = map[string]any{"step": "sealed again", "keys": ids}
		return nil
	})
	return n, err
}
