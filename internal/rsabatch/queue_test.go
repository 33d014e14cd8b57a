package rsabatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// occupied runs f in a bubble of synctest while the only place is taken by a lone operation, which
// ends when f calls the function that it receives.
func occupied(t *testing.T, s *setting,
	f func(t *testing.T, e *Engine, k *Key, release func(), wait *sync.WaitGroup)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var wait sync.WaitGroup
		hold, held := make(chan struct{}), false
		s.single = func() {
			if !held {
				held = true
				<-hold
			}
		}
		e := s.engine()
		k := newKey(t, e, testKey(2048))
		wait.Go(func() { signs(t.Context(), t, k, "the first") })
		synctest.Wait()
		f(t, e, k, func() { close(hold) }, &wait)
		wait.Wait()
		synctest.Wait()
		if e.free != 1 {
			t.Errorf("%d places are free at the end", e.free)
		}
	})
}

// record is how many slots each private batch had, by size.
type record struct {
	mu   sync.Mutex
	list []string
}

func (r *record) batches() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.list)
}

// fills returns a kernel that keeps a record of its private batches.
func fills(r *record) *goKernel {
	return &goKernel{before: func(bits int, private bool, slots []Slot) {
		if private {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.list = append(r.list, fmt.Sprint(bits, "x", len(slots)))
		}
	}}
}

// TestBatchForms: what comes alone is performed alone, at once; what comes meanwhile forms batches of
// at most eight, and the rest of fewer than three is performed one by one.
func TestBatchForms(t *testing.T) {
	var kept record
	s := &setting{kernel: fills(&kept)}
	occupied(t, s, func(t *testing.T, e *Engine, k *Key, release func(), wait *sync.WaitGroup) {
		for i := range 10 {
			wait.Go(func() { signs(t.Context(), t, k, fmt.Sprint("message ", i)) })
		}
		synctest.Wait()
		release()
		wait.Wait()
		if want := (Stats{Batches: 1, Batched: 8, Single: 3}); e.Stats() != want {
			t.Errorf("%+v, want %+v", e.Stats(), want)
		}
	})
	if batches := kept.batches(); !slices.Equal(batches, []string{"2048x8"}) {
		t.Errorf("batches %v", batches)
	}
}

// TestLongestWaitingFirst: a flood of one size does not hold up what another waits for.
func TestLongestWaitingFirst(t *testing.T) {
	var kept record
	s := &setting{kernel: fills(&kept)}
	occupied(t, s, func(t *testing.T, e *Engine, k *Key, release func(), wait *sync.WaitGroup) {
		other := newKey(t, e, testKey(3072))
		submit := func(k *Key, n int) {
			for i := range n {
				wait.Go(func() { signs(t.Context(), t, k, fmt.Sprint("message ", i)) })
				synctest.Wait()
			}
		}
		submit(k, 9)
		submit(other, 3)
		submit(k, 23)
		release()
	})
	want := []string{"2048x8", "2048x8", "3072x3", "2048x8", "2048x8"}
	if batches := kept.batches(); !slices.Equal(batches, want) {
		t.Errorf("batches %v, want %v", batches, want)
	}
}

// TestTrickle: at most two batches of a flood pass an operation of another size that is alone.
func TestTrickle(t *testing.T) {
	var kept record
	s := &setting{kernel: fills(&kept)}
	occupied(t, s, func(t *testing.T, e *Engine, k *Key, release func(), wait *sync.WaitGroup) {
		other := newKey(t, e, testKey(3072))
		seen := -1
		wait.Go(func() {
			signs(t.Context(), t, other, "alone")
			seen = len(kept.batches())
		})
		synctest.Wait()
		for i := range 48 {
			wait.Go(func() { signs(t.Context(), t, k, fmt.Sprint("message ", i)) })
		}
		synctest.Wait()
		release()
		wait.Wait()
		if seen < maxPassed || seen > maxPassed+1 { // the next batch may begin before it is woken
			t.Errorf("%d batches passed the one that was alone", seen)
		}
	})
	if batches := kept.batches(); len(batches) != 6 {
		t.Errorf("batches %v", batches)
	}
}

// TestCancelled: an operation that waits ends with its context and leaves its slot to another.
func TestCancelled(t *testing.T) {
	var kept record
	s := &setting{kernel: fills(&kept)}
	occupied(t, s, func(t *testing.T, e *Engine, k *Key, release func(), wait *sync.WaitGroup) {
		ctx, cancel := context.WithCancel(t.Context())
		for range 5 {
			wait.Go(func() {
				_, err := k.SignContext(ctx, make([]byte, 32), ps256)
				if !errors.Is(err, context.Canceled) {
					t.Errorf("cancelled: %v", err)
				}
			})
		}
		synctest.Wait()
		for i := range 8 {
			wait.Go(func() { signs(t.Context(), t, k, fmt.Sprint("message ", i)) })
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		if n := len(e.waiting[class(0, true)]); n != 8 {
			t.Errorf("%d operations wait", n)
		}
		if _, err := k.SignContext(ctx, make([]byte, 32), ps256); !errors.Is(err, context.Canceled) {
			t.Errorf("after the end of its context: %v", err)
		}
		release()
	})
	if batches := kept.batches(); !slices.Equal(batches, []string{"2048x8"}) {
		t.Errorf("batches %v", batches)
	}
}

// TestClosed: a key that is closed finishes what has begun, is wiped once, and does nothing later.
func TestClosed(t *testing.T) {
	s := &setting{kernel: &goKernel{}}
	occupied(t, s, func(t *testing.T, e *Engine, k *Key, release func(), wait *sync.WaitGroup) {
		for i := range 8 {
			wait.Go(func() { signs(t.Context(), t, k, fmt.Sprint("message ", i)) })
		}
		synctest.Wait()
		k.Close()
		k.Close()
		if _, err := k.Sign(nil, make([]byte, 32), ps256); !errors.Is(err, ErrClosed) {
			t.Errorf("after closing: %v", err)
		}
		if s.kernel.closed != 0 {
			t.Error("the numbers are wiped while operations wait")
		}
		release()
		wait.Wait()
		if s.kernel.closed != 1 || k.state.blinding.pair != (factors{}) {
			t.Errorf("the numbers were wiped %d times", s.kernel.closed)
		}
	})
}
