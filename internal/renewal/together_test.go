package renewal_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
)

// A second order does not replace the first: who ordered that would not know. It is taken back first.
func TestOrdersAreNotReplaced(t *testing.T) {
	t.Parallel()
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	_, second := h.renewed(registry.Rotation{Slots: 2})
	at := h.now.Add(3 * time.Hour)
	h.must(h.order(renewal.Name{ID: second}, at))
	for _, other := range []time.Time{{}, at, at.Add(time.Hour)} {
		err := h.order(renewal.Name{ID: second}, other)
		wantRefused(t, err, "anna has ordered on 2026-11-23 that "+second+" is activated for 2026-11-23T15:00:00Z "+
			"(CHG-4711): take that order back first")
		if a := registry.AdviceIn(err); a.Action != registry.ActionRenewalOrder || len(a.Needs) != 2 {
			t.Errorf("the advice is %+v", a)
		}
	}
	if n := h.renewal(second); !n.Order.At.Equal(at) {
		t.Errorf("the order is %+v", n.Order)
	}
	take := renewal.New(h.anna.WithReason("their freeze"))
	h.must(only(take.CancelOrder(t.Context(), renewal.Name{ID: second})))
	h.must(h.order(renewal.Name{ID: second}, at.Add(time.Hour)))
	h.now = at.Add(26 * time.Hour) // it has lapsed
	h.node("one", h.head())
	h.must(h.order(renewal.Name{ID: second}, time.Time{}))
	h.wantStep(second, registry.RenewalActive)
}

// together does an act of two people at the same time, and returns how often it was done. The other is told that
// somebody was faster, or the rule by which it is not possible any more.
func (h *company) together(one, two func() error) (done int) {
	h.t.Helper()
	start, results := make(chan struct{}), make(chan error, 2)
	for _, act := range []func() error{one, two} {
		go func() {
			<-start
			results <- act()
		}()
	}
	close(start)
	for range 2 {
		err := <-results
		_, refused := errors.AsType[*registry.RefusedError](err)
		switch {
		case err == nil:
			done++
		case !refused && !errors.Is(err, registry.ErrConflict):
			h.t.Errorf("the other is told %v", err)
		}
	}
	return done
}

// Two operators do the same, or the opposite, at the same time: order, activate, roll back, hold. One wins, and the
// other is told why not. Each time one key is active.
func TestTwoOperators(t *testing.T) {
	onBoth(t, func(t *testing.T, h *company) {
		ctx := t.Context()
		bo := h.person("bo", registry.Operator)
		lane := lanes.Name{Partner: "acme", Environment: "DEV"}
		h.partner("acme", "riskos", sealane.ServerSide, "DEV", registry.Rotation{Slots: 2})
		first := h.approved(lane, h.certificate(2048, 700))
		h.must(exchange.New(h.anna).Activate(ctx, first))
		second := h.approved(lane, h.certificate(2048, 720))
		h.pass()
		of := renewal.Name{ID: second}
		order := func(s *registry.Session, after time.Duration) func() error {
			return func() error {
				in := renewal.Activation{Name: of}
				if after > 0 {
					in.At = h.now.Add(after)
				}
				return only(renewal.New(s).Order(ctx, in))
			}
		}
		why := func(s *registry.Session) renewal.Renewals { return renewal.New(s.WithReason("INC-7")) }
		back := func(s *registry.Session) func() error {
			return func() error { return only(why(s).RollBack(ctx, renewal.Rollback{Name: of})) }
		}
		hold := func(s *registry.Session) func() error {
			return func() error { return only(why(s).Hold(ctx, of)) }
		}
		wins := func(what string, one, two func() error, states string) {
			t.Helper()
			if done := h.together(one, two); done != 1 {
				t.Errorf("%s: %d have done it", what, done)
			}
			if is := h.states(first, second); is != states {
				t.Errorf("%s: %s, want %s", what, is, states)
			}
			h.must(only(h.VerifyRows(ctx)))
		}
		wins("order", order(h.anna, time.Hour), order(bo, 2*time.Hour), "active staged")
		cancel := func(s *registry.Session) func() error {
			return func() error { return only(why(s).CancelOrder(ctx, of)) }
		}
		wins("cancel", cancel(h.anna), cancel(bo), "active staged")
		wins("order at once", order(h.anna, 0), order(bo, 0), "retiring active")
		wins("roll back", back(h.anna), back(bo), "active staged")
		activate := func(s *registry.Session) func() error {
			return func() error { return exchange.New(s).Activate(ctx, second) }
		}
		wins("activate", activate(h.anna), activate(bo), "retiring active")
		wins("hold", hold(h.anna), hold(bo), "retiring active")
		end := func(s *registry.Session) func() error {
			return func() error { return only(why(s).EndHold(ctx, of)) }
		}
		wins("end the hold", end(h.anna), end(bo), "retiring active")
	})
}
