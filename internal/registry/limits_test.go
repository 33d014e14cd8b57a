package registry_test

import (
	"testing"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

// TestLimits: the limits of a lane are in force where serving programs read them. In production, a limit that is
// raised or removed needs a second person, and one that is set or lowered does not.
func TestLimits(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		b, ctx := newBank(t, address), t.Context()
		set := func(l lanes.Limits) error {
			return b.change(ctx, b.Session, func(e *registry.Environment) { e.Limits = l })
		}
		inForce := func(want lanes.Limits) {
			t.Helper()
			snapshot, err := b.Registry().Snapshot(ctx)
			must(t, err)
			if got := snapshot.Limits(lanes.Name{Partner: "acme", Environment: "PROD"}); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		}
		inForce(lanes.Limits{})
		agreed := lanes.Limits{Rate: 100, Burst: 150, InFlight: 64, Failures: 10}
		must(t, set(agreed))
		inForce(agreed)
		for _, looser := range []lanes.Limits{
			{},
			{Rate: 100.5, Burst: 150, InFlight: 64, Failures: 10},
			{Rate: 100, Burst: 151, InFlight: 64, Failures: 10},
			{Rate: 100, InFlight: 64, Failures: 10}, // a burst of 200
			{Burst: 0, InFlight: 64, Failures: 10},
			{Rate: 100, Burst: 150, InFlight: 65, Failures: 10},
			{Rate: 100, Burst: 150, Failures: 10},
			{Rate: 100, Burst: 150, InFlight: 64, Failures: 11},
			{Rate: 100, Burst: 150, InFlight: 64},
			{Rate: 1, InFlight: 1},
		} {
			waits(t, b.Session, "more requests are allowed", set(looser))
		}
		inForce(agreed)
		tighter := lanes.Limits{Rate: 0.5, InFlight: 1, Failures: 0.1}
		must(t, set(tighter))
		inForce(tighter)
		r := waits(t, b.Session, "no limit", set(lanes.Limits{}))
		as, _, err := b.ben.ApproveRequest(ctx, r.ID)
		must(t, err)
		another := func(e *registry.Environment) { e.Limits.InFlight = 2 }
		refused(t, "no longer what was shown", b.change(ctx, as, another))
		must(t, b.change(ctx, as, func(e *registry.Environment) { e.Limits = lanes.Limits{} }))
		inForce(lanes.Limits{})
		for _, impossible := range []lanes.Limits{{Rate: -1}, {Burst: 3}, {InFlight: -1}, {Failures: -1}} {
			refused(t, "can't be negative, and a burst needs a rate", set(impossible))
		}
		rowsHold(t, b.Registry())
	})
}
