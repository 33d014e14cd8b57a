package gateway

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealane/sealane/internal/lanes"
)

// wholeCheck is a reading of all lanes to see whether anything was missed, while changes are read as ever.
// There is one at a time.
type wholeCheck struct {
	busy   atomic.Bool
	done   sync.WaitGroup
	result atomic.Pointer[wholeResult]

	read *lanes.Snapshot // that of the last check, until it is in force
}

type wholeResult struct {
	snapshot *lanes.Snapshot
	missed   []string
	err      error
}

const (
	readEvery = 10 * time.Minute // how often all is read
	readAgain = time.Minute      // how soon after a failure
)

// startCheck reads all lanes in the background and compares them with a snapshot, unless that is being done.
func (r *registry) startCheck(ctx context.Context, from *lanes.Snapshot, now time.Time) {
	if !r.check.busy.CompareAndSwap(false, true) {
		return
	}
	r.check.done.Go(func() {
		reading, cancel := context.WithTimeout(ctx, readTime)
		defer cancel()
		var one wholeResult
		one.snapshot, one.missed, one.err = r.reader.Check(reading, from, now)
		r.check.result.Store(&one)
	})
}

// endCheck returns the snapshot of a check that has ended and is not in force, or nil. The next snapshot must be
// made from it: then what was missed gets in force, and nothing newer gets out of force.
func (r *registry) endCheck(now time.Time) *lanes.Snapshot {
	one := r.check.result.Swap(nil)
	if one == nil {
		return r.check.read
	}
	r.checked = now
	r.check.busy.Store(false)
	switch {
	case one.err != nil:
		r.checked = now.Add(readAgain - readEvery)
		r.log.Warn("not all lanes could be read again to see whether anything was missed", "reason", one.err.Error())
	case len(one.missed) > 0:
		r.log.Error("the registry was changed in the database itself: no record of the audit log has this",
			"lanes", strings.Join(one.missed, ", "))
	}
	r.check.read = one.snapshot
	return r.check.read
}
