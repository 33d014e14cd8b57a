// Package countdown says on which days before an end people are told. Days have 24 hours.
package countdown

import (
	"slices"
	"time"
)

// Lead is how many days before the end of a certificate its successor is due, and people are told first.
const Lead = 75

// Days returns the days before the end of a certificate on which people are told, the first one first. After the end
// they are told each week.
func Days() []int { return []int{Lead, 60, 30, 14, 7, 1, 0} }

const (
	day     = 24 * time.Hour
	week    = 7 * day
	maxLate = 100 * 52 * week
)

// Day returns the day whose notice is due at a time, and reports whether one is: the last day that was
// reached, never those before it. After the end it is the last full week, as a negative number of days. days has the
// largest number first.
func Day(days []int, end, now time.Time) (due int, is bool) {
	if late := now.Sub(end); late >= week {
		return -7 * int(min(late, maxLate)/week), true
	}
	for _, n := range slices.Backward(days) {
		if !now.Before(Before(end, n)) {
			return n, true
		}
	}
	return 0, false
}

// Next returns when the notice after that of a time is due.
func Next(days []int, end, now time.Time) time.Time {
	for _, n := range days {
		if at := Before(end, n); at.After(now) {
			return at
		}
	}
	weeks := max(0, now.Sub(end)/week)
	return end.Add((weeks + 1) * week)
}

// Before returns the instant a number of days before another.
func Before(end time.Time, days int) time.Time { return end.Add(-time.Duration(days) * day) }

// Left returns how many full days are left until an end. After the end it is -1 less the full days
// since then.
func Left(end, now time.Time) int {
	if left := end.Sub(now); left >= 0 {
		return int(left / day)
	}
	return -1 - int(now.Sub(end)/day)
}
