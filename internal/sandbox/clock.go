package sandbox

import "time"

// Clock tells the time; a nil Clock is time.Now.
type Clock func() time.Time

// Now returns the time in UTC.
func (c Clock) Now() time.Time {
	if c == nil {
		return time.Now().UTC()
	}
	return c().UTC()
}

// Timestamp writes a time as both vendors' examples do, with milliseconds.
func Timestamp(t time.Time) string { return t.Format("2006-01-02T15:04:05.000Z07:00") }
