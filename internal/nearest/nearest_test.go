package nearest_test

import (
	"testing"

	"github.com/sealane/sealane/internal/nearest"
)

func TestWord(t *testing.T) {
	words := []string{"acme", "vcas", "Socure", ""}
	for word, want := range map[string]string{
		"vcsa": "vcas", "ACME": "acme", "socur": "Socure", "acme": "acme", "nothing-like-it": "", "é": "",
	} {
		if got := nearest.Word(word, words); got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
	if got := nearest.Word("x", nil); got != "" {
		t.Error(got)
	}
}
