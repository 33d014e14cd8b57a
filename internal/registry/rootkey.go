package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sealane/sealane/internal/rootkey"
)

// The settings of the root key.
const (
	settingRootCheck          = "root-key-check"           // by which a wrong one is noticed at start
	settingRootParameters     = "root-key-parameters"      // public: salt and rounds of a passphrase
	settingRootNext           = "root-key-next-check"      // while a rotation is under way
	settingRootNextParameters = "root-key-next-parameters" // so that one to a passphrase can be finished
)

// RootParameters returns the parameters by which a passphrase becomes the root key. They are
// empty if there is no root key yet, or if it needs none. next are those of the key to which a
// rotation is under way.
func (r *Registry) RootParameters(ctx context.Context) (present, next []byte, err error) {
	err = r.Store.View(ctx, func(tx Reader) error {
		if present, err = tx.Setting(settingRootParameters); err != nil {
			return err
		}
		next, err = tx.Setting(settingRootNextParameters)
		return err
	})
	return present, next, err
}

// ErrRotating means that a rotation to the root key has begun and is not finished: some private
// keys are still under the old one.
var ErrRotating = errors.New("the root key is being rotated: use the old one, and finish the rotation")

// ErrNoRoot means that the registry has no root key yet.
var ErrNoRoot = errors.New("this registry has no root key yet: an operator or administrator brings one")

// rootIs returns an error if a key is not the registry's root key: ErrNoRoot, or that of
// [rootkey.Key.Matches]. With next, the key to which a rotation is under way is right too.
func rootIs(tx Reader, key *rootkey.Key, next bool) error {
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
	err = key.Matches(check)
	if errors.Is(err, rootkey.ErrOtherKey) && (len(pending) == 0 || key.Matches(pending) != nil) {
		return err
	}
	if !errors.Is(err, rootkey.ErrOtherKey) {
		return err
	}
	if next {
		return nil
	}
	return ErrRotating
}

// HasRoot reports whether the registry has a root key.
func (r *Registry) HasRoot(ctx context.Context) (has bool, err error) {
	err = r.Store.View(ctx, func(tx Reader) error {
		check, err := tx.Setting(settingRootCheck)
		has = len(check) > 0
		return err
	})
	return has, err
}

// RootKeyYears is after how many years another root key is proposed. Who has read the old one, on a disk or in
// memory, can read no private key that is made after that.
const RootKeyYears = 2

// RootKeyAge returns since when the root key is the registry's, and reports whether another one is proposed. While a
// rotation is under way none is. Without a root key the time is zero.
func RootKeyAge(tx Reader, now time.Time) (since time.Time, old bool, err error) {
	for _, action := range []Action{ActionRootKeyRotate, ActionRootKeySet} {
		records, err := tx.FindAudit(AuditQuery{Action: action, Limit: 1})
		if err != nil {
			return time.Time{}, false, err
		}
		if len(records) > 0 {
			since = records[0].Time
			return since, !now.Before(since.AddDate(RootKeyYears, 0, 0)), nil
		}
	}
	return time.Time{}, false, nil
}

// UseRoot sets Root to a root key, if it is this registry's. The error is ErrNoRoot if the
// registry has none. It must not be called while the Registry is in use.
func (r *Registry) UseRoot(ctx context.Context, key *rootkey.Key) error {
	err := r.Store.View(ctx, func(tx Reader) error { return rootIs(tx, key, false) })
	if err != nil {
		return err
	}
	r.Root, err = rootkey.NewRing(key)
	r.opened = &openedHashKey{}
	return err
}

// SetRoot is UseRoot; a registry that has no root key yet takes the key for its own. parameters
// are those of a passphrase, if the key was made from one.
func (s *Session) SetRoot(ctx context.Context, key *rootkey.Key, parameters []byte) error {
	err := s.registry.UseRoot(ctx, key)
	if !errors.Is(err, ErrNoRoot) {
		return err
	}
	// It is set on the way to another change, whose reason is not the key's.
	set := Entry{Action: ActionRootKeySet, Subject: "rootkey/" + key.ID()}
	err = s.WithReason("").Change(ctx, set, func(tx Tx, _ *Entry) error {
		if err := rootIs(tx, key, false); !errors.Is(err, ErrNoRoot) {
			return errors.Join(errAlreadySet, err) // another program was first
		}
		if err := noneUnderOther(tx, key); err != nil {
			return err
		}
		if err := tx.PutSetting(settingRootParameters, parameters); err != nil {
			return err
		}
		if err := firstHashKey(tx, key); err != nil {
			return err
		}
		return tx.PutSetting(settingRootCheck, key.CheckValue())
	})
	if err != nil && !errors.Is(err, errAlreadySet) {
		return err
	}
	return s.registry.UseRoot(ctx, key)
}

var errAlreadySet = errors.New("the root key was set meanwhile")

// RotateRoot seals every private key under another root key, and returns how many it sealed. At the end
// it does the same with the key of API keys. It
// may be killed and run again at any time: each private key is under one of the two, and the
// registry takes the new root key for its own when all are under it.
//
// If there are other approvers, one of them must agree before it begins: with a root key of their own
// and a backup, somebody would have all private keys.
//
// It does not change the Registry, which others may use meanwhile, and lanes that were made of
// it open what they opened before. To go on with the next key, call UseRoot.
func (s *Session) RotateRoot(ctx context.Context, next *rootkey.Key, parameters []byte) (count int, err error) {
	if s.registry.Root == nil {
		return 0, Refuse("rotation needs the present root key as well").Needing(RootKey)
	}
	both := *s.registry
	// It seals under the next key, and opens under both.
	if both.Root, err = rootkey.NewRing(next, s.registry.Root.Newest()); err != nil {
		return 0, err
	}
	rotating := &Session{Viewer: Viewer{registry: &both, person: s.person}, reason: s.reason}
	step := Entry{Action: ActionRootKeyRotate, Subject: "rootkey/" + next.ID()}
	err = rotating.Change(ctx, step, func(tx Tx, entry *Entry) error {
		begins := map[string]any{"step": "begun"}
		if len(parameters) > 0 { // of a passphrase: see NextRootParameters
			begins[parametersMember] = json.RawMessage(parameters)
		}
		entry.After = begins
		begun, err := beginRotation(tx, next, parameters)
		if err == nil && !begun { // else it was agreed then
			entry.asks = &second{why: "all private keys are encrypted under another root key", what: next.ID()}
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	for {
		n := 0
		err = rotating.Change(ctx, step, func(tx Tx, entry *Entry) (err error) {
			n, err = rotating.resealSome(tx, entry, next, parameters)
			return err
		})
		if err != nil {
			return count, fmt.Errorf("%d private keys are under the new root key by now; run it again: %w", count, err)
		}
		if n == 0 {
			return count, nil
		}
		count += n
	}
}

// beginRotation notes the next root key. It reports whether a rotation to that has begun before.
func beginRotation(tx Tx, next *rootkey.Key, parameters []byte) (begun bool, err error) {
	pending, err := tx.Setting(settingRootNext)
	if err != nil {
		return false, err
	}
	begun = len(pending) > 0
	if begun && next.Matches(pending) != nil {
		return false, Refuse("a rotation to another root key is under way: finish that one first")
	}
	if err := notEarlier(tx, next); err != nil {
		return false, err
	}
	if err := tx.PutSetting(settingRootNextParameters, parameters); err != nil {
		return false, err
	}
	return begun, tx.PutSetting(settingRootNext, next.CheckValue())
}

// resealSome seals a hundred private keys again. If none is left under another root key, it
// makes the next one the registry's.
func (s *Session) resealSome(tx Tx, entry *Entry, next *rootkey.Key, parameters []byte) (n int, err error) {
	pairs, err := tx.KeyPairs(KeyPairQuery{RootKeyNot: next.ID(), Page: Page{Limit: 100}})
	if err != nil {
		return 0, err
	}
	if len(pairs) == 0 {
		entry.After = map[string]string{"step": "finished"}
		if err := s.registry.rewrapHashKey(tx, next); err != nil {
			return 0, err
		}
		return 0, finishRotation(tx, next, parameters)
	}
	var ids []string
	for _, k := range pairs {
		pkcs8, err := s.registry.Root.Open(k.Sealed, sealContext(&k))
		if err != nil {
			return 0, fmt.Errorf("key pair %s: %w", k.ID, err)
		}
		err = s.registry.sealPair(tx, &k, pkcs8)
		clear(pkcs8)
		if err != nil {
			return 0, err
		}
		if err := tx.PutKeyPair(&k); err != nil {
			return 0, err
		}
		ids = append(ids, k.ID)
	}
	entry.After = map[string]any{"step": "sealed again", "keys": ids}
	return len(ids), nil
}

func finishRotation(tx Tx, next *rootkey.Key, parameters []byte) error {
	if err := noteEarlier(tx, next); err != nil {
		return err
	}
	for _, s := range []struct {
		name  string
		value []byte
	}{
		{settingRootCheck, next.CheckValue()}, {settingRootParameters, parameters},
		{settingRootNext, nil}, {settingRootNextParameters, nil},
	} {
		if err := tx.PutSetting(s.name, s.value); err != nil {
			return err
		}
	}
	return nil
}
