package registry_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

// Uses that could not be written are kept for the next time. What was noted meanwhile
// is newer, and is not set back by them.
func TestUsesAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	s, _ := founded(t, path)
	acme(t, s)
	ids := make([]string, 2)
	for i := range ids {
		k, _, err := s.IssueAPIKey(t.Context(), "acme", "PROD", "", sealane.SealingRequired, "")
		must(t, err)
		ids[i] = k.ID
	}
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	var uses registry.UsageRecorder
	// The writer's context ends when its transaction begins, and a call comes in.
	ctx, cancel := context.WithCancel(t.Context())
	db, err := store.Open(t.Context(), path, store.Options{Trace: func(statement string) {
		if statement == "BEGIN" && ctx.Err() == nil {
			uses.Note(ids[0], noon.Add(time.Hour))
			cancel()
		}
	}})
	must(t, err)
	t.Cleanup(func() { db.Close() })
	used := func() (times []time.Time) {
		must(t, db.View(t.Context(), func(tx registry.Tx) error {
			for _, id := range ids {
				k, err := tx.APIKey(id)
				must(t, err)
				times = append(times, k.LastUsed)
			}
			return nil
		}))
		return times
	}
	r := &registry.Registry{Store: db}
	uses.Note(ids[0], noon)
	uses.Note(ids[1], noon)
	if err := uses.Write(ctx, r); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if got := used(); !got[0].IsZero() || !got[1].IsZero() {
		t.Fatalf("written all the same: %v", got)
	}
	must(t, uses.Write(t.Context(), r))
	if got := used(); !got[0].Equal(noon.Add(time.Hour)) || !got[1].Equal(noon) {
		t.Errorf("last used %v", got)
	}
	must(t, uses.Write(ctx, r)) // nothing is left to write
}
