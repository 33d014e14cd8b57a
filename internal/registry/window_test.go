package registry_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sealane/sealane/internal/registry"
)

var workdays = []string{"Mon", "Tue", "Wed", "Thu", "Fri"}

// The window begins with its first second and ends before the second that To names, on each kind of
// day. The cases are instants of its edges: before is refused, the others are allowed.
func TestWindowEdges(t *testing.T) {
	night := registry.Window{Zone: "Europe/Berlin", Days: workdays, From: "22:00", To: "04:00"}
	early := registry.Window{Zone: "Europe/Berlin", From: "01:30", To: "02:30"}
	american := registry.Window{Zone: "America/New_York", From: "01:30", To: "02:30"}
	for _, c := range []struct {
		name        string
		w           registry.Window
		opens, ends string
	}{
		{"over midnight", night, "2026-12-01T22:00:00+01:00", "2026-12-02T04:00:00+01:00"},
		{"Friday's reaches into Saturday", night, "2026-12-04T22:00:00+01:00", "2026-12-05T04:00:00+01:00"},
		{"a year ends", night, "2026-12-31T22:00:00+01:00", "2027-01-01T04:00:00+01:00"},
		{"29 February", night, "2028-02-29T22:00:00+01:00", "2028-03-01T04:00:00+01:00"},
		{"the clock is set forward in it", registry.Window{Zone: "Europe/Berlin", From: "22:00", To: "04:00"},
			"2027-03-27T22:00:00+01:00", "2027-03-28T04:00:00+02:00"},
		{"the clock is set back in it", registry.Window{Zone: "Europe/Berlin", From: "22:00", To: "04:00"},
			"2026-10-24T22:00:00+02:00", "2026-10-25T04:00:00+01:00"},
		{"its end is left out", early, "2027-03-28T01:30:00+01:00", "2027-03-28T03:00:00+02:00"},
		{"an hour comes twice: the first", early, "2026-10-25T01:30:00+02:00", "2026-10-25T02:30:00+02:00"},
		{"an hour comes twice: the second", early, "2026-10-25T02:00:00+01:00", "2026-10-25T02:30:00+01:00"},
		{"America: left out", american, "2027-03-14T01:30:00-05:00", "2027-03-14T03:00:00-04:00"},
		{"America: twice, the first", american, "2026-11-01T01:30:00-04:00", "2026-11-01T02:00:00-04:00"},
		{"America: twice, the second", american, "2026-11-01T01:30:00-05:00", "2026-11-01T02:30:00-05:00"},
		{"+14", registry.Window{Zone: "Pacific/Kiritimati", Days: []string{"Fri"}},
			"2027-01-01T00:00:00+14:00", "2027-01-02T00:00:00+14:00"},
		{"-12", registry.Window{Zone: "Etc/GMT+12", Days: []string{"Thu"}, From: "00:00", To: "23:59"},
			"2026-12-31T00:00:00-12:00", "2026-12-31T23:59:00-12:00"},
		{"a clock that is set at midnight", registry.Window{Zone: "Asia/Beirut", Days: []string{"Sun"}},
			"2027-03-28T01:00:00+03:00", "2027-03-29T00:00:00+03:00"},
		{"UTC", registry.Window{From: "00:00", To: "00:01"}, "2026-12-01T00:00:00Z", "2026-12-01T00:01:00Z"},
		{"between two freezes", registry.Window{Zone: "Europe/Berlin", Freezes: []registry.Freeze{
			{From: "2028-02-28", To: "2028-02-28"}, {From: "2028-03-01", To: "2028-03-31"}}},
			"2028-02-29T00:00:00+01:00", "2028-03-01T00:00:00+01:00"},
	} {
		opens, ends := at(t, c.opens), at(t, c.ends)
		for _, in := range []time.Time{opens, opens.Add(time.Second), ends.Add(-time.Second), ends.Add(-1)} {
			if err := c.w.Check(in); err != nil {
				t.Errorf("%s: %s: %v", c.name, in, err)
			}
			if next, found := c.w.Next(in); !found || !next.Equal(in) {
				t.Errorf("%s: the next time at %s is %s", c.name, in, next)
			}
		}
		for _, out := range []time.Time{opens.Add(-time.Second), opens.Add(-1), ends, ends.Add(time.Second)} {
			if c.w.Check(out) == nil {
				t.Errorf("%s: %s is allowed", c.name, out)
			}
		}
		if next, found := c.w.Next(opens.Add(-time.Second)); !found || !next.Equal(opens) {
			t.Errorf("%s: the next time is %s, want %s", c.name, next, opens)
		}
	}
}

// The error says why nothing may be activated, and when it may.
func TestWindowSaysWhen(t *testing.T) {
	w := registry.Window{
		Zone: "Europe/Berlin", Days: workdays, From: "22:00", To: "04:00",
		Freezes: []registry.Freeze{{From: "2026-12-18", To: "2027-01-04", Reason: "year end"}},
	}
	now := at(t, "2026-12-01T09:00:00Z")
	refused(t, "2026-12-01 10:00:00 +01:00 is outside the window Mon-Fri 22:00-04:00 Europe/Berlin; "+
		"the next time is 2026-12-01 22:00:00 +01:00", w.Check(now))
	frozen := at(t, "2026-12-17T23:00:00Z") // in the night that begins on the 17th
	refused(t, "2026-12-18 00:00:00 +01:00 is in the freeze 2026-12-18..2027-01-04 year end; "+
		"the next time is 2027-01-05 00:00:00 +01:00", w.Check(frozen))
	must(t, w.Check(frozen.Add(-time.Second)))
	if f, is := w.Frozen(frozen); !is || f.Reason != "year end" {
		t.Errorf("the freeze is %+v, %t", f, is)
	}
	if f, is := w.Frozen(frozen.Add(-time.Second)); is {
		t.Errorf("%+v a second before it", f)
	}
	never := registry.Window{
		From: "02:00", To: "02:10", Freezes: []registry.Freeze{{From: "2026-01-01", To: "2029-01-01"}},
	}
	refused(t, "no time within 2 years is allowed", never.Check(now))
	if next, found := never.Next(now); found {
		t.Errorf("never is %s", next)
	}
	must(t, registry.Window{}.Check(now))
	unread := registry.Window{Zone: "Europe/Atlantis"} // as in a damaged row
	refused(t, "is not known", unread.Check(now))
	if _, found := unread.Next(now); found {
		t.Error("there is a next time in a zone that is not known")
	}
}

// The limit of two years is in the calendar, and counts to the second.
func TestWindowSearchesTwoYears(t *testing.T) {
	w := registry.Window{Freezes: []registry.Freeze{{From: "2026-01-01", To: "2030-02-27"}}}
	opens := at(t, "2030-02-28T00:00:00Z")
	if next, found := w.Next(at(t, "2028-02-28T00:00:00Z")); !found || !next.Equal(opens) {
		t.Errorf("in two years: %s, %t", next, found)
	}
	if next, found := w.Next(at(t, "2028-02-27T23:59:59Z")); found {
		t.Errorf("in two years and a second: %s", next)
	}
}

// allowedByClock is what a person does who looks at the clock, the calendar and the list of freezes.
func allowedByClock(w registry.Window, zone *time.Location, t time.Time) bool {
	day, clock, date := t.In(zone).Format("Mon"), t.In(zone).Format("15:04"), t.In(zone).Format(time.DateOnly)
	for _, f := range w.Freezes {
		if date >= f.From && date <= f.To {
			return false
		}
	}
	begins := func(day string) bool { return len(w.Days) == 0 || slices.Contains(w.Days, day) }
	switch yesterday := t.In(zone).AddDate(0, 0, -1).Format("Mon"); {
	case w.From == "":
		return begins(day)
	case w.From < w.To:
		return begins(day) && clock >= w.From && clock < w.To
	default:
		return begins(day) && clock >= w.From || begins(yesterday) && clock < w.To
	}
}

// Next is allowed, no minute between is, and Check agrees with a person who looks at the clock.
func TestWindowProperty(t *testing.T) {
	clock := rapid.Custom(func(t *rapid.T) string {
		return fmt.Sprintf("%02d:%02d", rapid.IntRange(0, 23).Draw(t, "hour"), rapid.IntRange(0, 59).Draw(t, "minute"))
	})
	zone := rapid.SampledFrom([]string{
		"", "UTC", "Europe/Berlin", "America/New_York", "Asia/Beirut", "Australia/Lord_Howe", "Asia/Kathmandu",
		"Pacific/Kiritimati", "Etc/GMT+12",
	})
	day := rapid.SampledFrom(append(slices.Clone(workdays), "Sat", "Sun"))
	near := rapid.SampledFrom([]string{
		"2027-03-28T01:00:00Z", "2026-10-25T01:00:00Z", "2027-03-14T07:00:00Z", "2026-11-01T06:00:00Z",
		"2028-02-29T00:00:00Z", "2026-12-31T23:59:59Z", "2026-10-03T15:30:00Z", "2026-12-01T12:00:00Z",
	})
	rapid.Check(t, func(t *rapid.T) {
		w := registry.Window{Zone: zone.Draw(t, "zone")}
		w.Days = rapid.SliceOfNDistinct(day, 0, 7, rapid.ID).Draw(t, "days")
		if rapid.Bool().Draw(t, "part of the day") {
			w.From, w.To = clock.Draw(t, "from"), clock.Draw(t, "to")
			if w.From == w.To {
				w.From, w.To = "", ""
			}
		}
		begin, err := time.Parse(time.RFC3339, near.Draw(t, "near"))
		if err != nil {
			t.Fatal(err)
		}
		begin = begin.Add(time.Duration(rapid.Int64Range(-int64(50*time.Hour), int64(50*time.Hour)).Draw(t, "off")))
		for range rapid.IntRange(0, 3).Draw(t, "freezes") {
			from := begin.AddDate(0, 0, rapid.IntRange(-3, 3).Draw(t, "freeze begins"))
			to := from.AddDate(0, 0, rapid.IntRange(0, 3).Draw(t, "freeze lasts"))
			f := registry.Freeze{From: from.Format(time.DateOnly), To: to.Format(time.DateOnly)}
			w.Freezes = append(w.Freezes, f)
		}
		checkNext(t, w, begin)
	})
}

// checkNext checks the answers of a window from an instant to the next that is allowed.
func checkNext(t *rapid.T, w registry.Window, begin time.Time) {
	zone, err := time.LoadLocation(w.Zone)
	if err != nil {
		t.Fatal(err)
	}
	agree := func(at time.Time) bool {
		allowed := w.Check(at) == nil
		if allowed != allowedByClock(w, zone, at) {
			t.Fatalf("%+v at %s: allowed is %t", w, at.In(zone), allowed)
		}
		return allowed
	}
	next, found := w.Next(begin)
	if !found {
		t.Fatalf("%+v from %s: nothing is next", w, begin)
	}
	if next.Before(begin) || !agree(next) {
		t.Fatalf("%+v from %s: %s is next", w, begin, next)
	}
	if next.After(begin) && agree(next.Add(-1)) {
		t.Fatalf("%+v from %s: %s is next, and is not the first", w, begin, next)
	}
	first := begin.Truncate(time.Minute).Add(time.Minute)
	for minute := first; minute.Before(next); minute = minute.Add(time.Minute) {
		if agree(minute) {
			t.Fatalf("%+v from %s: %s is next, and %s is allowed", w, begin, next, minute)
		}
		if far := 5 * time.Hour; minute.After(first.Add(far)) && minute.Before(next.Add(-far)) {
			minute = minute.Add(6 * time.Minute)
		}
	}
	for i := range 30 { // what follows is allowed or not as the clock says
		agree(next.Add(time.Duration(i) * 97 * time.Minute))
	}
}

// A window is written as people read it.
func TestWindowString(t *testing.T) {
	for _, c := range []struct {
		w    registry.Window
		want string
	}{
		{registry.Window{}, "always"},
		{registry.Window{Zone: "Europe/Berlin"}, "always Europe/Berlin"},
		{registry.Window{Days: workdays}, "Mon-Fri"},
		{registry.Window{Days: []string{"Mon", "Wed", "Thu", "Sat", "Sun", "Mon"}}, "Mon,Wed,Thu,Sat-Mon"},
		{registry.Window{From: "22:00", To: "04:00", Days: []string{"Sun"}, Zone: "UTC"}, "Sun 22:00-04:00 UTC"},
	} {
		if got := c.w.String(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	if strings.Contains(registry.Freeze{From: "2026-12-18", To: "2026-12-18"}.String(), " ") {
		t.Error("a freeze without a reason ends in a blank")
	}
}
