package sealhttp

import (
	"context"
	"sync"

	"github.com/sealane/sealane"
)

// The default limits.
const (
	DefaultMaxInFlight = 256
	DefaultMaxHeld     = 256 << 20 // bytes
)

// Limits bound what sealed messages hold at a time: those of all Handlers and Transports that have the same
// Limits. The zero value has the defaults. Limits are safe for concurrent use.
//
// Each account may hold three quarters of what the others leave: one that is alone can use most of it, and there
// is always space for one more.
type Limits struct {
	mu       sync.Mutex
	most     holding
	perLane  holding // 0: the share
	share    func(context.Context, *sealane.Lane) Share
	all      holding
	accounts map[string]*account // those that hold anything
	large    *reservation        // the one that exceeds the limits, or nil
}

// Share says on whose account a message is.
type Share struct {
	// Account is whose message it is. The default is the lane's name.
	Account string
	// Source tells senders apart who use one account and are not identified. Each of them has a share of
	// the account's. If it is empty, the account is not divided.
	Source string
}

// Set sets how many sealed requests are opened, served or sealed at a time, and how many bytes of memory they
// hold; 0 is the default. share returns on whose account a message is; nil is the lane's. What is held already
// stays and counts.
func (l *Limits) Set(maxInFlight int, maxHeld int64, share func(context.Context, *sealane.Lane) Share) {
	if maxInFlight <= 0 {
		maxInFlight = DefaultMaxInFlight
	}
	if maxHeld <= 0 {
		maxHeld = DefaultMaxHeld
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.most, l.share = holding{maxInFlight, maxHeld / 2, maxHeld / 2}, share
}

// account is what one account holds.
type account struct {
	holding
	sources map[string]*holding // those that hold anything
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

// shareOf returns what one may hold of a limit: three quarters, rounded up, of what the others leave. all is
// what all hold, and own is its part of that.
func shareOf(limit, all, own holding) holding {
	limit.add(all, -1)
	limit.add(own, 1)
	return holding{
		(3*limit.places + 3) / 4, (3*limit.requests + 3) / 4, (3*limit.responses + 3) / 4,
	}
}

// allows reports whether a request may hold more.
func (l *Limits) allows(r *reservation, more holding) bool {
	if l.all.exceeds(more, l.most) {
		return false
	}
	of := l.account(r.share.Account)
	limit := shareOf(l.most, l.all, of.holding)
	if n := l.perLane.places; n > 0 {
		limit.places = n
	}
	if n := l.perLane.requests; n > 0 {
		limit.requests, limit.responses = n, n
	}
	if of.exceeds(more, limit) {
		return false
	}
	if r.share.Source == "" {
		return true
	}
	source := of.source(r.share.Source)
	return !source.exceeds(more, shareOf(limit, of.holding, *source))
}

// account returns what an account holds.
func (l *Limits) account(name string) *account {
	if a := l.accounts[name]; a != nil {
		return a
	}
	return &account{}
}

// source returns what a source holds.
func (a *account) source(name string) *holding {
	if s := a.sources[name]; s != nil {
		return s
	}
	return &holding{}
}

// count adds or subtracts what a request holds. The bytes of the large one count only for
// itself.
func (l *Limits) count(r *reservation, what holding, sign int) {
	r.own.add(what, sign)
	if l.large == r {
		what = holding{places: what.places}
	}
	l.add(r, what, sign)
}

func (l *Limits) add(r *reservation, what holding, sign int) {
	if what == (holding{}) {
		return
	}
	if l.accounts == nil {
		l.accounts = map[string]*account{}
	}
	name, of := r.share.Account, l.account(r.share.Account)
	l.accounts[name] = of
	l.all.add(what, sign)
	of.add(what, sign)
	if key := r.share.Source; key != "" {
		source := of.source(key)
		if of.sources == nil {
			of.sources = map[string]*holding{}
		}
		of.sources[key] = source
		if source.add(what, sign); *source == (holding{}) {
			delete(of.sources, key)
		}
	}
	if of.holding == (holding{}) {
		delete(l.accounts, name)
	}
}
