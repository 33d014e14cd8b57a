package registry_test

import (
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/registry"
)

// A reason is two different words or more, or a reference.
func TestReasonsSaySomething(t *testing.T) {
	for _, text := range []string{
		"has left", "CHG-4711", "INC0012", "ticket 1", "4711", "a typo", "yearly rotation", "鍵が漏洩した", "ключ утёк",
		"moves to the HSM, CHG-4711", "C-17", "of ID+",
	} {
		if err := registry.CheckReason(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{
		"", " ", ".", "x", "-", "test", "test test", "Test, TEST!", "x y", "… ...", "xx xx xx", "111", "1", "a1",
		"aa aa1 ",
		"\u200b\u200b", "yearly", "..x..",
	} {
		if err := registry.CheckReason(text); err == nil {
			t.Errorf("%q is taken", text)
		} else if len(registry.AdviceIn(err).Needs) != 1 {
			t.Errorf("%q: no advice in %v", text, err)
		}
	}
}

// Every action that asks for a reason asks for one that says something, before it does anything.
func TestEveryReasonIsChecked(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	asked := 0
	for _, action := range registry.Actions() {
		err := s.WithReason("test").Change(ctx, registry.Entry{Action: action},
			func(registry.Tx, *registry.Entry) error {
				return registry.Refuse("inside")
			})
		if err != nil && strings.Contains(err.Error(), "says nothing") {
			asked++
		}
		said := s.WithReason("has left").Change(ctx, registry.Entry{Action: action},
			func(registry.Tx, *registry.Entry) error { return registry.Refuse("inside") })
		if said == nil || strings.Contains(said.Error(), "says nothing") {
			t.Errorf("%s: %v", action, said)
		}
	}
	if asked < 15 {
		t.Errorf("%d actions ask for a reason", asked)
	}
}
