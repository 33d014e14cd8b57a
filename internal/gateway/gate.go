package gateway

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/sealhttp"
)

// gate bounds how many messages are sealed or opened at once: private RSA operations are what a message
// costs. Those who wait to seal an answer go first: its request was processed.
type gate struct {
	places int           // in all
	queue  time.Duration // how long a message waits to be opened

	mu      sync.Mutex
	free    int
	sealing list.List // of chan struct{}, closed when its turn comes
	opening list.List
}

func newGate(places int, queue time.Duration) *gate {
	return &gate{places: places, free: places, queue: queue}
}

var errQueue = errors.New("too many messages wait to be opened")

// admit is the Admit of sealhttp.Hooks.
func (g *gate) admit(ctx context.Context, _ *sealane.Lane, step sealhttp.Step) (release func(), err error) {
	g.mu.Lock()
	if g.free > 0 {
		g.free--
		g.mu.Unlock()
		return g.release, nil
	}
	line := &g.opening
	if step == sealhttp.StepSeal {
		line = &g.sealing
	}
	turn := make(chan struct{})
	waiting := line.PushBack(turn)
	g.mu.Unlock()

	var late <-chan time.Time
	if step == sealhttp.StepOpen {
		timer := time.NewTimer(g.queue)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-turn:
		return g.release, nil
	case <-late:
		err = errQueue
	case <-ctx.Done():
		err = ctx.Err()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-turn: // it came at the same moment
		return g.release, nil
	default:
	}
	line.Remove(waiting)
	return nil, err
}

// release passes the place to the next in line, or frees it.
func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, line := range []*list.List{&g.sealing, &g.opening} {
		if first := line.Front(); first != nil {
			close(line.Remove(first).(chan struct{}))
			return
		}
	}
	g.free++
}
