package registry_test

import (
	"fmt"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
)

// nights is a rotation as an environment in production may have it. The bank's clock begins on
// 2026-11-30.
func nights() registry.Rotation {
	return registry.Rotation{
		Slots: 1, Overlap: 60, Quiet: 10,
		Window: registry.Window{
			Zone: "Europe/Berlin", Days: []string{"Mon", "Tue"}, From: "22:00", To: "04:00",
			Freezes: []registry.Freeze{
				{From: "2026-06-01", To: "2026-06-30", Reason: "over"},
				{From: "2026-12-18", To: "2027-01-04", Reason: "year end"},
			},
		},
	}
}

// What loosens the rotation of production needs a second person, each for itself. What tightens it
// does not, and neither does a freeze that is over.
func TestRotationNeedsASecondPerson(t *testing.T) {
	b, ctx := newBank(t, "sqlite:"+t.TempDir()+"/registry.db"), t.Context()
	set := func(change func(*registry.Rotation)) error {
		return b.change(ctx, b.Session, func(e *registry.Environment) {
			e.Rotation = nights()
			change(&e.Rotation)
		})
	}
	none := func(*registry.Rotation) {}
	waits(t, b.Session, "may be retired after 10 days without use, not 14; the old key counts for 60 days", set(none))
	r := waits(t, b.Session, "", set(none))
	must(t, only(b.ben.GrantRequest(ctx, r.ID)))
	must(t, set(none))
	const more, thaw = "activations may happen at more times", "activations may happen in the freeze 2026-12-18"
	freeze := func(from, to string) registry.Freeze { return registry.Freeze{From: from, To: to} }
	for i, c := range []struct {
		says   string
		change func(*registry.Rotation)
	}{
		{"retired without a person", func(r *registry.Rotation) { r.Retire = registry.RetireDo }},
		{"after 9 days without use, not 10", func(r *registry.Rotation) { r.Quiet = 9 }},
		{"for 59 days after the new one is active, not 60", func(r *registry.Rotation) { r.Overlap = 59 }},
		{"two certificates at a time", func(r *registry.Rotation) { r.Slots = 2 }},
		{more + ": always", func(r *registry.Rotation) { r.Window = registry.Window{Freezes: r.Window.Freezes} }},
		{more + ": Mon-Wed", func(r *registry.Rotation) { r.Window.Days = []string{"Mon", "Tue", "Wed"} }},
		{more + ": Mon,Tue 21:59", func(r *registry.Rotation) { r.Window.From = "21:59" }},
		{more + ": Mon,Tue 22:00-04:01", func(r *registry.Rotation) { r.Window.To = "04:01" }},
		{more, func(r *registry.Rotation) { r.Window.Zone = "America/New_York" }},
		{thaw, func(r *registry.Rotation) { r.Window.Freezes = r.Window.Freezes[:1] }},
		{thaw, func(r *registry.Rotation) { r.Window.Freezes[1].To = "2027-01-03" }},
		{thaw, func(r *registry.Rotation) { r.Window.Freezes[1].From = "2026-12-19" }},
		{thaw, func(r *registry.Rotation) { // the 24th is missing
			r.Window.Freezes = []registry.Freeze{
				freeze("2026-12-25", "2027-01-04"), freeze("2026-12-01", "2026-12-23"),
			}
		}},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) { waits(t, b.Session, c.says, set(c.change)) })
	}
	tighten := func(change func(*registry.Rotation)) error { // one after another
		return b.change(ctx, b.Session, func(e *registry.Environment) { change(&e.Rotation) })
	}
	for _, change := range []func(*registry.Rotation){
		func(r *registry.Rotation) { r.Slots = 0 }, // the profile says one
		func(r *registry.Rotation) { r.Lead = 30 },
		func(r *registry.Rotation) { r.Notice = 10 },
		func(r *registry.Rotation) { r.Retire = registry.RetireNever },
		func(r *registry.Rotation) { r.Window.Days = []string{"Tue"} },
		func(r *registry.Rotation) { r.Window.To = "23:00" },
		func(r *registry.Rotation) { r.Window.Freezes[0].To = "2026-06-15" },
		func(r *registry.Rotation) { r.Window.Freezes = r.Window.Freezes[1:] },
		func(r *registry.Rotation) { // two freezes for one
			r.Window.Freezes = []registry.Freeze{
				freeze("2026-12-28", "9999-12-31"), freeze("2026-12-18", "2026-12-27"),
			}
		},
	} {
		must(t, tighten(change))
	}
	waits(t, b.Session, "in the freeze 2026-12-28..9999-12-31", tighten(func(r *registry.Rotation) {
		r.Window.Freezes = nights().Window.Freezes
	}))
}

// A rotation that is loosened from the beginning needs a second person too; in a test environment
// nobody is asked.
func TestRotationOfNewEnvironment(t *testing.T) {
	b, ctx := newBank(t, "sqlite:"+t.TempDir()+"/registry.db"), t.Context()
	must(t, b.AddPartner(ctx, registry.Partner{ID: "beta", Name: "Beta", Profile: "riskos", Side: sealane.ServerSide}))
	add := func(name string, r registry.Rotation) error {
		return b.AddEnvironment(ctx, registry.Environment{
			Partner: "beta", Name: name, Sealing: sealane.SealingRequired, Rotation: r,
		})
	}
	loose := registry.Rotation{Slots: 2, Retire: registry.RetireDo}
	waits(t, b.Session, "without a person; the partner is taken to hold two", add("PROD", loose))
	must(t, add("SANDBOX", loose))
	must(t, add("PROD", registry.Rotation{Window: nights().Window, Retire: registry.RetireNever}))
}
