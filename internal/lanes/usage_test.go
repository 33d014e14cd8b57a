package lanes_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

// Uses that could not be stored are kept for the next time. What was noted meanwhile is
// newer, and is not set back by them.
func TestUsesAreKept(t *testing.T) {
	path := t.TempDir() + "/registry.db"
	first := openStore(t, path, store.Options{})
	addAcme(t, first)
	ids := []string{"a-required", "a-optional"}
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	var uses lanes.UsageRecorder
	// The writer's context ends when its transaction begins, and a call comes in.
	ctx, cancel := context.WithCancel(t.Context())
	s := openStore(t, path, store.Options{Trace: func(statement string) {
		if statement == "BEGIN" && ctx.Err() == nil {
			uses.Note(ids[0], noon.Add(time.Hour))
			cancel()
		}
	}})
	used := func() (times []time.Time) {
		must(t, s.View(t.Context(), func(tx registry.Reader) error {
			for _, id := range ids {
				k, err := tx.APIKey(id)
				must(t, err)
				times = append(times, k.LastUsed)
			}
			return nil
		}))
		return times
	}
	uses.Note(ids[0], noon)
	uses.Note(ids[1], noon.Add(59*time.Second))
	if err := uses.Write(ctx, s); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if got := used(); !got[0].IsZero() || !got[1].IsZero() {
		t.Fatalf("written all the same: %v", got)
	}
	must(t, uses.Write(t.Context(), s))
	if got := used(); !got[0].Equal(noon.Add(time.Hour)) || !got[1].Equal(noon) {
		t.Errorf("last used %v", got)
	}
	must(t, uses.Write(ctx, s)) // nothing is left to write
}
