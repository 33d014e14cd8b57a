package registry

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// loosensRotation returns what a change of an environment's rotation loosens, as sentences.
func (s *Session) loosensRotation(tx Reader, before, after Environment) (why []string, err error) {
	was, is := before.Rotation, after.Rotation
	if is.RetireAs() == RetireDo && was.RetireAs() != RetireDo {
		why = append(why, "keys that another has followed are retired without a person")
	}
	if is.QuietDays() < was.QuietDays() {
		why = append(why, fmt.Sprintf("keys may be retired after %d days without use, not %d",
			is.QuietDays(), was.QuietDays()))
	}
	if is.OverlapDays() < was.OverlapDays() {
		why = append(why, fmt.Sprintf("the old key counts for %d days after the new one is active, not %d",
			is.OverlapDays(), was.OverlapDays()))
	}
	for _, day := range was.NoticeSchedule()[1:] { // the first one is at the lead
		if day < is.LeadDays() && !slices.Contains(is.NoticeSchedule(), day) {
			why = append(why, fmt.Sprintf("nobody is told %d days before the end", day))
		}
	}
	more, err := moreSlots(tx, before, after)
	if more {
		why = append(why, "the partner is taken to hold two certificates at a time")
	}
	now := s.registry.now()
	if is.Window.widerThan(was.Window, now) {
		why = append(why, "activations may happen at more times: "+is.Window.String())
	}
	if f, removed := is.Window.unfrozen(was.Window, now); removed {
		why = append(why, "activations may happen in the freeze "+f.String())
	}
	return why, err
}

// moreSlots reports whether a partner is taken to hold more certificates than before.
func moreSlots(tx Reader, before, after Environment) (bool, error) {
	if before.Rotation.Slots == after.Rotation.Slots {
		return false, nil
	}
	p, err := tx.Partner(after.Partner)
	if err != nil {
		return false, err
	}
	prof, err := LoadProfile(tx, p.Profile)
	if err != nil {
		return false, err
	}
	return after.SlotsOf(prof) > before.SlotsOf(prof), nil
}

// widerThan reports whether a window, without its freezes, may allow what another does not. Of two
// zones nothing is compared, so another zone counts as wider, unless nothing was limited before.
func (w Window) widerThan(was Window, now time.Time) bool {
	before, err := was.read()
	if err != nil { // nobody could activate anything
		return true
	}
	after, err := w.read()
	if err != nil {
		return false
	}
	limited := false
	for day := time.Sunday; day <= time.Saturday; day++ {
		for at := time.Duration(0); at < 24*time.Hour; at += time.Minute {
			if before.open(day, at) {
				continue
			}
			if limited = true; after.open(day, at) {
				return true
			}
		}
	}
	return before.zone.String() != after.zone.String() && (limited || len(before.ahead(now)) > 0)
}

// ahead returns the freezes that are not over.
func (r readWindow) ahead(now time.Time) []Freeze {
	today := now.In(r.zone).Format(time.DateOnly)
	return slices.DeleteFunc(slices.Clone(r.freezes), func(f Freeze) bool { return f.To < today })
}

// unfrozen returns the first freeze of another window of which a day from today on is not frozen
// any more, and reports whether there is one.
func (w Window) unfrozen(was Window, now time.Time) (Freeze, bool) {
	before, err := was.read()
	if err != nil {
		return Freeze{}, false
	}
	freezes := slices.Clone(w.Freezes)
	slices.SortFunc(freezes, func(a, b Freeze) int { return strings.Compare(a.From, b.From) })
	today := now.In(before.zone).Format(time.DateOnly)
	for _, f := range before.ahead(now) {
		day := max(f.From, today) // the first day that is not known to be frozen
		for _, g := range freezes {
			if g.From <= day && day <= g.To {
				day = dayAfter(g.To)
			}
		}
		if day <= f.To {
			return f, true
		}
	}
	return Freeze{}, false
}

func dayAfter(date string) string {
	day, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return date
	}
	if next := day.AddDate(0, 0, 1); next.Year() <= 9999 { // a year of five digits would sort before
		return next.Format(time.DateOnly)
	}
	return "9999-12-32"
}
