package renewal_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// crash is what a process does until it is killed.
type crash struct {
	Address    string // of the database
	At         int    // the number of the statement at which it is killed
	Time       time.Time
	Act, Key   string // one of crashActs, and the key that it is about
	Anna, Cora string // tokens
}

// crashActs are what people and programs do in renewals.
var crashActs = map[string]func(context.Context, crash, *registry.Registry) error{
	"pass": func(ctx context.Context, _ crash, r *registry.Registry) error {
		_, err := (&renewal.Scheduler{Registry: r, Holder: "one"}).Pass(ctx)
		return err
	},
	"order": func(ctx context.Context, c crash, r *registry.Registry) error {
		return c.people(ctx, r, func(s *registry.Session) error {
			_, err := renewal.New(s).Order(ctx, renewal.Activation{Name: c.name(), Change: "CHG-4711"})
			return err
		})
	},
	"order for a time": func(ctx context.Context, c crash, r *registry.Registry) error {
		return c.people(ctx, r, func(s *registry.Session) error {
			at := c.Time.Add(time.Hour)
			_, err := renewal.New(s).Order(ctx, renewal.Activation{Name: c.name(), At: at, Change: "CHG-4711"})
			return err
		})
	},
	"roll back": func(ctx context.Context, c crash, r *registry.Registry) error {
		return c.people(ctx, r, func(s *registry.Session) error {
			_, err := renewal.New(s).RollBack(ctx, renewal.Rollback{Name: c.name()})
			return err
		})
	},
	"offer": func(ctx context.Context, c crash, r *registry.Registry) error {
		return c.people(ctx, r, func(s *registry.Session) error {
			return exchange.New(s).Offer(ctx, exchange.Target{KeyPair: c.Key, Partner: "acme"},
				func(exchange.OfferPackage) error { return nil })
		})
	},
	"installed": func(ctx context.Context, c crash, r *registry.Registry) error {
		return c.people(ctx, r, func(s *registry.Session) error {
			return exchange.New(s).MarkInstalled(ctx, exchange.Target{
				KeyPair: c.Key, Partner: "acme", Said: "their custodian by telephone",
			})
		})
	},
	"retire": func(ctx context.Context, c crash, r *registry.Registry) error {
		return c.people(ctx, r, func(s *registry.Session) error { return exchange.New(s).Retire(ctx, c.Key, false) })
	},
	"revoke": func(ctx context.Context, c crash, r *registry.Registry) error {
		return c.people(ctx, r, func(s *registry.Session) error { return exchange.New(s).Revoke(ctx, c.Key) })
	},
}

func (c crash) name() renewal.Name { return renewal.Name{ID: c.Key} }

// people lets one person do an act for a reason, and another one agree where that is needed.
func (c crash) people(ctx context.Context, r *registry.Registry, act func(*registry.Session) error) error {
	anna, err := r.Login(ctx, c.Anna)
	if err != nil {
		return err
	}
	cora, err := r.Login(ctx, c.Cora)
	if err != nil {
		return err
	}
	return agreed(ctx, anna.WithReason("INC-7"), cora, act)
}

// crashChild does an act, and is killed at the statement whose number it was given: nothing is flushed,
// rolled back or closed.
func crashChild(words string) {
	var c crash
	dieOf(json.Unmarshal([]byte(words), &c))
	ctx, counting := context.Background(), false
	db, err := store.Open(ctx, c.Address, store.Options{Trace: func(string) {
		if !counting {
			return
		}
		if c.At--; c.At == 0 {
			os.Stdout.WriteString("killed here\n")
			self, err := os.FindProcess(os.Getpid())
			dieOf(err)
			dieOf(self.Kill())
			select {}
		}
	}})
	dieOf(err)
	r := &registry.Registry{Store: db, Now: func() time.Time { return c.Time }}
	counting = true
	err = crashActs[c.Act](ctx, c, r)
	if _, refused := errors.AsType[*registry.RefusedError](err); !refused { // it was done before it was killed last
		dieOf(err)
	}
	os.Exit(0)
}

func dieOf(err error) {
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
}

// databases return the address of a new one.
var databases = map[string]func(testing.TB) string{
	"sqlite":   func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "registry.db") },
	"postgres": pgtest.URL,
}

// onBothKilled runs a test on each database, more often in the long form. It must kill at least so often.
func onBothKilled(t *testing.T, test func(h *company, at string) (kills int), least int) {
	t.Parallel()
	for name, address := range databases {
		for range proof(1, 3) {
			t.Run(name, func(t *testing.T) {
				at := address(t)
				kills := test(newCompany(t, at), at)
				if kills < least {
					t.Errorf("only %d kills, want %d", kills, least)
				}
				t.Logf("%d kills", kills)
			})
		}
	}
}

// renewed makes a partner whose certificate has a successor that every node has.
func (h *company) renewed(r registry.Rotation) (first, second string) {
	h.t.Helper()
	lane := lanes.Name{Partner: "acme", Environment: "PROD"}
	h.partner("acme", "riskos", sealane.ServerSide, "PROD", r)
	first = h.approved(lane, h.certificate(2048, 700))
	h.must(exchange.New(h.anna).Activate(h.t.Context(), first))
	second = h.approved(lane, h.certificate(2048, 720))
	h.node("one", h.head())
	h.pass() // it is staged
	h.node("one", h.head())
	h.pass()
	h.wantStep(second, registry.RenewalLoaded)
	return first, second
}

// A scheduler is killed at each statement of a pass that activates what was ordered, plans the mail, or
// retires the old certificate. All is as before or as after it, and the next pass does the rest.
func TestPassKilled(t *testing.T) {
	onBothKilled(t, func(h *company, at string) (kills int) {
		first, second := h.renewed(registry.Rotation{Slots: 2, Quiet: 2, Retire: registry.RetireDo})
		ordered := h.now.Add(time.Minute)
		h.must(h.order(renewal.Name{ID: second}, ordered))
		h.now = ordered
		k := killing{h, crash{Address: at, Act: "pass"}, first, second}
		kills = k.until("active staged", "retiring active", "")
		h.node("one", h.head())
		h.pass()
		h.now = h.now.Add(renewal.DefaultDrain)
		kills += k.until("retiring active", "retiring active", registry.RenewalTold)
		n := h.wantStep(second, registry.RenewalTold)
		h.must(only(renewal.New(h.anna).Sent(h.t.Context(), renewal.Name{ID: n.ID})))
		h.uses("one", second, "acme", lanes.In)
		for range 2*24 + 6 { // until the second whole day is watched nearly long enough
			h.now = h.now.Add(time.Hour)
			h.node("one", h.head())
			h.pass()
		}
		h.now = h.now.Add(time.Hour)
		return kills + k.until("retiring active", "retired active", registry.RenewalDone)
	}, proof(12, 100))
}

// Two people are killed at each statement of what they do with a partner's certificate: they order it with
// approval, for now and for a time, roll it back, and revoke it.
func TestPeopleKilled(t *testing.T) {
	onBothKilled(t, func(h *company, at string) (kills int) {
		first, second := h.renewed(registry.Rotation{Slots: 2})
		k := killing{h, crash{Address: at, Act: "order", Key: second}, first, second}
		kills = k.until("active staged", "retiring active", registry.RenewalActive)
		k.Act = "roll back"
		kills += k.until("retiring active", "active staged", "")
		h.node("one", h.head())
		h.pass()
		k.Act = "order for a time"
		kills += k.until("active staged", "active staged", registry.RenewalLoaded)
		if n := h.renewal(second); n.Order == nil || n.Order.By != "anna" || n.Order.Released != "cora" {
			h.t.Errorf("the order is %+v", n.Order)
		}
		h.now = h.now.Add(time.Hour)
		k.Act = "pass"
		kills += k.until("active staged", "retiring active", registry.RenewalActive)
		k.Act, k.Key = "revoke", first
		return kills + k.until("retiring active", "compromised active", "")
	}, proof(12, 100))
}

// The same with a key pair of ours: people offer it, record that the partner has it, order its activation, roll
// that back by the partner's word, and retire the pair before.
func TestPeopleOfOurLegKilled(t *testing.T) {
	onBothKilled(t, func(h *company, at string) (kills int) {
		lane, first, _ := acme(h.t, h, registry.Rotation{Slots: 2})
		second := h.create(lane, "riskos", 2048, true).ID
		h.node("one", h.head())
		h.pass()
		k := killing{h, crash{Address: at, Key: second}, first, second}
		for _, step := range []struct {
			act, before, after string
			step               registry.RenewalStep
		}{
			{"offer", "active staged", "active staged", registry.RenewalOffered},
			{"installed", "active staged", "active staged", registry.RenewalConfirmed},
			{"order", "active staged", "retiring active", registry.RenewalActive},
			{"roll back", "retiring active", "active staged", registry.RenewalConfirmed},
			{"order for a time", "active staged", "active staged", registry.RenewalConfirmed},
		} {
			k.Act = step.act
			kills += k.until(step.before, step.after, step.step)
		}
		h.now = h.now.Add(time.Hour)
		k.Act = "pass"
		kills += k.until("active staged", "retiring active", registry.RenewalActive)
		k.Act, k.Key = "retire", first
		return kills + k.until("retiring active", "retired active", registry.RenewalDone)
	}, proof(12, 100))
}

func (h *company) states(a, b string) string { return string(h.state(a)) + " " + string(h.state(b)) }

// killing kills processes that act on two keys of a leg.
type killing struct {
	*company
	crash
	first, second string
}

// run does the act in a process of its own, and reports whether it was killed.
func (k killing) run() (killed bool) {
	k.t.Helper()
	k.node("one", k.head())
	k.Time, k.Anna, k.Cora = k.now, k.tokens["anna"], k.tokens["cora"]
	words, err := json.Marshal(k.crash)
	k.must(err)
	executable, err := os.Executable()
	k.must(err)
	c := exec.CommandContext(k.t.Context(), executable)
	c.Env = append(os.Environ(), "SEALANE_CRASH="+string(words))
	out, err := c.CombinedOutput()
	killed = strings.Contains(string(out), "killed here")
	if err != nil && !killed {
		k.t.Fatalf("%s: %v: %s", k.Act, err, out)
	}
	return killed
}

// until kills an act at its statements in turn, until it is done and ends with some states and, where it is
// given, in a step. It returns how often it has killed. The short form leaves statements out.
func (k killing) until(before, after string, step registry.RenewalStep) (kills int) {
	k.t.Helper()
	for k.At = 1; ; k.At += proof(7, 1) {
		if k.At > 500 {
			k.t.Fatalf("%s never ends", k.Act)
		}
		killed := k.run()
		if killed {
			kills++
		}
		is, when := k.states(k.first, k.second), fmt.Sprintf("%s killed at statement %d", k.Act, k.At)
		if k.At == 1 && is != before {
			k.t.Errorf("%s: %s, want %s", when, is, before)
		}
		if is != before && is != after {
			k.t.Errorf("%s: %s, want %s or %s", when, is, before, after)
		}
		if n := k.renewal(k.second); n.Order != nil && n.Order.Released == "" {
			k.t.Errorf("%s: an order without its approval: %+v", when, n.Order)
		}
		report, err := k.VerifyRows(k.t.Context())
		k.must(err)
		if !report.Holds {
			k.t.Errorf("%s: %+v", when, report.Findings)
		}
		if !killed {
			if got := k.renewal(k.second).Step; is != after || cmp.Or(step, got) != got {
				k.t.Errorf("the last %s leaves %s and %s, want %s and %s", k.Act, is, got, after, step)
			}
			return kills
		}
	}
}
