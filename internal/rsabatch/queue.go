package rsabatch

import (
	"cmp"
	"context"
	"runtime"
	"slices"

	"github.com/sealane/sealane/internal/rsapad"
)

// operation is one operation that waits for a batch or is in one. Its memory is its own, so that a
// batch that does not return cannot write to the caller's.
type operation struct {
	class   int
	key     *state // of a private operation
	modulus []byte
	single  rsapad.Raw
	in, out []byte

	arrived uint64
	waits   bool      // in Engine.waiting; guarded by Engine.mu
	done    chan bool // receives once: true if out is the result, false if OpenSSL must repeat it
	failed  error     // of single, if a worker performed it; set before done receives true
}

// perform performs an operation in a batch or with o.single. An operation that waits ends with ctx; one
// that has begun does not.
func (e *Engine) perform(ctx context.Context, o *operation, out, in []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e.mu.Lock()
	if e.off != "" || e.even[o.class] > Slots {
		e.stats.Single++
		e.mu.Unlock()
		return o.single.Raw(out, in)
	}
	numbers := make([]byte, 2*len(in))
	o.in, o.out = numbers[:len(in):len(in)], numbers[len(in):]
	copy(o.in, in) // a batch wipes it, if there is one
	o.done = make(chan bool, 1)
	e.arrived++
	o.arrived, o.waits = e.arrived, true
	e.waiting[o.class] = append(e.waiting[o.class], o)
	leads := e.free > 0
	if leads {
		e.free--
	}
	e.mu.Unlock()

	if leads {
		yield()
		if e.alone(o) {
			defer e.pass()
			clear(o.in)
			return o.single.Raw(out, in)
		}
		e.pass()
	}
	return e.await(ctx, o, out, in)
}

// await waits for the result of an operation that was submitted.
func (e *Engine) await(ctx context.Context, o *operation, out, in []byte) error {
	var done bool
	select {
	case done = <-o.done:
	case <-ctx.Done():
		if e.withdraw(o) {
			clear(o.in)
			return ctx.Err()
		}
		done = <-o.done
	}
	if !done {
		e.mu.Lock()
		e.stats.Single++
		e.mu.Unlock()
		return o.single.Raw(out, in)
	}
	if o.failed == nil {
		copy(out, o.out)
	}
	clear(o.out)
	return o.failed
}

// yield lets goroutines that can run do so, since they may submit operations. Go runs one that was just
// woken before all others; the second call is for those that the first woke.
func yield() {
	runtime.Gosched()
	runtime.Gosched()
}

// alone takes o out of its queue and reports true if o still waits and too few operations wait with it
// for a batch. The others are left for the next batch: to do them first would delay o.
func (e *Engine) alone(o *operation) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !o.waits || len(e.waiting[o.class]) >= e.even[o.class] {
		return false
	}
	e.remove(o)
	e.stats.Single++
	return true
}

// withdraw takes o out of its queue, and reports whether it still waited.
func (e *Engine) withdraw(o *operation) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !o.waits {
		return false
	}
	e.remove(o)
	return true
}

// remove is called with the lock held.
func (e *Engine) remove(o *operation) {
	queue := e.waiting[o.class]
	i := slices.Index(queue, o)
	e.waiting[o.class] = slices.Delete(queue, i, i+1)
	o.waits = false
}

// pass passes the place on to a worker if anything waits, and frees it otherwise.
func (e *Engine) pass() {
	e.mu.Lock()
	waits := e.oldest(1) >= 0
	if !waits {
		e.free++
	}
	e.mu.Unlock()
	if waits {
		go e.work()
	}
}

// work has a place, performs what waits, and ends when nothing waits.
func (e *Engine) work() {
	for {
		taken, together := e.take()
		switch {
		case taken == nil:
			return
		case !together:
			o := taken[0]
			o.failed = o.single.Raw(o.out, o.in)
			clear(o.in)
			o.done <- true
		default:
			e.run(taken)
		}
		yield()
	}
}

// take takes the operation that is next and up to seven of its class together, or that one alone if too
// few wait for a batch. It frees the place and returns nil if nothing waits.
func (e *Engine) take() (taken []*operation, together bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	class := e.next()
	if class < 0 {
		e.free++
		return nil, false
	}
	e.passed[class] = 0
	queue := e.waiting[class]
	n := min(len(queue), Slots)
	together = n >= e.even[class]
	if !together {
		n = 1
		e.stats.Single++
	}
	taken = slices.Clone(queue[:n])
	e.waiting[class] = slices.Delete(queue, 0, n)
	for _, o := range taken {
		o.waits = false
	}
	return taken, together
}

// maxPassed is how many batches may pass an operation that waits longer.
const maxPassed = 2

// next returns the class of the operation that waits longest, or -1. If there are too few of its class
// for a batch, others of another class may pass it, since more of its own class may come. It is called with
// the lock held.
func (e *Engine) next() int {
	oldest := e.oldest(1)
	if oldest < 0 || len(e.waiting[oldest]) >= e.even[oldest] || e.passed[oldest] >= maxPassed {
		return oldest
	}
	full := e.oldest(0)
	if full < 0 {
		return oldest
	}
	e.passed[oldest]++
	return full
}

// oldest returns the class of the operation that waits longest, or -1, among the classes of which that
// many wait; 0 means enough for a batch. It is called with the lock held.
func (e *Engine) oldest(atLeast int) int {
	found := -1
	for class, queue := range e.waiting {
		if len(queue) == 0 || len(queue) < cmp.Or(atLeast, e.even[class]) {
			continue
		}
		if found < 0 || queue[0].arrived < e.waiting[found][0].arrived {
			found = class
		}
	}
	return found
}

// switchOff ends the use of the kernel. What waits is repeated by OpenSSL. It is called with the lock
// held, and returns what to report, or an empty text if the engine is off already.
func (e *Engine) switchOff(reason string) (report string) {
	if e.off != "" {
		return ""
	}
	e.off = reason
	for class, queue := range e.waiting {
		for _, o := range queue {
			o.waits = false
			clear(o.in)
			o.done <- false
		}
		e.waiting[class] = nil
	}
	return "RSA in batches is switched off until the program is started again: " + reason
}
