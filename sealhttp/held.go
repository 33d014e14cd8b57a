package sealhttp

import (
	"sync"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
)

// The limits of a Handler where none are given.
const (
	DefaultMaxInFlight = 256
	DefaultMaxHeld     = 256 << 20 // bytes
)

// limits bounds what all requests of a Handler hold at once, and what those of one
// lane do.
type limits struct {
	mu    sync.Mutex
	all   holding
	lanes map[string]*holding // those that hold anything
}

// holding is what requests hold: places among those that are served, and bytes of
// memory for bodies, payloads and sealed responses.
type holding struct {
	places int
	bytes  int64
}

// reservation is what one request holds. It is used by one goroutine at a time.
type reservation struct {
	h      *Handler
	lane   *sealane.Lane
	own    holding
	served bool // the service was called
}

func (h *Handler) reserve(lane *sealane.Lane) *reservation { return &reservation{h: h, lane: lane} }

// most returns the limits of the Handler, and of one lane.
func (h *Handler) most() (all, lane holding) {
	all = holding{h.MaxInFlight, h.MaxHeld}
	if all.places <= 0 {
		all.places = DefaultMaxInFlight
	}
	if all.bytes <= 0 {
		all.bytes = DefaultMaxHeld
	}
	lane = holding{h.MaxInFlightPerLane, h.MaxHeldPerLane}
	if lane.places <= 0 {
		lane.places = (all.places + 1) / 2
	}
	if lane.bytes <= 0 {
		lane.bytes = all.bytes / 2
	}
	return all, lane
}

// enter takes a place. It returns an error that wraps ErrUnavailable where there is none.
func (r *reservation) enter() error { return r.take(holding{places: 1}) }

// serving says that the service is called.
func (r *reservation) serving() { r.served = true }

// leave gives the place back, and keeps the bytes.
func (r *reservation) leave() { r.giveBack(holding{places: r.own.places}) }

// grow takes n more bytes. It returns an error that wraps ErrUnavailable where there
// is no room. One request that holds more than its share is served all the same while
// nobody else needs the room.
func (r *reservation) grow(n int) error { return r.take(holding{bytes: int64(n)}) }

// shrink gives n bytes back.
func (r *reservation) shrink(n int) { r.giveBack(holding{bytes: int64(n)}) }

// release gives everything back.
func (r *reservation) release() { r.giveBack(r.own) }

func (r *reservation) take(more holding) error {
	l := &r.h.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	name := r.lane.Name()
	mine := l.lanes[name]
	if mine == nil {
		mine = &holding{}
	}
	most, share := r.h.most()
	if !r.served { // the other half is for responses: a request that was processed should get its own
		most.bytes, share.bytes = most.bytes/2, share.bytes/2
	}
	fits := func(have, limit holding) bool {
		return (more.places == 0 || have.places+more.places <= limit.places) &&
			(more.bytes == 0 || have.bytes+more.bytes <= limit.bytes)
	}
	alone := more.places == 0 && l.all.bytes == r.own.bytes
	aloneOnLane := more.places == 0 && mine.bytes == r.own.bytes
	if !alone && (!fits(l.all, most) || !aloneOnLane && !fits(*mine, share)) {
		return failure(r.lane, sealane.OpOpen, sealane.ErrUnavailable, fault.Busy, "")
	}
	if l.lanes == nil {
		l.lanes = map[string]*holding{}
	}
	l.lanes[name] = mine
	for _, h := range []*holding{&l.all, mine, &r.own} {
		h.places += more.places
		h.bytes += more.bytes
	}
	return nil
}

func (r *reservation) giveBack(less holding) {
	l := &r.h.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	name := r.lane.Name()
	mine := l.lanes[name]
	if mine == nil {
		return // nothing was taken
	}
	for _, h := range []*holding{&l.all, mine, &r.own} {
		h.places -= less.places
		h.bytes -= less.bytes
	}
	if *mine == (holding{}) {
		delete(l.lanes, name)
	}
}

// buffer collects bytes whose memory it reserves before it allocates. The zero value
// without a reservation reserves nothing.
type buffer struct {
	held *reservation
	data []byte
}

const firstBuffer = 4 << 10

// Write appends p, or nothing where there is no room for it.
func (b *buffer) Write(p []byte) (int, error) {
	if err := b.room(len(p), 0); err != nil {
		return 0, err
	}
	b.data = append(b.data, p...)
	return len(p), nil
}

// room makes room for n more bytes. It doubles the buffer, but to no more than upTo
// bytes where that is enough: so a declared length takes no memory before bytes come.
func (b *buffer) room(n, upTo int) error {
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

// drop gives the memory back. Nothing may refer to it any more.
func (b *buffer) drop() {
	if b.held != nil {
		b.held.shrink(cap(b.data))
	}
	b.data = nil
}
