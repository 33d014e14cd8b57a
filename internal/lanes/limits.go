package lanes

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Limits bound what the partner of one lane may ask of serving programs. A member that is 0 is no
// limit.
type Limits struct {
	Rate     Rate `json:"rate,omitzero"`       // requests
	Burst    int  `json:"burst,omitempty"`     // requests at once; 0 is twice the rate
	InFlight int  `json:"in_flight,omitempty"` // sealed requests that are served at the same time
	Failures Rate `json:"failures,omitzero"`   // messages that cannot be opened
}

// LooserThan reports whether one of the limits allows more than that of other.
func (l Limits) LooserThan(other Limits) bool {
	return looser(l.Rate, other.Rate) || looser(l.InFlight, other.InFlight) || looser(l.Failures, other.Failures) ||
		l.Rate != 0 && l.burst() > other.burst() && other.Rate != 0
}

// looser compares limits for which 0 is none.
func looser[N int | Rate](a, b N) bool { return b != 0 && (a == 0 || a > b) }

func (l Limits) burst() int {
	if l.Burst > 0 {
		return l.Burst
	}
	return l.Rate.Burst()
}

// String returns the limits as a person reads them, or "".
func (l Limits) String() string {
	var parts []string
	add := func(set bool, format string, value any) {
		if set {
			parts = append(parts, fmt.Sprintf(format, value))
		}
	}
	add(l.Rate != 0, "%s requests", l.Rate)
	add(l.Burst != 0, "%d at once", l.Burst)
	add(l.InFlight != 0, "%d in flight", l.InFlight)
	add(l.Failures != 0, "%s failures", l.Failures)
	return strings.Join(parts, ", ")
}

// Rate is how often something may happen in a second. Its text is a number with /s or /m, such as
// 100/s.
type Rate float64

// maxRate is the highest number in the text of a rate.
const maxRate = 1e9

// ParseRate parses the text of a rate.
func ParseRate(text string) (Rate, error) {
	number, unit, ok := strings.Cut(text, "/")
	n, err := strconv.ParseFloat(number, 64)
	seconds := map[string]float64{"s": 1, "m": 60}[unit]
	if !ok || err != nil || seconds == 0 || !(n > 0) || n > maxRate {
		return 0, fmt.Errorf("is %.40q: give a rate such as 100/s or 30/m", text)
	}
	return Rate(n / seconds), nil
}

// Burst returns twice the rate, and at least 1: how many may come at once if nothing else is said.
func (r Rate) Burst() int { return max(1, int(math.Ceil(2*float64(r)))) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (r *Rate) UnmarshalText(text []byte) (err error) {
	*r, err = ParseRate(string(text))
	return err
}

// MarshalText implements [encoding.TextMarshaler].
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// String returns the text, from which [ParseRate] returns the same rate.
func (r Rate) String() string {
	if minute := math.Round(float64(r) * 60); r != Rate(math.Trunc(float64(r))) && Rate(minute/60) == r {
		return strconv.FormatFloat(minute, 'f', -1, 64) + "/m"
	}
	return strconv.FormatFloat(float64(r), 'f', -1, 64) + "/s"
}

// SchemaPattern is the pattern of a rate in a configuration file.
func (*Rate) SchemaPattern() string { return `^[0-9.]+/[sm]$` }
