package registry_test

import (
	"testing"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// A successor is due before the earlier of two ends: the certificate's, and that of two years of use.
func TestDue(t *testing.T) {
	for _, c := range []struct {
		notAfter, since string
		lead            int
		want            string
	}{
		{"2028-12-01T12:00:00Z", "", 0, "2028-09-17T12:00:00Z"},
		{"2028-12-01T12:00:00Z", "", 60, "2028-10-02T12:00:00Z"},
		{"2028-12-01T12:00:00Z", "2026-12-01T12:00:00Z", 60, "2028-10-02T12:00:00Z"},
		{"2028-12-01T12:00:00Z", "2026-12-01T12:00:01Z", 60, "2028-10-02T12:00:00Z"},
		{"2028-12-01T12:00:00Z", "2026-12-01T11:59:59Z", 60, "2028-10-02T11:59:59Z"},
		{"2036-12-01T12:00:00Z", "2026-12-01T12:00:00Z", 75, "2028-09-17T12:00:00Z"},
		{"2036-12-01T12:00:00Z", "2024-02-29T23:59:59Z", 1, "2026-02-27T23:59:59Z"},
		{"2036-12-01T12:00:00Z", "2026-02-28T12:00:00Z", 1, "2028-02-27T12:00:00Z"},
		{"2028-02-29T12:00:00Z", "", 1, "2028-02-28T12:00:00Z"},
		{"2028-03-01T12:00:00Z", "", 1, "2028-02-29T12:00:00Z"},
		{"2029-03-01T12:00:00Z", "", 1, "2029-02-28T12:00:00Z"},
		{"2028-03-31T02:30:00+02:00", "", 6, "2028-03-25T00:30:00Z"}, // no zone's clock is asked
	} {
		var since time.Time
		if c.since != "" {
			since = at(t, c.since)
		}
		got := registry.Due(at(t, c.notAfter), since, registry.Rotation{Lead: c.lead})
		if want := at(t, c.want); !got.Equal(want) {
			t.Errorf("until %s, since %s, %d days before: %s, want %s", c.notAfter, c.since, c.lead, got, want)
		}
	}
}

// The years of use begin when the key was known to be there: with its certificate's validity, or before.
func TestDueOfCertificate(t *testing.T) {
	end := at(t, "2036-12-01T12:00:00Z")
	early, late := at(t, "2026-12-01T12:00:00Z"), at(t, "2027-06-01T12:00:00Z")
	for name, c := range map[string]registry.Certificate{
		"stored when it was valid": {NotBefore: early, Created: late},
		"valid after it is stored": {NotBefore: late, Created: early},
		"listed":                   {NotBefore: early},
		"without a beginning":      {Created: early},
	} {
		c.NotAfter = end
		if got, want := c.EndOfUse(), at(t, "2028-12-01T12:00:00Z"); !got.Equal(want) {
			t.Errorf("%s: ends on %s, want %s", name, got, want)
		}
		if got, want := c.Due(registry.Rotation{}), at(t, "2028-09-17T12:00:00Z"); !got.Equal(want) {
			t.Errorf("%s: due on %s, want %s", name, got, want)
		}
	}
	if got := (registry.Certificate{NotAfter: end}).EndOfUse(); !got.Equal(end) {
		t.Errorf("nothing else is known, and it ends on %s", got)
	}
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339, text)
	must(t, err)
	return parsed
}
