package store_test

import (
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

// A database in memory is that of its path, and is gone when it is closed.
func TestMemory(t *testing.T) {
	t.Parallel()
	opened := func(path string) *store.Store {
		s, err := store.Open(t.Context(), "sqlite:"+path, store.Options{Memory: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	one, other := opened("memory one"), opened("memory other")
	p := registry.Partner{ID: "acme", Name: "Acme", Profile: "riskos", Side: sealane.ServerSide}
	update(t, one, func(tx registry.Tx) error { return tx.PutPartner(&p) })
	has := func(s *store.Store) bool {
		return s.View(t.Context(), func(tx registry.Reader) error {
			_, err := tx.Partner("acme")
			return err
		}) == nil
	}
	if !has(one) || has(other) {
		t.Error(has(one), has(other))
	}
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	if has(opened("memory one")) {
		t.Error("the database was kept")
	}
}
