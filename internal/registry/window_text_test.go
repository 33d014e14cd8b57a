package registry_test

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sealane/sealane/internal/registry"
)

// What a person writes of a window is what it says of itself.
func TestParseWindow(t *testing.T) {
	for text, want := range map[string]registry.Window{
		"always":                           {},
		"always Europe/Berlin":             {Zone: "Europe/Berlin"},
		"Mon-Fri":                          {Days: workdays},
		"22:00-04:00":                      {From: "22:00", To: "04:00"},
		" Mon-Fri  22:00-04:00 Asia/Tokyo": {Zone: "Asia/Tokyo", Days: workdays, From: "22:00", To: "04:00"},
		"Fri-Mon UTC":                      {Zone: "UTC", Days: []string{"Fri", "Sat", "Sun", "Mon"}},
		"Mon,Wed-Fri 01:00-02:00":          {Days: []string{"Mon", "Wed", "Thu", "Fri"}, From: "01:00", To: "02:00"},
		"01:00-02:00 MST":                  {From: "01:00", To: "02:00", Zone: "MST"},
	} {
		got, err := registry.ParseWindow(text)
		must(t, err)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q is %+v, want %+v", text, got, want)
		}
	}
	for text, says := range map[string]string{
		"":                           `"" is no window`,
		"always 22:00-04:00":         `the zone "22:00-04:00" of a window is not known`,
		"Mon-Fri 22:00":              `"22:00" are no times`,
		"Mon-Fri 22:00-24:00":        `"24:00" is no time`,
		"Mon-Fri 22:00-22:00":        "begins and ends at 22:00",
		"Mon-Fry":                    `"Mon-Fry" are no days`,
		"Mon-":                       `"Mon-" are no days`,
		"Mon,Mon":                    "Mon is in the window twice",
		"Mon-Fri,Wed":                "Wed is in the window twice",
		"mon-fri":                    `the zone "mon-fri"`,
		"Monday":                     `the zone "Monday"`,
		"Mon UTC UTC":                "is no window",
		"Mon 01:00-02:00 Berlin":     `the zone "Berlin"`,
		"Mon-Fri 22:00-04:00 Local":  "can't be Local",
		"Mon-Fri 22:00 - 04:00 UTC":  `"22:00" are no times`,
		"22:00-04:00 Mon-Fri Africa": "is no window",
	} {
		_, err := registry.ParseWindow(text)
		refused(t, says, err)
	}
}

// Every window that can be stored is parsed from its text again.
func TestParseWindowProperty(t *testing.T) {
	days := rapid.SliceOfNDistinct(rapid.SampledFrom(append(slices.Clone(workdays), "Sat", "Sun")), 0, 7, rapid.ID)
	zones := rapid.SampledFrom([]string{"", "UTC", "MST", "Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT+12"})
	rapid.Check(t, func(t *rapid.T) {
		w := registry.Window{Days: days.Draw(t, "days"), Zone: zones.Draw(t, "zone")}
		if len(w.Days) == 0 {
			w.Days = nil
		}
		if rapid.Bool().Draw(t, "part of the day") {
			w.From, w.To = "22:00", "04:59"
		}
		got, err := registry.ParseWindow(w.String())
		if err != nil || !reflect.DeepEqual(got, w) {
			t.Fatalf("%q is %+v, want %+v: %v", w, got, w, err)
		}
	})
}

// Freezes are added once each, and removed by a day of them.
func TestFreezes(t *testing.T) {
	parse := func(text string) registry.Freeze {
		t.Helper()
		f, err := registry.ParseFreeze(text)
		must(t, err)
		return f
	}
	yearEnd, day := parse(" 2026-12-18..2027-01-04  year end"), parse("2026-12-24")
	if want := (registry.Freeze{From: "2026-12-18", To: "2027-01-04", Reason: "year end"}); yearEnd != want {
		t.Errorf("%+v", yearEnd)
	}
	if want := (registry.Freeze{From: "2026-12-24", To: "2026-12-24"}); day != want {
		t.Errorf("%+v", day)
	}
	for text, says := range map[string]string{
		"": `"" is no date`, "christmas": `"christmas" is no date`, "2026-12-18..": `"" is no date`,
		"2026-12-18 .. 2027-01-04 x": "without blanks", "2026-12-18 2027-01-04 x": "without blanks",
		"2026-12-18 - 2027-01-04": "without blanks", "2027-01-04..2026-12-18": "ends before it begins",
		"2026-12-18..2026-12-18 a\x1bb": "one line",
	} {
		_, err := registry.ParseFreeze(text)
		refused(t, says, err)
	}
	var w registry.Window
	for range 2 {
		w.Freeze(yearEnd)
		w.Freeze(day)
	}
	w.Freeze(parse("2026-06-01..2026-06-02"))
	kept := w
	must(t, w.Unfreeze("2026-12-24")) // both that it is in
	if len(w.Freezes) != 1 || len(kept.Freezes) != 3 {
		t.Errorf("%+v is left, of %+v", w.Freezes, kept.Freezes)
	}
	refused(t, "2026-12-24 is in no freeze", w.Unfreeze("2026-12-24"))
	refused(t, `"Christmas" is no date`, w.Unfreeze("Christmas"))
	must(t, w.Unfreeze("2026-06-02"))
	if !reflect.DeepEqual(w, registry.Window{}) {
		t.Errorf("%+v is not as if there had been none", w)
	}
}
