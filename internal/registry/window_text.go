package registry

import (
	"slices"
	"strings"
	"time"
)

// ParseWindow parses what [Window.String] returns: days, times and a zone, of which each may be left
// out, such as "Mon-Fri 22:00-04:00 Europe/Berlin". "always" stands for every day and the whole of
// it. The window has no freezes.
func ParseWindow(text string) (w Window, err error) {
	words := strings.Fields(text)
	always := len(words) > 0 && words[0] == "always"
	if always {
		words = words[1:]
	} else if len(words) > 0 && isDays(words[0]) {
		if w.Days, err = parseDays(words[0]); err != nil {
			return w, err
		}
		words = words[1:]
	}
	if !always && len(words) > 0 && words[0][0] >= '0' && words[0][0] <= '9' {
		from, to, is := strings.Cut(words[0], "-")
		if !is {
			return w, Refuse("%.40q are no times of a window; write them as 22:00-04:00", words[0])
		}
		w.From, w.To, words = from, to, words[1:]
	}
	if len(words) > 0 {
		w.Zone, words = words[0], words[1:]
	}
	if len(words) > 0 || strings.TrimSpace(text) == "" {
		return w, Refuse(`%.80q is no window; write one such as "Mon-Fri 22:00-04:00 Europe/Berlin", or "always"`,
			text)
	}
	_, err = w.read()
	return w, err
}

// isDays reports whether a word begins with the name of a day, and goes on as a list does.
func isDays(word string) bool {
	return len(word) >= 3 && slices.Contains(weekdays, word[:3]) &&
		(len(word) == 3 || word[3] == ',' || word[3] == '-')
}

// parseDays parses days such as Mon-Fri, or Mon,Wed,Fri-Sun.
func parseDays(text string) (days []string, err error) {
	for part := range strings.SplitSeq(text, ",") {
		first, last, is := strings.Cut(part, "-")
		if !is {
			last = first
		}
		day, end := slices.Index(weekdays, first), slices.Index(weekdays, last)
		if day < 0 || end < 0 {
			return nil, Refuse("%.40q are no days of a window; write them as Mon-Fri, or Mon,Wed", text)
		}
		for days = append(days, weekdays[day]); day != end; days = append(days, weekdays[day]) {
			day = (day + 1) % 7
		}
	}
	return days, nil
}

// ParseFreeze parses what [Freeze.String] returns: "2026-12-18..2027-01-04 year end". One date alone
// is that day.
func ParseFreeze(text string) (f Freeze, err error) {
	dates, reason, _ := strings.Cut(strings.TrimSpace(text), " ")
	from, to, is := strings.Cut(dates, "..")
	if !is {
		to = from
	}
	f = Freeze{From: from, To: to, Reason: strings.TrimSpace(reason)}
	if !is && f.Reason != "" && strings.ContainsAny(f.Reason[:1], ".-0123456789") { // more days were meant
		return f, Refuse("freeze: write %.80q as 2026-12-18..2027-01-04, without blanks between the days", text)
	}
	return f, Window{Freezes: []Freeze{f}}.check()
}

// Freeze adds a freeze, unless it is there.
func (w *Window) Freeze(f Freeze) {
	if !slices.Contains(w.Freezes, f) {
		w.Freezes = append(w.Freezes, f)
	}
}

// Unfreeze removes the freezes that a date is in.
func (w *Window) Unfreeze(date string) error {
	if _, err := time.Parse(time.DateOnly, date); err != nil {
		return Refuse("%.40q is no date; write it as 2026-12-18", date)
	}
	before := len(w.Freezes)
	w.Freezes = slices.DeleteFunc(slices.Clone(w.Freezes), func(f Freeze) bool {
		return f.From <= date && date <= f.To
	})
	if len(w.Freezes) == before {
		return Refuse("%s is in no freeze", date)
	}
	if len(w.Freezes) == 0 {
		w.Freezes = nil // as if there had been none
	}
	return nil
}
