package registry_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/internal/store"
)

func TestRootKey(t *testing.T) {
	meddled.Store(t.Name(), 2)
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	var ids []string
	for _, environment := range []string{"DEV", "SANDBOX", "PROD"} {
		k, _, err := s.CreateKeyPair(ctx, registry.NewPair{Profile: "riskos", Environment: environment,
			Subject: subject})
		must(t, err)
		ids = append(ids, k.ID)
	}
	other, err := rootkey.Generate()
	must(t, err)
	if err := s.SetRoot(ctx, other, nil); !errors.Is(err, rootkey.ErrOtherKey) {
		t.Errorf("a wrong root key at start: %v", err)
	}
	// A key on another place, or a flipped byte, is noticed and named.
	must(t, s.Registry().Store.Update(ctx, func(tx registry.Tx) error {
		first, err := tx.KeyPair(ids[0])
		must(t, err)
		second, err := tx.KeyPair(ids[1])
		must(t, err)
		second.Sealed = first.Sealed
		must(t, tx.PutKeyPair(&second))
		third, err := tx.KeyPair(ids[2])
		must(t, err)
		third.Sealed[len(third.Sealed)/2] ^= 1
		must(t, tx.PutKeyPair(&third))
		return nil
	}))
	for _, id := range ids[1:] {
		_, err := exported(ctx, s.WithReason("to have a look"), registry.KeyPairExport{KeyPair: id, Format: "pkcs8",
			Passphrase: []byte("a long passphrase")})
		if !errors.Is(err, rootkey.ErrDamaged) || !strings.Contains(err.Error(), id) {
			t.Errorf("%s: %v", id, err)
		}
	}
	n, err := s.WithReason("yearly rotation").RotateRoot(ctx, other, nil)
	if !errors.Is(err, rootkey.ErrDamaged) {
		t.Errorf("%d keys, %v", n, err)
	}
}

// A rotation of the root key may be killed at any time and run again.
func TestRootKeyRotationKilled(t *testing.T) {
	if os.Getenv("SEALANE_ROTATE") != "" {
		rotateChild()
		return
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "registry.db")
	db, err := store.Open(t.Context(), "sqlite:"+path, store.Options{})
	must(t, err)
	r := &registry.Registry{Store: db}
	token, err := r.Found(t.Context(), registry.Person{ID: "anna", Roles: []registry.Role{registry.Operator}})
	must(t, err)
	s, err := r.Login(t.Context(), token)
	must(t, err)
	old, err := rootkey.Create(filepath.Join(dir, "old"))
	must(t, err)
	_, err = rootkey.Create(filepath.Join(dir, "new"))
	must(t, err)
	must(t, s.SetRoot(t.Context(), old, nil))
	acme(t, s)
	k, _, err := s.CreateKeyPair(t.Context(), registry.NewPair{Profile: "riskos", Environment: "PROD",
		Subject: subject})
	must(t, err)
	must(t, db.Close())

	executable, err := os.Executable()
	must(t, err)
	killed := 0
	for at := 1; ; at++ {
		if at > 200 {
			t.Fatal("the rotation never ends")
		}
		c := exec.CommandContext(t.Context(), executable, "-test.run", "^TestRootKeyRotationKilled$")
		c.Env = append(os.Environ(), "SEALANE_ROTATE="+path, "SEALANE_ROTATE_AT="+strings.Repeat("x", at),
			"SEALANE_TOKEN="+token)
		out, err := c.CombinedOutput()
		if err == nil {
			break
		}
		if !strings.Contains(string(out), "killed here") {
			t.Fatalf("%v: %s", err, out)
		}
		killed++
	}
	if killed < 3 {
		t.Errorf("killed %d times only", killed)
	}
	next, err := rootkey.Load(t.Context(), "file:"+filepath.Join(dir, "new"))
	must(t, err)
	s, _ = sessionAt(t, path, token)
	if err := s.SetRoot(t.Context(), old, nil); !errors.Is(err, rootkey.ErrOtherKey) {
		t.Errorf("the old root key: %v", err)
	}
	must(t, s.SetRoot(t.Context(), next, nil))
	_, err = exported(t.Context(), s.WithReason("to have a look"),
		registry.KeyPairExport{KeyPair: k.ID, Format: "pkcs8",
			Passphrase: []byte("a long passphrase")})
	must(t, err)
	t.Logf("killed %d times", killed)
}

// rotateChild rotates, and dies at the statement whose number it was given.
func rotateChild() {
	path, left := os.Getenv("SEALANE_ROTATE"), len(os.Getenv("SEALANE_ROTATE_AT"))
	ctx := context.Background()
	counting := false
	db, err := store.Open(ctx, "sqlite:"+path, store.Options{Trace: func(string) {
		if counting {
			if left--; left == 0 {
				os.Stdout.WriteString("killed here\n")
				os.Exit(9) // nothing is flushed, rolled back or closed
			}
		}
	}})
	dieOf(err)
	r := &registry.Registry{Store: db}
	s, err := r.Login(ctx, os.Getenv("SEALANE_TOKEN"))
	dieOf(err)
	old, err := rootkey.Load(ctx, "file:"+filepath.Join(filepath.Dir(path), "old"))
	dieOf(err)
	next, err := rootkey.Load(ctx, "file:"+filepath.Join(filepath.Dir(path), "new"))
	dieOf(err)
	if err := s.SetRoot(ctx, old, nil); err != nil {
		if errors.Is(err, rootkey.ErrOtherKey) {
			os.Exit(0) // an earlier run got to its end, and died behind it
		}
		dieOf(err)
	}
	counting = true
	_, err = s.WithReason("a test").RotateRoot(ctx, next, nil)
	dieOf(err)
	os.Exit(0)
}

func dieOf(err error) {
	if err != nil {
		os.Stdout.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}

// A rotation to a passphrase that is cut off is finished with what was drawn for it
// first: another salt would be another key.
func TestRotationToAPassphraseCutOff(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	k, _, err := s.CreateKeyPair(ctx, registry.NewPair{Profile: "riskos", Environment: "PROD", Subject: subject})
	must(t, err)
	passphrase := []byte("correct horse battery staple")
	next, parameters, err := rootkey.NewPassphrase(passphrase)
	must(t, err)
	// It fails behind its first key: another one is damaged.
	broken, _, err := s.CreateKeyPair(ctx, registry.NewPair{Profile: "riskos", Environment: "DEV", Subject: subject})
	must(t, err)
	spoil := func() {
		must(t, s.Registry().Store.Update(ctx, func(tx registry.Tx) error {
			k, err := tx.KeyPair(broken.ID)
			must(t, err)
			k.Sealed[40] ^= 1
			return tx.PutKeyPair(&k)
		}))
	}
	spoil()
	if _, err := s.WithReason("yearly rotation").RotateRoot(ctx, next, parameters); !errors.Is(err,
		rootkey.ErrDamaged) {
		t.Fatal(err)
	}
	spoil() // whole again
	_, pending, err := s.Registry().RootParameters(ctx)
	must(t, err)
	if !bytes.Equal(pending, parameters) {
		t.Fatal("the parameters of the passphrase are lost")
	}
	again, err := rootkey.FromPassphrase(passphrase, pending)
	must(t, err)
	if n, err := s.WithReason("yearly rotation").RotateRoot(ctx, again, pending); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	must(t, s.Registry().UseRoot(ctx, again))
	_, err = exported(ctx, s.WithReason("to have a look"), registry.KeyPairExport{KeyPair: k.ID, Format: "pkcs8",
		Passphrase: []byte("a long passphrase")})
	must(t, err)
	if _, pending, err = s.Registry().RootParameters(ctx); err != nil || len(pending) != 0 {
		t.Errorf("something is still pending: %v", err)
	}
}

// A program that was given the old root key makes no key pair under it any more.
func TestStaleRootKey(t *testing.T) {
	dir := t.TempDir()
	s, _ := sessionAt(t, filepath.Join(dir, "r.db"), "")
	old, err := rootkey.Generate()
	must(t, err)
	next, err := rootkey.Generate()
	must(t, err)
	must(t, s.SetRoot(t.Context(), old, nil))
	acme(t, s)
	stale := *s
	other := *s.Registry()
	stale.SetRegistry(&other)
	if _, err := s.WithReason("yearly rotation").RotateRoot(t.Context(), next, nil); err != nil {
		t.Fatal(err)
	}
	_, _, err = stale.CreateKeyPair(t.Context(), registry.NewPair{Profile: "riskos", Environment: "PROD",
		Subject: subject})
	if !errors.Is(err, rootkey.ErrOtherKey) {
		t.Errorf("sealed under the old root key: %v", err)
	}
}

// Of several programs that bring a root key to a new registry, one is right.
func TestOneRootKeyAtFounding(t *testing.T) {
	s, _ := sessionAt(t, filepath.Join(t.TempDir(), "r.db"), "")
	const n = 6
	results := make(chan error, n)
	for range n {
		key, err := rootkey.Generate()
		must(t, err)
		r, own := *s.Registry(), *s
		own.SetRegistry(&r)
		go func() { results <- own.SetRoot(context.WithoutCancel(t.Context()), key, nil) }()
	}
	taken := 0
	for range n {
		if err := <-results; err == nil {
			taken++
		} else if !errors.Is(err, rootkey.ErrOtherKey) {
			t.Error(err)
		}
	}
	if taken != 1 {
		t.Errorf("%d different root keys were taken", taken)
	}
}
