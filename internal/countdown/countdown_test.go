package countdown_test

import (
	"slices"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/countdown"
)

// A notice is due at the instant of its day, not a second before, in whatever zone the time is written.
func TestDay(t *testing.T) {
	t.Parallel()
	days := countdown.Days()
	if want := []int{75, 60, 30, 14, 7, 1, 0}; !slices.Equal(days, want) {
		t.Fatalf("%v, want %v", days, want)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	zones := []*time.Location{time.UTC, time.FixedZone("+14", 14*3600), time.FixedZone("-12", -12*3600), berlin}
	ends := []time.Time{
		time.Date(2028, 2, 29, 23, 59, 59, 0, time.UTC), time.Date(2027, 3, 28, 1, 30, 0, 0, time.UTC),
		time.Date(2027, 10, 31, 0, 30, 0, 0, time.UTC), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	for _, end := range ends {
		for _, zone := range zones {
			before, due := 0, false
			for _, day := range append(slices.Clone(days), -7, -14, -70) {
				at := countdown.Before(end, day).In(zone)
				got, was := countdown.Day(days, end.In(zone), at.Add(-time.Second))
				if day == -70 {
					before = -63
				}
				if was != due || was && got != before {
					t.Errorf("a second before %d days: %d, %v", day, got, was)
				}
				for _, after := range []time.Duration{0, time.Second} {
					if got, was := countdown.Day(days, end, at.Add(after)); got != day || !was {
						t.Errorf("%s after %d days before %s: %d, %v", after, day, end, got, was)
					}
				}
				if next := countdown.Next(days, end, at.Add(-time.Second)); !next.Equal(at) {
					t.Errorf("the next before %d days is at %s, want %s", day, next, at)
				}
				before, due = day, true
			}
		}
	}
}

// Days are full days, and none is left when less than one is.
func TestLeft(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	end := time.Date(2028, 2, 29, 12, 0, 0, 0, time.UTC)
	for left, want := range map[time.Duration]int{
		7 * day: 7, 7*day - time.Second: 6, day: 1, day - time.Second: 0, 0: 0, -time.Second: -1, -day: -2,
		-day + time.Second: -1, -7 * day: -8,
	} {
		if got := countdown.Left(end, end.Add(-left)); got != want {
			t.Errorf("%s before the end: %d days left, want %d", left, got, want)
		}
	}
}
