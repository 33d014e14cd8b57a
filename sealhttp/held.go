package sealhttp

import (
	"errors"
	"sync"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
)

// The default limits of a Handler.
const (
	DefaultMaxInFlight = 256
	DefaultMaxHeld     = 256 << 20 // bytes
)

// limits bounds what all requests of a Handler hold together, and what those of one lane
// hold.
type limits struct {
	mu    sync.Mutex
	all   holding
	lanes map[string]*holding // those that hold anything
	large *reservation        // the one that exceeds the limits, or nil
}

// holding is what requests hold: places among those that are opened, served or sealed, and
// bytes of memory, for requests and for responses.
type holding struct {
	places              int
	requests, responses int64
}

// bytes returns h without its places.
func (h holding) bytes() holding { return holding{requests: h.requests, responses: h.responses} }

// exceeds reports whether h plus more is over a limit that more counts towards.
func (h holding) exceeds(more, limit holding) bool {
	return more.places > 0 && h.places+more.places > limit.places ||
		more.requests > 0 && h.requests+more.requests > limit.requests ||
		more.responses > 0 && h.responses+more.responses > limit.responses
}

func (h *holding) add(more holding, sign int) {
	h.places += sign * more.places
	h.requests += int64(sign) * more.requests
	h.responses += int64(sign) * more.responses
}

// most returns the limits of the Handler and of one lane. Requests and responses have half
// of the bytes each, so that neither can use up the other's.
func (h *Handler) most() (all, lane holding) {
	bytes := h.MaxHeld
	if bytes <= 0 {
		bytes = DefaultMaxHeld
	}
	all = holding{h.MaxInFlight, bytes / 2, bytes / 2}
	if all.places <= 0 {
		all.places = DefaultMaxInFlight
	}
	share := h.MaxHeldPerLane
	if share <= 0 {
		share = bytes / 2
	}
	lane = holding{h.MaxInFlightPerLane, share / 2, share / 2}
	if lane.places <= 0 {
		lane.places = (all.places + 1) / 2
	}
	return all, lane
}

// reservation is what one request holds. It is safe for concurrent use: a service may
// write after it has returned.
type reservation struct {
	h    *Handler
	lane *sealane.Lane

	// Guarded by limits.mu.
	own      holding
	served   bool // the service was called
	released bool
}

func (h *Handler) reserve(lane *sealane.Lane) *reservation { return &reservation{h: h, lane: lane} }

// enter takes a place. It returns an error that wraps ErrUnavailable if there is none.
func (r *reservation) enter() error { return r.take(func() holding { return holding{places: 1} }) }

// serving records that the service is called: from now on, bytes are those of the response.
func (r *reservation) serving() {
	r.h.limits.mu.Lock()
	defer r.h.limits.mu.Unlock()
	r.served = true
}

// leave releases the place, and keeps the bytes.
func (r *reservation) leave() { r.giveBack(func() holding { return holding{places: r.own.places} }) }

// grow reserves n more bytes. It returns an error that wraps ErrUnavailable if there is no
// space.
func (r *reservation) grow(n int) error { return r.take(func() holding { return r.bytes(n) }) }

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

// take reserves what more returns. One request at a time may exceed the limits, so that the
// largest message can be served; what it holds takes no space from others.
func (r *reservation) take(more func() holding) error {
	l := &r.h.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.released {
		return errReleased
	}
	what, mine := more(), l.lane(r.lane.Name())
	most, share := r.h.most()
	if l.large != r && (l.all.exceeds(what, most) || mine.exceeds(what, share)) {
		if what.places > 0 || l.large != nil {
			return failure(r.lane, sealane.OpOpen, sealane.ErrUnavailable, fault.Busy, "")
		}
		l.large = r
		for _, h := range []*holding{&l.all, mine} {
			h.add(r.own.bytes(), -1)
		}
	}
	l.count(r, what, 1)
	return nil
}

// giveBack releases what less returns.
func (r *reservation) giveBack(less func() holding) {
	l := &r.h.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count(r, less(), -1)
	if r.released && l.large == r {
		l.large = nil
	}
}

// lane returns what a lane holds.
func (l *limits) lane(name string) *holding {
	if l.lanes == nil {
		l.lanes = map[string]*holding{}
	}
	if l.lanes[name] == nil {
		l.lanes[name] = &holding{}
	}
	return l.lanes[name]
}

// count adds or subtracts what a request holds. The bytes of the large one count only for
// itself.
func (l *limits) count(r *reservation, what holding, sign int) {
	r.own.add(what, sign)
	if l.large == r {
		what = holding{places: what.places}
	}
	name := r.lane.Name()
	l.all.add(what, sign)
	mine := l.lane(name)
	mine.add(what, sign)
	if *mine == (holding{}) {
		delete(l.lanes, name)
	}
}

// buffer collects bytes whose memory it reserves before it allocates. Without a
// reservation it reserves nothing.
type buffer struct {
	held *reservation
	data []byte
}

const firstBuffer = 4 << 10

// Write appends p, or nothing if there is no space for it.
func (b *buffer) Write(p []byte) (int, error) {
	if err := b.grow(len(p), 0); err != nil {
		return 0, err
	}
	b.data = append(b.data, p...)
	return len(p), nil
}

// grow makes space for n more bytes. It doubles the buffer, but to no more than upTo bytes
// if that is enough, so that a declared length reserves no memory before bytes arrive.
func (b *buffer) grow(n, upTo int) error {
	need := len(b.data) + n
	if need <= cap(b.data) {
		return nil
	}
	size := max(2*cap(b.data), firstBuffer)
	if upTo > 0 {
		size = min(size, upTo)
	}
	size = max(size, need)
	if b.held != nil {
		if err := b.held.grow(size); err != nil {
			return err
		}
		defer b.held.shrink(cap(b.data))
	}
	grown := make([]byte, len(b.data), size)
	copy(grown, b.data)
	b.data = grown
	return nil
}

// drop frees the memory. The caller must hold no reference to it.
func (b *buffer) drop() {
	if b.held != nil {
		b.held.shrink(cap(b.data))
	}
	b.data = nil
}
