package gateway_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/internal/lanes"
)

// event counts how often something happens, and wakes those who wait for it.
type event struct {
	mu   sync.Mutex
	n    int
	next chan struct{} // is closed by the next one; nil: nobody waits
}

func (e *event) happened() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.n++
	if e.next != nil {
		close(e.next)
		e.next = nil
	}
}

// count returns how often it happened, and a channel that the next one closes.
func (e *event) count() (n int, next <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.next == nil {
		e.next = make(chan struct{})
	}
	return e.n, e.next
}

// wait waits until it has happened n times.
func (e *event) wait(t *testing.T, n int) {
	t.Helper()
	for tooLate := time.After(time.Minute); ; {
		count, next := e.count()
		if count >= n {
			return
		}
		select {
		case <-next:
		case <-tooLate:
			t.Fatalf("it happened %d times in a minute, and not %d times", count, n)
		}
	}
}

// questions are those of a gateway for the version of its registry.
type questions struct{ event }

// read waits until the gateway has taken what is in the registry now: the next question is asked after now, and
// the one behind it when the answer was taken.
func (q *questions) read(t *testing.T) {
	t.Helper()
	n, _ := q.count()
	q.wait(t, n+2)
}

// watched is a registry that counts the questions of a gateway, and how often its lanes were saved.
type watched struct {
	gateway.Registry
	asked *questions
	saved *event
}

// Lanes implements [gateway.Registry].
func (w watched) Lanes() *lanes.Reader {
	r := w.Registry.Lanes()
	r.Store = watchedStore{r.Store, w.asked}
	return r
}

// SaveLanes implements [gateway.Registry].
func (w watched) SaveLanes(path string, r *lanes.Reader, s *lanes.Snapshot, known time.Time) error {
	err := w.Registry.SaveLanes(path, r, s, known)
	if err == nil {
		w.saved.happened()
	}
	return err
}

type watchedStore struct {
	lanes.Store
	asked *questions
}

// Version implements [lanes.Store].
func (s watchedStore) Version(ctx context.Context) (lanes.Version, error) {
	s.asked.happened()
	return s.Store.Version(ctx)
}

// poll tries until something holds that makes no event: another process is in a state, or a goroutine waits.
func poll(t *testing.T, holds func() bool) {
	t.Helper()
	ticks := time.NewTicker(10 * time.Millisecond)
	defer ticks.Stop()
	for tooLate := time.After(time.Minute); !holds(); {
		select {
		case <-ticks.C:
		case <-tooLate:
			t.Fatal("it does not come to that in a minute")
		}
	}
}
