package registry

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Window says when activations may happen. The zero value is always.
//
// It is read as a clock on a wall in the zone: an hour that comes twice when the clock is set back
// counts both times, and an hour that is left out is in no window.
type Window struct {
	// Zone is an IANA name, such as Europe/Berlin. Empty is UTC.
	Zone string `json:"zone,omitempty"`
	// Days are those on which the window begins: "Mon" to "Sun". Empty is every day.
	Days []string `json:"days,omitempty"`
	// From and To are times such as "22:00" and "04:00"; the window ends before the minute To. If To
	// is before From, it is that of the next day. Both empty are the whole day.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Freezes are days on which nothing is activated, whatever the rest says.
	Freezes []Freeze `json:"freezes,omitempty"`
}

// Freeze is a time without activations.
type Freeze struct {
	From   string `json:"from"` // a date such as 2026-12-18, in the window's zone
	To     string `json:"to"`   // the last day of it
	Reason string `json:"reason,omitempty"`
}

// yearsAhead is how far Next searches.
const yearsAhead = 2

// Check returns nil if an activation may happen at t. Otherwise the error says why not, and when
// the next time is.
func (w Window) Check(t time.Time) error {
	read, err := w.read()
	if err != nil {
		return err
	}
	local := t.In(read.zone)
	if read.allows(local) {
		return nil
	}
	why := "is outside the window " + w.String()
	if f, frozen := read.frozen(local); frozen {
		why = "is in the freeze " + f.String()
	}
	next := fmt.Sprintf("no time within %d years is allowed", yearsAhead)
	if at, found := read.next(t); found {
		next = "the next time is " + windowTime(at)
	}
	return Refuse("%s %s; %s", windowTime(local), why, next)
}

// windowTime returns a time of the window's zone for people.
func windowTime(t time.Time) string {
	return t.Format("2006-01-02 15:04:05 -07:00")
}

// Next returns the first instant at or after t at which an activation may happen. It reports false
// if there is none within two years.
func (w Window) Next(t time.Time) (time.Time, bool) {
	read, err := w.read()
	if err != nil {
		return time.Time{}, false
	}
	return read.next(t)
}

// Frozen returns the freeze that t is in, and reports whether there is one.
func (w Window) Frozen(t time.Time) (Freeze, bool) {
	read, err := w.read()
	if err != nil {
		return Freeze{}, false
	}
	return read.frozen(t.In(read.zone))
}

// String returns the window without its freezes, as people write it: "Mon-Fri 22:00-04:00
// Europe/Berlin". The zero value is "always".
func (w Window) String() string {
	var parts []string
	if len(w.Days) > 0 {
		parts = append(parts, daysText(w.Days))
	}
	if w.From != "" || w.To != "" {
		parts = append(parts, w.From+"-"+w.To)
	}
	if w.Zone != "" {
		parts = append(parts, w.Zone)
	}
	if len(w.Days) == 0 && w.From == "" && w.To == "" {
		return strings.Join(append([]string{"always"}, parts...), " ")
	}
	return strings.Join(parts, " ")
}

// String returns the freeze as people write it.
func (f Freeze) String() string {
	return strings.TrimSpace(f.From + ".." + f.To + " " + f.Reason)
}

// weekdays are the names of days in a window, in the order of [time.Weekday].
var weekdays = []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

// readWindow is a window whose texts were read.
type readWindow struct {
	zone     *time.Location
	days     [7]bool       // by time.Weekday
	from, to time.Duration // since midnight on the wall clock; both 0: the whole day
	freezes  []Freeze
}

// read reads the texts of the window.
func (w Window) read() (r readWindow, err error) {
	r.freezes = w.Freezes
	if w.Zone == "Local" { // whatever the machine has
		return r, Refuse("the zone of a window can't be Local: name it, such as Europe/Berlin")
	}
	if r.zone, err = time.LoadLocation(w.Zone); err != nil {
		return r, Refuse("the zone %q of a window is not known: use a name such as Europe/Berlin, or UTC", w.Zone)
	}
	for _, name := range w.Days {
		day := slices.Index(weekdays, name)
		if day < 0 {
			return r, Refuse("the day %q of a window is none of %s", name, strings.Join(weekdays, ", "))
		}
		if r.days[day] {
			return r, Refuse("the day %s is in the window twice", name)
		}
		r.days[day] = true
	}
	if len(w.Days) == 0 {
		r.days = [7]bool{true, true, true, true, true, true, true}
	}
	if w.From == "" && w.To == "" {
		return r, nil
	}
	if r.from, err = clock(w.From); err == nil {
		r.to, err = clock(w.To)
	}
	if err == nil && r.from == r.to {
		err = Refuse("the window begins and ends at %s: leave both out for the whole day", w.From)
	}
	return r, err
}

// clock returns the time of a text such as 22:00, since midnight.
func clock(text string) (time.Duration, error) {
	t, err := time.Parse("15:04", text)
	if err != nil || len(text) != len("15:04") {
		return 0, Refuse("%q is no time of a window; write it as 22:00", text)
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

// sinceMidnight returns how late it is on the wall clock.
func sinceMidnight(local time.Time) time.Duration {
	h, m, s := local.Clock()
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second +
		time.Duration(local.Nanosecond())
}

// allows reports whether a time in the window's zone is allowed.
func (r readWindow) allows(local time.Time) bool {
	_, frozen := r.frozen(local)
	return !frozen && r.open(local.Weekday(), sinceMidnight(local))
}

// open reports whether a time of the week is in the window, without its freezes.
func (r readWindow) open(day time.Weekday, at time.Duration) bool {
	if r.from == r.to {
		return r.days[day]
	}
	if r.from < r.to {
		return r.days[day] && at >= r.from && at < r.to
	}
	before := (day + 6) % 7
	return r.days[day] && at >= r.from || r.days[before] && at < r.to
}

// frozen returns the freeze of a time in the window's zone.
func (r readWindow) frozen(local time.Time) (Freeze, bool) {
	date := local.Format(time.DateOnly)
	for _, f := range r.freezes {
		if f.From <= date && date <= f.To {
			return f, true
		}
	}
	return Freeze{}, false
}

// next goes from one instant at which the answer may change to the one after it: the window's
// begin, midnight, and a change of the zone's offset. There are about three in a day.
func (r readWindow) next(t time.Time) (time.Time, bool) {
	const day = 24 * time.Hour
	end := t.UTC().AddDate(yearsAhead, 0, 0)
	for at := t.In(r.zone); !at.After(end); {
		if r.allows(at) {
			return at, true
		}
		late := sinceMidnight(at)
		next := at.Add(day - late) // by the present offset
		if r.from > late {
			next = at.Add(r.from - late)
		}
		if _, change := at.ZoneBounds(); !change.IsZero() && change.Before(next) {
			next = change
		}
		at = next
	}
	return time.Time{}, false
}

// daysText returns days with ranges: "Mon-Fri", "Mon,Wed-Fri".
func daysText(days []string) string {
	var parts []string
	for i := 0; i < len(days); {
		last := i
		for last+1 < len(days) && follows(days[last], days[last+1]) {
			last++
		}
		switch last - i {
		case 0:
			parts = append(parts, days[i])
		case 1:
			parts = append(parts, days[i], days[last])
		default:
			parts = append(parts, days[i]+"-"+days[last])
		}
		i = last + 1
	}
	return strings.Join(parts, ",")
}

// follows reports whether a day comes after another.
func follows(day, next string) bool {
	at := slices.Index(weekdays, day)
	return at >= 0 && weekdays[(at+1)%7] == next
}
