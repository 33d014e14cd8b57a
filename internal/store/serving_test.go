package store_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
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

// While all lanes are read to check them, the version can be asked for, and what has changed is read.
func TestWholeReadingHoldsNothingUp(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		update(t, s, func(tx registry.Tx) error {
			return all(agreement(tx, "acme", "PROD"), tx.AppendAudit(record(1)))
		})
		before, err := s.Version(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		scope := lanes.Scope{Since: &before, Whole: true}
		err = s.ReadLanes(ctx, scope, func(_ lanes.Rows, whole lanes.Extent) error {
			update(t, s, func(tx registry.Tx) error { return tx.AppendAudit(record(2)) })
			now, err := s.Version(ctx)
			if err != nil || now.Seq != 2 || whole.Version.Seq != 1 || !whole.Whole {
				t.Errorf("version %d, while version %d is read: %v", now.Seq, whole.Version.Seq, err)
			}
			return s.ReadLanes(ctx, lanes.Scope{Since: &before}, func(_ lanes.Rows, x lanes.Extent) error {
				if x.Whole || x.Version.Seq != 2 || !slices.Equal(x.Changed.Partners, []string{"acme"}) {
					t.Errorf("read meanwhile: %+v", x)
				}
				return nil
			})
		})
		if err != nil {
			t.Error(err)
		}
	})
}
