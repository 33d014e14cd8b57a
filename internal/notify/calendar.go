package notify

import (
	"strconv"
	"time"

	ics "github.com/arran4/golang-ical"
)

// Event is a date in a calendar.
type Event struct {
	// UID is the same each time the calendar is made, so that programs replace the event.
	UID string
	// Summary and Description may have any characters. Line feeds of the description stay.
	Summary, Description string
	// At is when it is, and Stamp when it was changed last.
	At, Stamp time.Time
	// Sequence grows with each change.
	Sequence int64
}

// refresh is how often programs read a calendar again.
const refresh = "PT6H"

// Calendar returns events in the format of iCalendar (RFC 5545). The bytes depend on the arguments alone.
func Calendar(name string, events []Event) []byte {
	c := ics.NewCalendar()
	c.SetProductId("-//Sealane//Certificates//EN")
	c.SetMethod(ics.MethodPublish)
	c.SetName(line(name))
	c.SetXWRCalName(line(name))
	c.SetRefreshInterval(refresh)
	c.SetXPublishedTTL(refresh)
	for _, e := range events {
		one := c.AddEvent(line(e.UID))
		one.SetDtStampTime(e.Stamp.UTC())
		one.SetStartAt(e.At.UTC())
		one.SetEndAt(e.At.UTC().Add(time.Hour))
		one.SetProperty(ics.ComponentPropertySequence, strconv.FormatInt(e.Sequence, 10))
		one.SetSummary(line(e.Summary))
		one.SetDescription(lines(e.Description))
		one.SetTimeTransparency(ics.TransparencyTransparent)
	}
	return []byte(c.Serialize(ics.WithNewLine("\r\n")))
}
