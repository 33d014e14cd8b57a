package gateway

import (
	"context"
	"sync"
	"time"
)

const (
	clockEvery = 30 * time.Second // how often the clocks are compared
	clockJump  = time.Minute      // how much they may differ then
)

// clocks returns the wall clock, and a clock that nobody sets. Both are read at once: a process that is
// stopped between two readings would see a jump.
type clocks func() (wall time.Time, steady time.Duration)

// systemClocks are those of the machine.
func systemClocks() clocks {
	start := time.Now()
	return func() (time.Time, time.Duration) {
		now := time.Now()
		return now.Round(0), now.Sub(start)
	}
}

// clockWatch notices that the wall clock jumps. What it decides by the date would be wrong then, such as
// when a certificate has ended. On most systems the steady clock stands still while the machine sleeps, so that is
// a jump, too.
type clockWatch struct {
	read clocks

	mu     sync.Mutex
	wall   time.Time // as they were last
	steady time.Duration
}

func newClockWatch(read clocks) *clockWatch {
	w := &clockWatch{read: read}
	w.wall, w.steady = read()
	return w
}

// jumped returns how far the wall clock has gone since the last time, beyond the steady one. It is
// negative if the wall clock was set back.
func (w *clockWatch) jumped() (by time.Duration, wall time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wall, steady := w.read()
	by = wall.Sub(w.wall) - (steady - w.steady)
	w.wall, w.steady = wall, steady
	return by, wall
}

// CheckClock compares the wall clock with one that nobody sets, as Run does all the time. A jump of
// more than a minute since the last time is an alarm.
func (g *Gateway) CheckClock() {
	by, wall := g.clock.jumped()
	if by.Abs() <= clockJump {
		return
	}
	direction := "forward"
	if by < 0 {
		direction = "back"
	}
	g.metrics.clockJumps.WithLabelValues(direction).Inc()
	g.log.Error("the wall clock has jumped: it was set, or the machine slept; check the date and NTP",
		"direction", direction, "by", by.Abs().Round(time.Second).String(), "now", wall.UTC().Format(time.RFC3339))
}

// watchClock compares the clocks until run ends.
func (g *Gateway) watchClock(run context.Context) {
	ticks := time.NewTicker(clockEvery)
	defer ticks.Stop()
	for {
		select {
		case <-run.Done():
			return
		case <-ticks.C:
			g.CheckClock()
		}
	}
}
