package gateway_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// traffic sends messages on all paths of a world until it is stopped.
type traffic struct {
	*world
	sent event // messages that have ended
	stop func()

	passing sync.RWMutex // is held for reading by each message

	appointed atomic.Bool // the path by appointment may fail

	mu     sync.Mutex
	failed []error
	lost   map[string]int // of a path by appointment, in its time
	count  map[string]int // by path
}

// run starts senders.
func (w *world) run(seed uint64) *traffic {
	l := &traffic{world: w, lost: map[string]int{}, count: map[string]int{}}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for i := range proof(2, 4) {
		running.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for ctx.Err() == nil {
				l.one(r)
			}
		})
	}
	l.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	w.t.Cleanup(l.stop)
	return l
}

// one sends one message.
func (l *traffic) one(r *rand.Rand) {
	l.passing.RLock()
	defer l.passing.RUnlock()
	p := l.paths[r.IntN(len(l.paths))]
	appointed := p.byAppointment() && l.appointed.Load()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := l.send(ctx, p, r.IntN(len(l.nodes)), r.IntN(len(p.peer.nodes)))
	l.mu.Lock()
	l.count[p.Partner]++
	switch {
	case err == nil:
	case p.byAppointment() && (appointed || l.appointed.Load()):
		l.lost[p.Partner]++
	default:
		l.failed = append(l.failed, err)
	}
	l.mu.Unlock()
	l.sent.happened()
}

// after waits until so many more messages have ended, and fails the test if one was lost.
func (l *traffic) after(n int) {
	l.t.Helper()
	now, _ := l.sent.count()
	l.sent.wait(l.t, now+n)
	l.check("")
}

// drain waits until the messages have ended that have begun until now, as if the longest time of a request had
// passed.
func (l *traffic) drain() {
	l.passing.Lock()
	defer l.passing.Unlock()
}

// check fails the test if a message was lost.
func (l *traffic) check(when string) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.failed) == 0 {
		return
	}
	l.t.Fatalf("%d messages failed %s; the first: %v\n%s", len(l.failed), when, l.failed[0], l.registered())
}
