package gateway_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/gateway"
)

// twoClocks are a wall clock and a steady one that a test sets.
type twoClocks struct {
	mu     sync.Mutex
	wall   time.Time
	steady time.Duration
}

func (c *twoClocks) read() (time.Time, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wall, c.steady
}

func (c *twoClocks) pass(wall, steady time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall, c.steady = c.wall.Add(wall), c.steady+steady
}

// TestClockJumps: a wall clock that goes more than a minute further than the steady one, in either direction, is an
// alarm in the log and in the metrics. One that is a little wrong, and a pass that comes late, are not.
func TestClockJumps(t *testing.T) {
	c := &twoClocks{wall: time.Date(2027, 3, 28, 0, 59, 30, 0, time.UTC)}
	g := start(t, "admin: 127.0.0.1:0\n"+egress("http://127.0.0.1:9"), func(_ *running, o *gateway.Options) {
		o.Clocks = c.read
	})
	const year = 365 * 24 * time.Hour
	forward, back := 0, 0
	for _, step := range []struct {
		wall, steady time.Duration
		direction    string
		by           string
	}{
		{30 * time.Second, 30 * time.Second, "", ""},
		{time.Hour, time.Hour, "", ""}, // a pass that comes late
		{90 * time.Second, 30 * time.Second, "", ""},
		{91 * time.Second, 30 * time.Second, "forward", "1m1s"},
		{30 * time.Second, 30 * time.Second, "", ""}, // each jump once
		{-30 * time.Second, 30 * time.Second, "", ""},
		{-31 * time.Second, 30 * time.Second, "back", "1m1s"},
		{time.Hour + 30*time.Second, 30 * time.Second, "forward", "1h0m0s"},
		{-time.Hour + 30*time.Second, 30 * time.Second, "back", "1h0m0s"},
		{2 * year, 0, "forward", "17520h0m0s"},
		{-2 * year, 0, "back", "17520h0m0s"},
		{30 * time.Second, 30*time.Second + 2*time.Minute, "back", "2m0s"}, // stopped, with a wall clock that stood
	} {
		before := len(g.log.String())
		c.pass(step.wall, step.steady)
		g.CheckClock()
		logged := g.log.String()[before:]
		switch step.direction {
		case "forward":
			forward++
		case "back":
			back++
		}
		if alarm := strings.Contains(logged, "the wall clock has jumped"); alarm != (step.direction != "") {
			t.Errorf("%s in %s: the log has %q", step.wall, step.steady, logged)
		} else if alarm {
			for _, want := range []string{
				`"ERROR"`, `"direction":"` + step.direction + `"`, `"by":"` + step.by + `"`,
			} {
				if !strings.Contains(logged, want) {
					t.Errorf("%s in %s: no %s in %q", step.wall, step.steady, want, logged)
				}
			}
		}
	}
	if got := g.metrics(t, "sealane_clock_jumps_total"); !strings.Contains(got, `{direction="back"} 4`) ||
		!strings.Contains(got, `{direction="forward"} 3`) || forward != 3 || back != 4 {
		t.Errorf("%d and %d jumps are counted as %q", forward, back, got)
	}
}

// TestClockOfTheMachine: nobody has set the clock of this machine since the gateway began.
func TestClockOfTheMachine(t *testing.T) {
	g := start(t, "admin: 127.0.0.1:0\n"+egress("http://127.0.0.1:9"))
	g.CheckClock()
	if got := g.metrics(t, "sealane_clock_jumps_total"); !strings.Contains(got, `{direction="back"} 0`) ||
		!strings.Contains(got, `{direction="forward"} 0`) {
		t.Errorf("%q", got)
	}
}
