package store_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/store"
)

// A program that serves messages never changes the schema: an older database is refused, and so is one
// that is too new.
func TestServingNeverMigrates(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		refused := func(o store.Options, why string) {
			t.Helper()
			s, err := store.OpenServing(t.Context(), address, o)
			if err == nil {
				s.Close()
			}
			if !errors.Is(err, store.ErrVersion) || !strings.Contains(err.Error(), why) {
				t.Errorf("%v, want %q", err, why)
			}
		}
		serves := func(o store.Options) {
			t.Helper()
			s, err := store.OpenServing(t.Context(), address, o)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		next := store.Options{}.WithMigration("CREATE TABLE next (id TEXT NOT NULL PRIMARY KEY);\n")
		refused(store.Options{}, "has version 0")
		open(t, address)
		serves(store.Options{})
		refused(next, "open the registry with another command of this version first")
		s, err := store.Open(t.Context(), address, next)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		serves(next)
		serves(store.Options{}) // one version newer
		if _, err := raw(t, address).ExecContext(t.Context(),
			"INSERT INTO schema_version (version) SELECT MAX(version) + 1 FROM schema_version"); err != nil {
			t.Fatal(err)
		}
		refused(store.Options{}, "use the newer program")
	})
}
