package renewal_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
	"github.com/sealane/sealane/internal/store"
	"github.com/sealane/sealane/internal/store/pgtest"
)

// crashChild runs a pass, and is killed at the statement whose number it was given: nothing is flushed,
// rolled back or closed.
func crashChild(address string) {
	left := len(os.Getenv("SEALANE_CRASH_AT"))
	ctx, counting := context.Background(), false
	db, err := store.Open(ctx, address, store.Options{Trace: func(string) {
		if !counting {
			return
		}
		if left--; left == 0 {
			os.Stdout.WriteString("killed here\n")
			self, err := os.FindProcess(os.Getpid())
			dieOf(err)
			dieOf(self.Kill())
			select {}
		}
	}})
	dieOf(err)
	now, err := time.Parse(time.RFC3339, os.Getenv("SEALANE_CRASH_TIME"))
	dieOf(err)
	r := &registry.Registry{Store: db, Now: func() time.Time { return now }}
	counting = true
	_, err = (&renewal.Scheduler{Registry: r, Holder: "one"}).Pass(ctx)
	dieOf(err)
	os.Exit(0)
}

func dieOf(err error) {
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
}

// A scheduler is killed at each statement of a pass that activates what was ordered, plans the mail, or
// retires the old certificate. All is as before or as after it, and the next pass does the rest.
func TestPassKilled(t *testing.T) {
	for name, address := range map[string]func(testing.TB) string{
		"sqlite":   func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "registry.db") },
		"postgres": pgtest.URL,
	} {
		for range proof(1, 3) {
			killPasses(t, name, address)
		}
	}
}

func killPasses(t *testing.T, name string, address func(testing.TB) string) {
	t.Run(name, func(t *testing.T) {
		at := address(t)
		h := newCompany(t, at)
		lane := lanes.Name{Partner: "acme", Environment: "PROD"}
		h.partner("acme", "riskos", sealane.ServerSide, "PROD",
			registry.Rotation{Slots: 2, Quiet: 2, Retire: registry.RetireDo})
		first := h.approved(lane, h.certificate(2048, 700))
		h.must(exchange.New(h.anna).Activate(t.Context(), first))
		second := h.approved(lane, h.certificate(2048, 720))
		h.node("one", h.head())
		h.pass() // it is staged
		h.node("one", h.head())
		h.pass()
		ordered := h.now.Add(time.Minute)
		h.must(h.order(renewal.Name{ID: second}, ordered))
		h.now = ordered
		kills := h.killedUntil(at, first, second, "active staged", "retiring active", "")
		h.node("one", h.head())
		h.pass()
		h.now = h.now.Add(renewal.DefaultDrain)
		kills += h.killedUntil(at, first, second, "retiring active", "retiring active", registry.RenewalTold)
		n := h.wantStep(second, registry.RenewalTold)
		h.must(only(renewal.New(h.anna).Sent(t.Context(), renewal.Name{ID: n.ID})))
		for range 2*24 + 6 { // until the second whole day is watched nearly long enough
			h.now = h.now.Add(time.Hour)
			h.node("one", h.head())
			h.pass()
		}
		h.now = h.now.Add(time.Hour)
		kills += h.killedUntil(at, first, second, "retiring active", "retired active", registry.RenewalDone)
		if kills < 100 {
			t.Errorf("only %d kills", kills)
		}
		t.Logf("%d kills", kills)
	})
}

func (h *company) states(a, b string) string { return string(h.state(a)) + " " + string(h.state(b)) }

// killedUntil kills a pass at each of its statements in turn, until one is done that ends with some
// states and, where it is given, in a step. It returns how often it has killed.
func (h *company) killedUntil(
	address, first, second, before, after string, step registry.RenewalStep,
) (kills int) {
	h.t.Helper()
	executable, err := os.Executable()
	h.must(err)
	for k := 1; ; k++ {
		if k > 500 {
			h.t.Fatal("the pass never ends")
		}
		h.node("one", h.head())
		c := exec.CommandContext(h.t.Context(), executable)
		c.Env = append(os.Environ(), "SEALANE_CRASH="+address, "SEALANE_CRASH_AT="+strings.Repeat("x", k),
			"SEALANE_CRASH_TIME="+h.now.Format(time.RFC3339))
		out, err := c.CombinedOutput()
		killed := strings.Contains(string(out), "killed here")
		if err != nil && !killed {
			h.t.Fatalf("%v: %s", err, out)
		}
		is := h.states(first, second)
		if killed {
			kills++
		}
		if k == 1 && is != before {
			h.t.Errorf("killed at the first statement: %s, want %s", is, before)
		}
		if is != before && is != after {
			h.t.Errorf("killed at statement %d: %s, want %s or %s", k, is, before, after)
		}
		report, err := h.VerifyRows(h.t.Context())
		h.must(err)
		if !report.Holds {
			h.t.Errorf("killed at statement %d: %+v", k, report.Findings)
		}
		if !killed {
			if is != after || step != "" && h.renewal(second).Step != step {
				h.t.Errorf("the last pass leaves %s and %s, want %s", is, h.renewal(second).Step, after)
			}
			return kills
		}
	}
}
