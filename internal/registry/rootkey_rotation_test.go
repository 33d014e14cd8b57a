package registry_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/rootkey"
)

func newRoot(t *testing.T) *rootkey.Key {
	t.Helper()
	key, err := rootkey.Generate()
	must(t, err)
	return key
}

// pairs makes key pairs, one in each environment.
func pairs(t *testing.T, s *registry.Session, environments ...string) (all []registry.KeyPair) {
	t.Helper()
	for _, environment := range environments {
		k, _, err := s.CreateKeyPair(t.Context(), registry.NewPair{Profile: "riskos", Environment: environment,
			Subject: subject})
		must(t, err)
		all = append(all, k)
	}
	return all
}

// steps returns the entries of the audit log about rotations.
func steps(t *testing.T, s *registry.Session) (said []string) {
	t.Helper()
	must(t, s.View(t.Context(), func(tx registry.Reader) error {
		records, err := tx.AuditRecords(0, 1000)
		for _, r := range records {
			var after struct{ Step string }
			if r.Action == "rootkey.rotate" && json.Unmarshal(r.After, &after) == nil {
				said = append(said, after.Step)
			}
		}
		return err
	}))
	return said
}

// A rotation leaves the Registry alone: others unseal with it meanwhile, and what
// was read before opens behind it.
func TestRotationLeavesTheRegistryAlone(t *testing.T) {
	s := openSession(t)
	k := pairs(t, s, "PROD", "DEV")[0]
	root, next := s.Registry().Root, newRoot(t)
	ended := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() {
		for {
			if err := s.Registry().Usable(k); err != nil {
				t.Errorf("while it is rotated: %v", err)
				return
			}
			select {
			case <-ended:
				return
			default:
			}
		}
	})
	n, err := s.WithReason("yearly rotation").RotateRoot(t.Context(), next, nil)
	close(ended)
	others.Wait()
	if err != nil || n != 2 || s.Registry().Root != root {
		t.Errorf("%d keys, %v; the ring is another: %v", n, err, s.Registry().Root != root)
	}
	if err := s.Registry().Usable(k); err != nil {
		t.Errorf("a lane from before: %v", err)
	}
	must(t, s.Registry().UseRoot(t.Context(), next))
	_, err = exported(t.Context(), s.WithReason("to have a look"),
		registry.KeyPairExport{KeyPair: k.ID, Format: "pkcs8",
			Passphrase: []byte("a long passphrase")})
	must(t, err)
	if got := strings.Join(steps(t, s), ", "); got != "begun, sealed again, finished" {
		t.Errorf("recorded: %s", got)
	}
}

// cutOff is a store whose transactions are undone at their end, from the given one on.
type cutOff struct {
	registry.Store
	left int
}

var errCutOff = errors.New("the commit failed")

func (c *cutOff) Update(ctx context.Context, f func(registry.Tx) error) error {
	return c.Store.Update(ctx, func(tx registry.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		if c.left--; c.left <= 0 {
			return errCutOff
		}
		return nil
	})
}

// What a failed commit has undone is not counted, and done by the next run.
func TestRotationCountsWhatIsCommitted(t *testing.T) {
	s := openSession(t)
	pairs(t, s, "PROD", "DEV")
	whole, next := s.Registry().Store, newRoot(t)
	for at, want := range []struct {
		count int
		says  string
	}{{0, "the commit failed"}, {0, "0 private keys are under the new root key by now"}, {2,
		"2 private keys are under the new root key by now"}} {
		s.Registry().Store = &cutOff{whole, at + 1}
		n, err := s.WithReason("yearly rotation").RotateRoot(t.Context(), next, nil)
		if n != want.count || !errors.Is(err, errCutOff) || !strings.HasPrefix(err.Error(), want.says) {
			t.Errorf("cut off at %d: %d keys, %v", at+1, n, err)
		}
	}
	s.Registry().Store = whole
	if n, err := s.WithReason("yearly rotation").RotateRoot(t.Context(), next, nil); n != 0 || err != nil {
		t.Error(n, err)
	}
	must(t, s.Registry().UseRoot(t.Context(), next))
}

func TestRotationNeedsTheRole(t *testing.T) {
	s := openSession(t)
	pairs(t, s, "PROD")
	token, err := s.AddPerson(t.Context(), registry.Person{ID: "ben", Roles: []registry.Role{registry.Auditor}})
	must(t, err)
	ben, err := s.Registry().Login(t.Context(), token)
	must(t, err)
	_, err = ben.WithReason("yearly rotation").RotateRoot(t.Context(), newRoot(t), nil)
	if !errors.Is(err, registry.ErrForbidden) || strings.Contains(err.Error(), "run it again") ||
		strings.Contains(err.Error(), "private key") {
		t.Error(err)
	}
	if n := len(steps(t, s)); n != 0 {
		t.Errorf("%d steps are recorded", n)
	}
}

// Who brings another root key hears how the right one is named, and can ask before
// whether there is one.
func TestAnotherRootKey(t *testing.T) {
	s, _ := sessionAt(t, "sqlite:"+t.TempDir()+"/r.db", "")
	if has, err := s.Registry().HasRoot(t.Context()); has || err != nil {
		t.Error(has, err)
	}
	right := newRoot(t)
	must(t, s.SetRoot(t.Context(), right, nil))
	if has, err := s.Registry().HasRoot(t.Context()); !has || err != nil {
		t.Error(has, err)
	}
	err := s.SetRoot(t.Context(), newRoot(t), nil)
	if !errors.Is(err, rootkey.ErrOtherKey) || !strings.Contains(err.Error(), right.ID()) {
		t.Error(err)
	}
}

// A key pair that another program seals under the old root key meanwhile is sealed
// again, too: looking for what is left and ending the rotation are one transaction.
func TestRotationTakesLatecomersAlong(t *testing.T) {
	s := openSession(t)
	var late registry.KeyPair
	rotating, other := *s, *s.Registry()
	rotating.SetRegistry(&other)
	other.Recorded = func(context.Context, audit.Head) {
		if late.ID == "" {
			late = pairs(t, s, "PROD")[0]
		}
	}
	next := newRoot(t)
	if n, err := rotating.WithReason("yearly rotation").RotateRoot(t.Context(), next, nil); n != 1 || err != nil {
		t.Error(n, err)
	}
	if got := strings.Join(steps(t, s), ", "); got != "begun, sealed again, finished" {
		t.Errorf("recorded: %s", got)
	}
	must(t, s.Registry().UseRoot(t.Context(), next))
	_, err := exported(t.Context(), s.WithReason("to have a look"),
		registry.KeyPairExport{KeyPair: late.ID, Format: "pkcs8",
			Passphrase: []byte("a long passphrase")})
	must(t, err)
}

// While a rotation is under way there is none to a third key; the old key still opens
// the registry, and the next does not yet.
func TestOneRotationAtATime(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	old := s.Registry().Root.Newest()
	k, _, err := s.CreateKeyPair(ctx, registry.NewPair{Profile: "riskos", Environment: "PROD", Subject: subject})
	must(t, err)
	flip := func() {
		must(t, s.Registry().Store.Update(ctx, func(tx registry.Tx) error {
			k, err := tx.KeyPair(k.ID)
			must(t, err)
			k.Sealed[40] ^= 1
			return tx.PutKeyPair(&k)
		}))
	}
	next, err := rootkey.Generate()
	must(t, err)
	another, err := rootkey.Generate()
	must(t, err)
	flip()
	if _, err := s.WithReason("yearly rotation").RotateRoot(ctx, next, nil); !errors.Is(err, rootkey.ErrDamaged) {
		t.Fatal(err)
	}
	flip() // whole again
	for _, c := range []struct {
		says string
		err  func() error
	}{
		{"a rotation to another root key is under way", func() error {
			_, err := s.WithReason("yearly rotation").RotateRoot(ctx,
				another, nil)
			return err
		}},
		{"the root key is being rotated: use the old one", func() error { return s.Registry().UseRoot(ctx, next) }},
		{"the root key is being rotated: use the old one", func() error { return s.SetRoot(ctx, next, nil) }},
		{"another root key", func() error { return s.Registry().UseRoot(ctx, another) }},
		{"given twice", func() error {
			_, err := s.WithReason("yearly rotation").RotateRoot(ctx, old, nil)
			return err
		}},
	} {
		refused(t, c.says, c.err())
	}
	must(t, s.Registry().UseRoot(ctx, old))
	must(t, s.Registry().Usable(k)) // nothing was sealed again
	if n, err := s.WithReason("yearly rotation").RotateRoot(ctx, next, nil); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	must(t, s.Registry().UseRoot(ctx, next))
}

// A registry whose check value somebody removed takes no other root key for its first; its own
// may come back.
func TestFirstRootKeyOfARegistryWithKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, token := founded(t, address)
		k := pairs(t, s, "PROD")[0]
		own := s.Registry().Root.Newest()
		db := behind(t, address)
		db.does("DELETE FROM setting WHERE name = 'root-key-check'")
		db.does("UPDATE key_pair SET root_key = ?", newRoot(t).ID()) // as if it were another's
		r, err := (&registry.Registry{Store: s.Registry().Store}).Login(t.Context(), token)
		must(t, err)
		err = r.SetRoot(t.Context(), newRoot(t), nil)
		if !errors.Is(err, rootkey.ErrOtherKey) || !strings.Contains(err.Error(), k.ID) ||
			!strings.Contains(err.Error(), own.ID()) {
			t.Errorf("another key: %v", err)
		}
		must(t, r.SetRoot(t.Context(), own, nil))
		meddled.Store(t.Name(), 1)
	})
}

// There is no way back to a root key that was replaced.
func TestRotationToAnEarlierRootKey(t *testing.T) {
	s := openSession(t)
	pairs(t, s, "PROD")
	first, second, third := s.Registry().Root.Newest(), newRoot(t), newRoot(t)
	rotate := func(to *rootkey.Key) error {
		_, err := s.WithReason("yearly rotation").RotateRoot(t.Context(), to, nil)
		return err
	}
	must(t, rotate(second))
	must(t, s.Registry().UseRoot(t.Context(), second))
	refused(t, "was this registry's before", rotate(first))
	must(t, rotate(third))
	must(t, s.Registry().UseRoot(t.Context(), third))
	refused(t, first.ID()+" was this registry's before", rotate(first))
	refused(t, second.ID()+" was this registry's before", rotate(second))
}
