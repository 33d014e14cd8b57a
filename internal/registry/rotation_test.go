package registry_test

import (
	"errors"
	"testing"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/rootkey"
)

// While a rotation is under way there is none to a third key; the old key still opens
// the registry, and the next does not yet.
func TestOneRotationAtATime(t *testing.T) {
	d, ctx := desk(t), t.Context()
	old := d.Root.Newest()
	k, _, err := d.CreateKeyPair(ctx, registry.NewPair{Profile: "riskos", Environment: "PROD", Subject: subject}, "")
	must(t, err)
	flip := func() {
		must(t, d.Store.Update(ctx, func(tx registry.Tx) error {
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
	if _, err := d.RotateRoot(ctx, next, nil, "yearly"); !errors.Is(err, rootkey.ErrDamaged) {
		t.Fatal(err)
	}
	flip() // whole again
	for _, c := range []struct {
		says string
		err  func() error
	}{
		{"a rotation to another root key is under way", func() error { _, err := d.RotateRoot(ctx, another, nil, "yearly"); return err }},
		{"the root key is being rotated: give the old one", func() error { return d.UseRoot(ctx, next) }},
		{"the root key is being rotated: give the old one", func() error { return d.SetRoot(ctx, next, nil) }},
		{"another root key", func() error { return d.UseRoot(ctx, another) }},
		{"given twice", func() error { _, err := d.RotateRoot(ctx, old, nil, "yearly"); return err }},
	} {
		refused(t, c.says, c.err())
	}
	must(t, d.UseRoot(ctx, old))
	must(t, d.Usable(k)) // nothing was sealed again
	if n, err := d.RotateRoot(ctx, next, nil, "yearly"); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	must(t, d.UseRoot(ctx, next))
}
