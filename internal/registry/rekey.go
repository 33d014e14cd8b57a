package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealane/sealane/internal/rootkey"
)

// The settings of the root key.
const (
	settingRootCheck      = "root-key-check"      // by which a wrong one is noticed at start
	settingRootParameters = "root-key-parameters" // public: salt and rounds of a passphrase
	settingRootNext       = "root-key-next-check" // while a rotation is under way
)

// RootParameters gives what a passphrase needs to become the root key; empty
// where there is none yet.
func (r *Registry) RootParameters(ctx context.Context) (parameters []byte, err error) {
	err = r.Store.View(ctx, func(tx Tx) error {
		parameters, err = tx.Setting(settingRootParameters)
		return err
	})
	return parameters, err
}

// UseRoot makes the root key this registry's, or compares it with the one that
// is. parameters are those of a passphrase, where it comes from one.
func (r *Registry) UseRoot(ctx context.Context, key *rootkey.Key, parameters []byte) error {
	var check, next []byte
	err := r.Store.View(ctx, func(tx Tx) (err error) {
		if check, err = tx.Setting(settingRootCheck); err != nil {
			return err
		}
		next, err = tx.Setting(settingRootNext)
		return err
	})
	if err != nil {
		return err
	}
	if len(next) > 0 && key.Matches(check) != nil && key.Matches(next) == nil {
		return errors.New("the root key is being rotated: give the old one, and finish with sealane rootkey rotate")
	}
	if len(check) > 0 {
		if err := key.Matches(check); err != nil {
			return err
		}
	} else {
		err := r.change(ctx, "program:founding", Entry{Action: "rootkey.set", Subject: "rootkey/" + key.ID()}, func(tx Tx, e *Entry) error {
			if err := tx.PutSetting(settingRootParameters, parameters); err != nil {
				return err
			}
			return tx.PutSetting(settingRootCheck, key.CheckValue())
		})
		if err != nil {
			return err
		}
	}
	r.Root, err = rootkey.NewRing(key)
	return err
}

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
	err = desk.Change(ctx, Entry{Action: "rootkey.rotate", Subject: "rootkey/" + next.ID(), Reason: reason, After: map[string]string{"step": "begun"}}, func(tx Tx, e *Entry) error {
		pending, err := tx.Setting(settingRootNext)
		if err != nil {
			return err
		}
		if len(pending) > 0 && next.Matches(pending) != nil {
			return errors.New("a rotation to another root key is under way: finish that one first")
		}
		return tx.PutSetting(settingRootNext, next.CheckValue())
	})
	if err != nil {
		return 0, err
	}
	for {
		n, err := desk.resealSome(ctx, next, reason)
		count += n
		if err != nil {
			return count, fmt.Errorf("%d private keys are under the new root key; run it again: %w", count, err)
		}
		if n == 0 {
			break
		}
	}
	err = desk.Change(ctx, Entry{Action: "rootkey.rotate", Subject: "rootkey/" + next.ID(), Reason: reason, After: map[string]string{"step": "finished"}}, func(tx Tx, e *Entry) error {
		if err := tx.PutSetting(settingRootCheck, next.CheckValue()); err != nil {
			return err
		}
		if err := tx.PutSetting(settingRootParameters, parameters); err != nil {
			return err
		}
		return tx.PutSetting(settingRootNext, []byte{})
	})
	if err == nil {
		d.Root, err = rootkey.NewRing(next)
	}
	return count, err
}

// resealSome seals a hundred private keys again, in one transaction.
func (d *Desk) resealSome(ctx context.Context, next *rootkey.Key, reason string) (n int, err error) {
	err = d.Change(ctx, Entry{Action: "rootkey.rotate", Subject: "rootkey/" + next.ID(), Reason: reason}, func(tx Tx, e *Entry) error {
		n = 0
		pairs, err := tx.KeyPairs(KeyPairQuery{RootKeyNot: next.ID(), Page: Page{Limit: 100}})
		if err != nil {
			return err
		}
		ids := []string{}
		for _, k := range pairs {
			if len(k.Sealed) == 0 {
				continue
			}
			pkcs8, err := d.Root.Open(k.Sealed, sealContext(&k))
			if err != nil {
				return fmt.Errorf("key pair %s: %w", k.ID, err)
			}
			err = d.sealPair(&k, pkcs8)
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
