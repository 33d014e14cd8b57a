package sealhttp

import (
	"context"
	"errors"
	"io"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
)

// reservation is what one request holds. It is safe for concurrent use: a service may
// write after it has returned. A nil one is not limited.
type reservation struct {
	limits *Limits
	lane   *sealane.Lane
	share  Share

	// Guarded by limits.mu.
	own      holding
	served   bool // the service was called
	released bool
}

// reserve returns a reservation that holds nothing yet, or nil if l is nil.
func (l *Limits) reserve(ctx context.Context, lane *sealane.Lane) *reservation {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	if l.most == (holding{}) {
		l.most = holding{DefaultMaxInFlight, DefaultMaxHeld / 2, DefaultMaxHeld / 2}
	}
	share := l.share
	l.mu.Unlock()
	r := &reservation{limits: l, lane: lane}
	if share != nil {
		r.share = share(ctx, lane)
	}
	if r.share.Account == "" {
		r.share.Account = lane.Name()
	}
	return r
}

// enter takes a place. It returns an error that wraps ErrUnavailable if there is none.
func (r *reservation) enter() error {
	return r.take(func() holding { return holding{places: 1} }, "too many sealed requests are served at the moment")
}

// serving records that the service is called, or the request sent: from now on, bytes are those of the response.
func (r *reservation) serving() {
	if r == nil {
		return
	}
	r.limits.mu.Lock()
	defer r.limits.mu.Unlock()
	r.served = true
}

// again releases a response, and n bytes of the request that was sent: it will be sealed and sent again.
func (r *reservation) again(n int) {
	r.giveBack(func() holding {
		r.served = false
		return holding{requests: min(int64(n), r.own.requests), responses: r.own.responses}
	})
}

// leave releases the place, and keeps the bytes.
func (r *reservation) leave() { r.giveBack(func() holding { return holding{places: r.own.places} }) }

// grow reserves n more bytes. It returns an error that wraps ErrUnavailable if there is no
// space.
func (r *reservation) grow(n int) error {
	return r.take(func() holding { return r.bytes(n) }, "too many bytes of messages are held at the moment")
}

// shrink releases n bytes of what was taken for the request or for the response.
func (r *reservation) shrink(n int) { r.giveBack(func() holding { return r.bytes(n) }) }

func (r *reservation) bytes(n int) holding {
	if r.served {
		return holding{responses: int64(n)}
	}
	return holding{requests: int64(n)}
}

// release releases everything. After that nothing can be reserved.
func (r *reservation) release() {
	r.giveBack(func() holding { r.released = true; return r.own })
}

var errReleased = errors.New("the request has been answered")

// take reserves what more returns, or returns an error with that reason. One request at a time may exceed the
// limits, so that the largest message can be served; what it holds takes no space from others.
func (r *reservation) take(more func() holding, reason string) error {
	if r == nil {
		return nil
	}
	l := r.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.released {
		return errReleased
	}
	what := more()
	if !l.allows(r, what) && l.large != r {
		if what.places > 0 || l.large != nil {
			return failure(r.lane, sealane.OpReadBody, sealane.ErrUnavailable, fault.Busy, reason)
		}
		l.add(r, r.own.bytes(), -1)
		l.large = r
	}
	l.count(r, what, 1)
	return nil
}

// giveBack releases what less returns.
func (r *reservation) giveBack(less func() holding) {
	if r == nil {
		return
	}
	l := r.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count(r, less(), -1)
	if r.released && l.large == r {
		l.large = nil
	}
}

// Reader returns a reader for a message that is carried by something other than this package, and a function that
// releases what it holds: so many bytes for each that was read. An error wraps [sealane.ErrUnavailable] if there
// is no space.
func (l *Limits) Reader(
	ctx context.Context, lane *sealane.Lane, message io.Reader, forEach int,
) (held io.Reader, release func()) {
	r := l.reserve(ctx, lane)
	return &heldReader{message, r, forEach}, r.release
}

type heldReader struct {
	io.Reader
	held    *reservation
	forEach int
}

func (r *heldReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if full := r.held.grow(n * r.forEach); full != nil {
		return 0, full
	}
	return n, err
}
