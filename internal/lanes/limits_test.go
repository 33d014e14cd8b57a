package lanes_test

import (
	"encoding/json"
	"testing"

	"github.com/sealane/sealane/internal/lanes"
)

// TestRate: a rate is read from its own text unchanged.
func TestRate(t *testing.T) {
	for text, want := range map[string]string{
		"100/s": "100/s", "30/m": "30/m", "60/m": "1/s", "20/m": "20/m", "0.5/s": "30/m", "7/m": "7/m",
		"0.1/s": "6/m", "0.5/m": "0.008333333333333333/s", "1.5/s": "90/m", "1.001/s": "1.001/s",
		"1e9/s": "1000000000/s",
	} {
		r, err := lanes.ParseRate(text)
		if err != nil || r.String() != want {
			t.Errorf("%s: %s, %v; want %s", text, r, err, want)
		}
		if again, err := lanes.ParseRate(r.String()); err != nil || again != r {
			t.Errorf("%s: %v is read as %v, %v", text, float64(r), float64(again), err)
		}
	}
	for _, text := range []string{"", "1", "/s", "1/h", "0/s", "-1/s", "NaN/s", "Inf/s", "2e9/s", "1/s ", "none"} {
		if r, err := lanes.ParseRate(text); err == nil {
			t.Errorf("%q: %v", text, r)
		}
	}
}

func TestLimitsAsJSON(t *testing.T) {
	for want, l := range map[string]lanes.Limits{
		`{}`: {},
		`{"rate":"100/s","burst":300,"in_flight":64,"failures":"30/m"}`: {
			Rate: 100, Burst: 300, InFlight: 64, Failures: 0.5,
		},
	} {
		text, err := json.Marshal(l)
		must(t, err)
		if string(text) != want {
			t.Errorf("%s, want %s", text, want)
		}
		var again lanes.Limits
		if must(t, json.Unmarshal(text, &again)); again != l {
			t.Errorf("%+v, want %+v", again, l)
		}
	}
}
