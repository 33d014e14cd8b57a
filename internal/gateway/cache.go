package gateway

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"
)

// saving is what a registry knows of its cache. Only one goroutine saves at a time.
type saving struct {
	busy atomic.Bool
	done sync.WaitGroup

	began time.Time // when it was saved last
	took  time.Duration
	known time.Time // when the lanes that were saved were known to be the newest
}

const (
	saveEach  = time.Minute      // how often lanes that have changed are saved
	saveAgain = 10 * time.Minute // how often others are, because their time is saved with them
	future    = time.Minute      // by how much the clocks of two starts may differ
)

// save keeps the lanes in the cache, unless they were saved a moment ago. Saving takes at most a
// twentieth of the time.
func (r *registry) save() {
	now, s, known := r.now(), r.snapshot.Load(), r.known.Load()
	if r.cache == "" || s == nil || r.replaced.Load() || r.saving.busy.Load() {
		return
	}
	each := saveAgain
	if s.Taken.After(r.saving.began) {
		each = saveEach
	}
	each = max(min(each, r.settings.StaleAfter.Or(defaultStaleAfter)/10), 20*r.saving.took)
	if known.Equal(r.saving.known) || !r.saving.began.IsZero() && now.Sub(r.saving.began) < each {
		return
	}
	r.saving.began, r.saving.known = now, *known
	r.saving.busy.Store(true)
	r.saving.done.Go(func() {
		began := time.Now()
		if err := r.source.SaveLanes(r.cache, r.reader, s, *known); err != nil {
			r.log.Error("the lanes are not kept in the cache (registry.cache)", "reason", err.Error())
		}
		r.saving.took = time.Since(began)
		r.saving.busy.Store(false)
	})
}

// load takes the lanes of the cache, if they are not too old. How old they are is measured by the
// clock that people set, and from then on by the one that nobody sets.
func (r *registry) load() error {
	s, known, err := r.source.LoadLanes(r.cache, r.reader)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("there is no cache yet (registry.cache)")
	} else if err != nil {
		return err
	}
	now, stale := r.now(), r.settings.StaleAfter.Or(defaultStaleAfter)
	age := now.Round(0).Sub(known.Round(0))
	switch {
	case age < -future:
		return fmt.Errorf("the lanes of the cache are of %s, which is in the future: set the clock",
			known.UTC().Format(time.RFC3339))
	case age > stale:
		return fmt.Errorf("the lanes of the cache are of %s: older than registry.stale_after",
			known.UTC().Format(time.RFC3339))
	}
	of := now.Add(-max(age, 0))
	failed := errors.New("the registry was not reached since the start")
	r.snapshot.Store(s)
	r.known.Store(&of)
	r.failed.Store(&failed)
	return nil
}
