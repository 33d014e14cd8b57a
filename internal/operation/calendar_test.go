package operation_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/registry"
)

// A certificate of five years is in the calendar on the day by which it must be replaced.
func TestCalendarOfTwoYears(t *testing.T) {
	t.Parallel()
	s, database, _ := opened(t)
	for years, id := range map[int]string{1: "short", 5: "long"} {
		partner(t, s, id)
		made := keyFor(t, s, id)
		rows(t, database, func(tx registry.Tx) error {
			c, err := tx.Certificate(made.Certificate.ID)
			must(t, err)
			c.NotAfter = c.NotBefore.AddDate(years, 0, 0)
			return tx.PutCertificate(&c)
		})
	}
	data, err := operation.EndsCalendar.Do(t.Context(), s, operation.InventoryQuery{})
	must(t, err)
	text := strings.ReplaceAll(string(data), "\r\n ", "")
	for name, want := range map[string]struct {
		year int
		what string
	}{"short": {1, "ends"}, "long": {2, "must be replaced"}} {
		_, event, _ := strings.Cut(text, "\nDTSTART:")
		for !strings.Contains(strings.SplitN(event, "END:VEVENT", 2)[0], name+" ") {
			var found bool
			if _, event, found = strings.Cut(event, "\nDTSTART:"); !found {
				t.Fatalf("there is no %s:\n%s", name, text)
			}
		}
		day := time.Now().UTC().AddDate(want.year, 0, 0)
		got, err := time.Parse("20060102", event[:8])
		if err != nil || got.Sub(day).Abs() > 72*time.Hour || !strings.Contains(event, "keys.example "+want.what) {
			t.Errorf("%s: %v, %s, want about %s", name, err, event, day)
		}
	}
}
