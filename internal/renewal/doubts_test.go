package renewal_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
	"github.com/sealane/sealane/internal/store"
)

// active makes the renewal of a partner's certificate active on all nodes, with the mail sent.
func (h *company) active(r registry.Rotation) (first, second string) {
	h.t.Helper()
	first, second = h.renewed(r)
	h.must(h.order(renewal.Name{ID: second}, time.Time{}))
	h.node("one", h.head())
	h.pass()
	h.now = h.now.Add(renewal.DefaultDrain)
	h.node("one", h.head())
	h.pass()
	h.must(only(renewal.New(h.anna).Sent(h.t.Context(), renewal.Name{ID: second})))
	return first, second
}

// A partner who sends nothing uses neither key. The schedule does not retire the old one then, also where it
// may: perhaps they have not changed yet.
func TestSilenceIsNoUse(t *testing.T) {
	t.Parallel()
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	first, second := h.active(registry.Rotation{Slots: 2, Quiet: 2, Retire: registry.RetireDo})
	h.uses("one", second, "acme", lanes.Out) // we encrypt to it: this says nothing of theirs
	report := h.hours(4 * 24)
	n := h.wantStep(second, registry.RenewalQuiet)
	if h.state(first) != registry.Retiring || !told(report.Wait, second+" was not seen in use either") {
		t.Errorf("%s, %+v", h.state(first), report.Wait)
	}
	shown, err := renewal.Show(t.Context(), &h.anna.Viewer, renewal.Name{ID: n.ID})
	h.must(err)
	if shown.Next.Waits != "us" || !strings.Contains(shown.Next.Text, "was not seen in use") {
		t.Errorf("next is %+v", shown.Next)
	}
	h.uses("one", second, "acme", lanes.In)
	h.hours(1)
	h.wantStep(second, registry.RenewalDone)
	if h.state(first) != registry.Retired {
		t.Errorf("it is %s", h.state(first))
	}
}

// A clock was ahead while steps were noted. When it is right again, that is named, and the mail does not wait
// until the time that it had.
func TestClockWasAhead(t *testing.T) {
	t.Parallel()
	for _, wrong := range []time.Duration{time.Hour, 100 * 24 * time.Hour} {
		h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
		_, second := h.renewed(registry.Rotation{Slots: 2, Quiet: 2})
		now := h.now
		h.now = now.Add(wrong)
		h.must(h.order(renewal.Name{ID: second}, time.Time{}))
		h.node("one", h.head())
		h.pass()
		h.wantStep(second, registry.RenewalActive)
		h.now = now.Add(time.Minute)
		h.node("one", h.head())
		if report := h.pass(); !told(report.Alarms, "which is in the future: a clock is wrong") {
			t.Errorf("%+v", report)
		}
		n := h.renewal(second)
		if n.Everywhere.After(h.now) || n.ActivatedAt.After(h.now) || n.OverlapUntil.After(h.now.AddDate(0, 0, 90)) {
			t.Errorf("%+v", n)
		}
		h.now = h.now.Add(renewal.DefaultDrain)
		h.node("one", h.head())
		if report := h.pass(); told(report.Alarms, "in the future") {
			t.Errorf("%+v", report)
		}
		h.wantStep(second, registry.RenewalTold)
	}
}

// A node whose clock is ahead counts uses in the future: until then nobody knows whether the key is used, and that
// is an alarm.
func TestNodeCountsAhead(t *testing.T) {
	t.Parallel()
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	first, second := h.active(registry.Rotation{Slots: 2, Quiet: 2, Retire: registry.RetireDo})
	now := h.now
	h.now = now.AddDate(0, 1, 0)
	h.uses("two", first, "acme", lanes.In)
	h.now = now
	report := h.hours(4 * 24)
	h.wantStep(second, registry.RenewalTold)
	if !told(report.Alarms, "node two has counted a use of "+first) {
		t.Errorf("%+v", report.Alarms)
	}
}

// What lets the program go on is asked in the transaction of the step: a node that begins between a look and the
// step counts.
func TestAskedInTheTransaction(t *testing.T) {
	t.Parallel()
	address := "sqlite:" + filepath.Join(t.TempDir(), "r.db")
	h := newCompany(t, address)
	_, second := h.renewed(registry.Rotation{Slots: 2})
	other, err := store.Open(t.Context(), address, store.Options{})
	h.must(err)
	t.Cleanup(func() { other.Close() })
	h.must(h.order(renewal.Name{ID: second}, time.Time{}))
	h.node("one", h.head())
	record, changes := h.renewal(second).Activated-1, 0
	h.traced = func(statement string) {
		if !strings.HasPrefix(statement, "BEGIN") {
			return
		}
		if changes++; changes == 3 { // those before claim the pass, and note that it watches
			_, err := other.ReportNode(t.Context(), lanes.Node{
				Name: "late", Process: "late", Record: record, Started: h.now, At: h.now, Counted: h.now,
				Serves: h.now.Add(time.Hour),
			}, false)
			h.must(err)
		}
	}
	h.pass()
	h.traced = nil
	if n := h.renewal(second); changes < 3 || !n.Everywhere.IsZero() {
		t.Errorf("every node uses it, and node late does not: %+v", n)
	}
}

// A scheduler is killed in the middle of a pass. Another one waits for a tick, and does the rest.
func TestSchedulerKilled(t *testing.T) {
	onBothKilled(t, func(h *company, at string) (kills int) {
		first, second := h.renewed(registry.Rotation{Slots: 2})
		ordered := h.now.Add(time.Minute)
		h.must(h.order(renewal.Name{ID: second}, ordered))
		h.now = ordered
		two := &renewal.Scheduler{Registry: h.Registry, Holder: "two"}
		k := killing{h, crash{Address: at, Act: "pass", At: 12}, first, second}
		if !k.run() {
			h.t.Fatal("it was not killed")
		}
		h.now = ordered.Add(renewal.Tick / 2)
		report, err := two.Pass(h.t.Context())
		h.must(err)
		if !report.Busy {
			h.t.Errorf("two schedulers work at once: %+v", report)
		}
		h.now = ordered.Add(renewal.Tick)
		h.node("one", h.head())
		report, err = two.Pass(h.t.Context())
		h.must(err)
		if report.Busy || h.states(first, second) != "retiring active" {
			h.t.Errorf("%s, %+v", h.states(first, second), report)
		}
		h.must(only(h.VerifyRows(h.t.Context())))
		return 1
	}, 1)
}

// A pass that fails is none that went well, and the last one that did stays known, however long ago it was.
func TestLastPass(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *company) {
		last := func() (at time.Time) {
			h.must(h.Store.View(t.Context(), func(tx registry.Reader) (err error) {
				at, err = renewal.LastPass(tx, h.now)
				return err
			}))
			return at
		}
		if !last().IsZero() {
			t.Error("there was no pass")
		}
		h.pass()
		began := h.now
		h.now = h.now.Add(time.Hour)
		ctx, end := context.WithCancel(t.Context())
		writes := 0
		h.traced = func(statement string) {
			if strings.HasPrefix(statement, "BEGIN") {
				if writes++; writes == 4 { // it is claimed and watched, and looks for what is due
					end()
				}
			}
		}
		if _, err := h.schedule.Pass(ctx); err == nil {
			t.Error("the pass did not fail")
		}
		h.traced = nil
		if !last().Equal(began) {
			t.Errorf("the last pass was at %v", last())
		}
		h.now = h.now.AddDate(1, 0, 0)
		if !last().Equal(began) {
			t.Errorf("a year later it was at %v", last())
		}
		h.now = h.now.AddDate(1, 0, 0) // a clock is wrong
		h.pass()
		h.now = h.now.AddDate(-1, 0, 0)
		if !last().IsZero() {
			t.Errorf("it will be at %v", last())
		}
		h.now = h.now.Add(time.Hour)
		h.schedule.Holder = "another"
		h.pass()
		if !last().Equal(h.now) {
			t.Errorf("the last pass was at %v", last())
		}
	})
}
