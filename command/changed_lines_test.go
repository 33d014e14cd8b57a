package command

import (
	"slices"
	"strings"
	"testing"
)

// The lines that are not the same are shown, and those between them are not.
func TestChangedLines(t *testing.T) {
	for _, c := range []struct{ was, is, want string }{
		{"a\nb\nc", "a\nb\nc", ""},
		{"a\nb\nc", "a\nx\nc", "- b|+ x"},
		{"a\nb\nc", "a\nc", "- b"},
		{"a\nc", "a\nb\nc", "+ b"},
		{"", "a", "+ a"},
		{"a\nb\na\nb", "b\na\nb\na", "- a|+ a"},
		{"same\n" + strings.Repeat("x\n", maxDiffLines), "same", "- same"},
	} {
		got := changedLines(c.was, c.is)
		if joined := strings.Join(got, "|"); joined != c.want && !(len(got) > maxDiffLines && got[0] == c.want) {
			t.Errorf("%q to %q: %q, want %q", c.was, c.is, joined, c.want)
		}
		var back []string // the lines that are new are of the new text
		for _, line := range got {
			if added, is := strings.CutPrefix(line, "+ "); is {
				back = append(back, added)
			}
		}
		for _, line := range back {
			if !slices.Contains(strings.Split(c.is, "\n"), line) {
				t.Errorf("%q is not in %q", line, c.is)
			}
		}
	}
}
