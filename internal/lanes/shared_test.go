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
	pair := func(id string, state keyring.State, confirmed time.Time) lanes.Pair {
		return lanes.Pair{ID: id, Environment: "PROD", Shared: true, State: state, Confirmed: confirmed}
	}
	own := func(id string, state keyring.State, confirmed time.Time) lanes.Pair {
		return lanes.Pair{ID: id, Environment: "PROD", State: state, Confirmed: confirmed}
	}
	dev := pair("d", keyring.Active, at(9))
	dev.Environment = "DEV"
	never := time.Time{}
	const active, staged, retiring = keyring.Active, keyring.Staged, keyring.Retiring
	for _, c := range []struct {
		name, want string
		pairs      []lanes.Pair
	}{
		{"one that is not confirmed", "staged", []lanes.Pair{pair("a", active, never)}},
		{"one that is confirmed", "active", []lanes.Pair{pair("a", active, at(1))}},
		{"one of its own, and then a shared one", "retiring active",
			[]lanes.Pair{own("o", active, at(1)), pair("a", active, at(2))}},
		{"a shared one, and then one of its own", "active retiring",
			[]lanes.Pair{own("o", active, at(2)), pair("a", active, at(1))}},
		{"one of its own, and a shared one that is not confirmed", "active staged",
			[]lanes.Pair{own("o", active, at(1)), pair("a", active, never)}},
		{"the last confirmed", "active retiring", []lanes.Pair{pair("a", active, at(2)), pair("b", active, at(1))}},
		{"a tie", "active retiring", []lanes.Pair{pair("b", active, at(1)), pair("a", active, at(1))}},
		{"other environments", "active active", []lanes.Pair{pair("a", active, at(1)), dev}},
		{"others that are not active", "active staged retiring",
			[]lanes.Pair{pair("a", active, at(1)), pair("b", staged, at(2)), pair("c", retiring, at(3))}},
		{"a retiring one that is not confirmed", "staged", []lanes.Pair{pair("a", retiring, never)}},
		{"one of its own that is staged, and later", "staged active",
			[]lanes.Pair{own("o", staged, at(2)), pair("a", active, at(1))}},
	} {
		var got []string
		for i := range c.pairs {
			got = append(got, fmt.Sprint(lanes.StateFor(c.pairs, i)))
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
