// Package admission decides who is served next where more work waits than can be done at once.
//
// A [Gate] has a number of places. As long as one is free, nobody waits. When all are taken, those who
// wait are served in this order:
//
//  1. Answers, and then requests, and then requests that go [Last].
//  2. The partner that has the fewest places; of several, the one whose last turn is longest ago.
//  3. The source whose last turn is longest ago, where a partner has several.
//  4. The one who waits longest.
//
// So a partner with a thousand waiting requests delays the next one of another partner by one turn.
package admission

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Party is who asks for a place.
type Party struct {
	// Partner is on whose account the work is.
	Partner string
	// Source tells senders apart who use one partner's account and are not identified: their network.
	Source string
}

// Order says when somebody who waits is served.
type Order int

// The orders, the first one first.
const (
	// Answer is for a request that was processed already. It waits as long as its context.
	Answer Order = iota
	// Request is for a request that nobody has processed yet.
	Request
	// Last is for a request of somebody whose requests failed too often. It is served when no
	// other waits.
	Last
	orders
)

// ErrBusy is returned when no place was free in time.
var ErrBusy = errors.New("no place was free in time: too many messages wait")

// Gate has a number of places. It is safe for concurrent use.
type Gate struct {
	mu      sync.Mutex
	places  int
	wait    time.Duration
	taken   int
	held    map[string]int // by partners, those that hold any
	waiting [orders]queue
}

// NewGate returns a gate with a number of places. A request waits for one for the time wait at most.
func NewGate(places int, wait time.Duration) *Gate {
	g := &Gate{held: map[string]int{}}
	g.Set(places, wait)
	return g
}

// Set changes the number of places and the time that requests wait, for those who come from now on.
// Places that are taken stay so.
func (g *Gate) Set(places int, wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.places, g.wait = places, wait
	g.serve()
}

// Enter waits for a place, and returns a function that releases it; to call it again does nothing. The
// error is ErrBusy, or that of a context which ended first.
func (g *Gate) Enter(ctx context.Context, who Party, order Order) (leave func(), err error) {
	g.mu.Lock()
	if g.taken < g.places { // then nobody waits
		w := &waiter{partner: who.Partner}
		g.admit(w)
		g.mu.Unlock()
		return func() { g.leave(w) }, nil
	}
	w, wait := g.waiting[order].add(who), g.wait
	g.mu.Unlock()

	leave = func() { g.leave(w) }
	var late <-chan time.Time
	if order != Answer {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-w.admitted:
		return leave, nil
	case <-late:
		err = ErrBusy
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.in == nil { // the turn came at the same moment
		return leave, nil
	}
	w.remove()
	return nil, err
}

// serve assigns free places to those whose turn it is.
func (g *Gate) serve() {
	for i := 0; i < len(g.waiting) && g.taken < g.places; {
		w := g.waiting[i].next(g.held)
		if w == nil {
			i++
			continue
		}
		g.admit(w)
		close(w.admitted)
	}
}

// admit assigns a place.
func (g *Gate) admit(w *waiter) {
	w.holds = true
	g.taken++
	g.held[w.partner]++
}

// leave releases a place.
func (g *Gate) leave(w *waiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !w.holds {
		return
	}
	w.holds = false
	g.taken--
	if g.held[w.partner]--; g.held[w.partner] == 0 {
		delete(g.held, w.partner)
	}
	g.serve()
}

// Usage is how a gate is used at a moment.
type Usage struct{ Places, Taken, Waiting int }

// Usage returns how the gate is used.
func (g *Gate) Usage() Usage {
	g.mu.Lock()
	defer g.mu.Unlock()
	u := Usage{Places: g.places, Taken: g.taken}
	for i := range g.waiting {
		u.Waiting += g.waiting[i].waiting
	}
	return u
}
