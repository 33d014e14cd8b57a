package registry_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/profile"
)

// Rotation is stored with the environment, in both databases, and an environment that has none has
// the defaults.
func TestRotationIsStored(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, _ := founded(t, address)
		acme(t, s)
		env := storedEnvironment(t, s)
		prof, err := profile.Load("riskos")
		must(t, err)
		r := env.Rotation
		if got := fmt.Sprintln(env.SlotsOf(prof), r.LeadDays(), r.NoticeDays(), r.OverlapDays(), r.QuietDays(),
			r.RetireAs(), r.Window); got != "1 75 0 90 14 propose always\n" {
			t.Errorf("the defaults are %s", got)
		}
		want := registry.Rotation{
			Slots: 2, Lead: 90, Notice: 10, Overlap: 30, Quiet: 7, Retire: registry.RetireNever,
			Window: registry.Window{
				Zone: "Europe/Berlin", Days: []string{"Mon", "Tue"}, From: "22:00", To: "04:00",
				Freezes: []registry.Freeze{{From: "2026-12-18", To: "2027-01-04", Reason: "year end"}},
			},
		}
		must(t, rotate(t, s, want))
		env = storedEnvironment(t, s)
		if !reflect.DeepEqual(env.Rotation, want) {
			t.Errorf("%+v, want %+v", env.Rotation, want)
		}
		r = env.Rotation
		if got := fmt.Sprintln(env.SlotsOf(prof), r.LeadDays(), r.NoticeDays(), r.OverlapDays(), r.QuietDays(),
			r.RetireAs()); got != "2 90 10 30 7 never\n" {
			t.Errorf("stored: %s", got)
		}
		report, err := s.Registry().VerifyRows(t.Context())
		must(t, err)
		if !report.Holds {
			t.Errorf("rows: %s", report)
		}
	})
}

// storedEnvironment returns the environment PROD of acme.
func storedEnvironment(t *testing.T, s *registry.Session) (env registry.Environment) {
	t.Helper()
	must(t, s.View(t.Context(), func(tx registry.Reader) (err error) {
		env, err = tx.Environment("acme", "PROD")
		return err
	}))
	return env
}

// rotate sets the rotation of PROD of acme.
func rotate(t *testing.T, s *registry.Session, r registry.Rotation) error {
	return s.ChangeEnvironment(t.Context(), registry.Environment{Partner: "acme", Name: "PROD"},
		func(env *registry.Environment) error {
			env.Rotation = r
			return nil
		})
}

// A rotation that no environment can have is refused, and says which part of it is wrong.
func TestRotationRefused(t *testing.T) {
	s := openSession(t)
	acme(t, s)
	window := func(w registry.Window) registry.Rotation { return registry.Rotation{Window: w} }
	freeze := func(from, to, reason string) registry.Rotation {
		return window(registry.Window{Freezes: []registry.Freeze{{From: from, To: to, Reason: reason}}})
	}
	for _, c := range []struct {
		r    registry.Rotation
		says string
	}{
		{registry.Rotation{Slots: 3}, "1 or 2 certificates at a time, not 3"},
		{registry.Rotation{Slots: -1}, "not -1"},
		{registry.Rotation{Lead: -1}, "lead: -1 days"},
		{registry.Rotation{Lead: 3651}, "lead: 3651 days"},
		{registry.Rotation{Notice: 3651}, "notice: 3651 days"},
		{registry.Rotation{Overlap: -90}, "overlap: -90 days"},
		{registry.Rotation{Quiet: 3651}, "quiet: 3651 days"},
		{registry.Rotation{Retire: "soon"}, `"soon" is none of propose, do and never`},
		{window(registry.Window{Zone: "Europe/Atlantis"}), `"Europe/Atlantis" of a window is not known`},
		{window(registry.Window{Zone: "../etc/passwd"}), "is not known"},
		{window(registry.Window{Zone: "Local"}), "can't be Local"},
		{window(registry.Window{Days: []string{"Monday"}}), `the day "Monday"`},
		{window(registry.Window{Days: []string{"Mon", "Mon"}}), "Mon is in the window twice"},
		{window(registry.Window{From: "22:00"}), `"" is no time`},
		{window(registry.Window{To: "04:00"}), `"" is no time`},
		{window(registry.Window{From: "22:00", To: "24:00"}), `"24:00" is no time`},
		{window(registry.Window{From: "9:00", To: "10:00"}), `"9:00" is no time`},
		{window(registry.Window{From: "09:00", To: "09:00"}), "begins and ends at 09:00"},
		{freeze("2026-12-18", "", "x"), `"" is no date`},
		{freeze("2026-02-29", "2026-03-01", "x"), `"2026-02-29" is no date`},
		{freeze("2026-12-18", "2026-12-17", "x"), "ends before it begins"},
		{freeze("2026-12-18", "2026-12-18", "a\nb"), "one line"},
		{freeze("2026-12-18", "2026-12-18", strings.Repeat("é", 201)), "at most 200"},
		{window(registry.Window{Freezes: make([]registry.Freeze, 101)}), "101 freezes are too many"},
	} {
		err := rotate(t, s, c.r)
		refused(t, c.says, err)
		refused(t, "environment PROD of acme", err)
	}
	must(t, rotate(t, s, registry.Rotation{Slots: 2, Lead: 1, Notice: 3650, Overlap: 3650, Quiet: 3650}))
	must(t, rotate(t, s, freeze("2028-02-29", "2028-02-29", strings.Repeat("é", 200))))
}
