package notify_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	ics "github.com/arran4/golang-ical"

	"github.com/sealane/sealane/internal/notify"
)

// TestCalendar (pitfall 38): the identity and the sequence are those of the event, so that a program replaces it.
func TestCalendar(t *testing.T) {
	t.Parallel()
	at := time.Date(2027, 1, 30, 9, 30, 0, 0, time.FixedZone("", 14*3600))
	stamp := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	e := notify.Event{
		UID: "c-7k2m4q6z3x@company.example", Summary: "First Bank PROD: api.bank.example ends",
		Description: "Serial number 0x5A, 90 (decimal)\nSend us the next; or, ask.", At: at, Stamp: stamp, Sequence: 3,
	}
	first := notify.Calendar("Certificates", []notify.Event{e})
	golden(t, "calendar.ics", string(first))
	if again := notify.Calendar("Certificates", []notify.Event{e}); !bytes.Equal(first, again) {
		t.Errorf("%s\n%s", first, again)
	}
	e.At, e.Stamp, e.Sequence = at.AddDate(0, 0, 1), stamp.Add(time.Hour), 4
	moved := read(t, notify.Calendar("Certificates", []notify.Event{e}))[0]
	for property, want := range map[ics.ComponentProperty]string{
		ics.ComponentPropertyUniqueId: e.UID, ics.ComponentPropertySequence: "4",
		ics.ComponentPropertyDtStart: "20270130T193000Z", ics.ComponentPropertyDtstamp: "20261201T100000Z",
	} {
		if got := moved.GetProperty(property); got == nil || got.Value != want {
			t.Errorf("%s: %v", property, got)
		}
	}
}

// TestCalendarIsSafe: names of partners add no property and no event.
func TestCalendarIsSafe(t *testing.T) {
	t.Parallel()
	for _, name := range append(hostile, "x\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:y", "a;b,c\\n\\") {
		at := time.Unix(1, 0)
		events := []notify.Event{{UID: name, Summary: name, Description: name, At: at, Stamp: at}}
		data := notify.Calendar(name, events)
		if list := read(t, data); len(list) != 1 || len(list[0].Properties) != 8 {
			t.Errorf("%.40q:\n%s", name, data)
		}
		for one := range bytes.SplitSeq(data, []byte("\r\n")) {
			if len(one) > 75 || bytes.ContainsAny(one, "\r\n\x00\x1b") {
				t.Errorf("%.40q: the line %q", name, one)
			}
		}
	}
}

// read reads a calendar with its library.
func read(t *testing.T, data []byte) []*ics.VEvent {
	t.Helper()
	c, err := ics.ParseCalendar(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	for _, must := range []string{"REFRESH-INTERVAL;VALUE=DURATION:PT6H\r\n", "X-PUBLISHED-TTL:PT6H\r\n"} {
		if !strings.Contains(string(data), must) {
			t.Errorf("there is no %q:\n%s", must, data)
		}
	}
	return c.Events()
}
