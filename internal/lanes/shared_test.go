package lanes_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/keyring"
)

func TestStateFor(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 11, 21, 12, minute, 0, 0, time.UTC) }
	pair := func(id string, state keyring.State, confirmed time.Time) lanes.SharedPair {
		return lanes.SharedPair{ID: id, Environment: "PROD", State: state, Confirmed: confirmed}
	}
	dev := pair("d", keyring.Active, at(9))
	dev.Environment = "DEV"
	const active, staged, retiring = keyring.Active, keyring.Staged, keyring.Retiring
	for _, c := range []struct {
		name      string
		pairs     []lanes.SharedPair
		ownActive bool
		want      string
	}{
		{"one that is not confirmed", []lanes.SharedPair{pair("a", active, time.Time{})}, false, "staged"},
		{"one that is confirmed", []lanes.SharedPair{pair("a", active, at(1))}, false, "active"},
		{"with a pair of its own", []lanes.SharedPair{pair("a", active, at(1)), pair("b", active, time.Time{})}, true,
			"retiring staged"},
		{"the last confirmed", []lanes.SharedPair{pair("a", active, at(2)), pair("b", active, at(1))}, false,
			"active retiring"},
		{"a tie", []lanes.SharedPair{pair("b", active, at(1)), pair("a", active, at(1))}, false, "active retiring"},
		{"other environments", []lanes.SharedPair{pair("a", active, at(1)), dev}, false, "active active"},
		{"others that are not active", []lanes.SharedPair{pair("a", active, at(1)), pair("b", staged, at(2)),
			pair("c", retiring, at(3))},
			false, "active staged retiring"},
	} {
		var got []string
		for i := range c.pairs {
			got = append(got, fmt.Sprint(lanes.StateFor(c.pairs, i, c.ownActive)))
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%s: %s, want %s", c.name, text, c.want)
		}
	}
}

func TestParseState(t *testing.T) {
	for _, s := range []keyring.State{keyring.Staged, keyring.Active, keyring.Retiring} {
		if got, err := lanes.ParseState(s.String()); got != s || err != nil {
			t.Errorf("%s: %s, %v", s, got, err)
		}
	}
	for _, name := range []string{"", "retired", "Active", "State(0)"} {
		if _, err := lanes.ParseState(name); err == nil {
			t.Errorf("%q is taken for a state of a lane's key", name)
		}
	}
}
