package termtext_test

import (
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/termtext"
)

func TestSafe(t *testing.T) {
	for in, want := range map[string]string{
		"CN=Bank é 銀行":           "CN=Bank é 銀行",
		"a\x1b[2J":               `"a\x1b[2J"`,
		"bank\u202eelpmaxe":      `"bank\u202eelpmaxe"`,
		"zero\u200bwidth":        `"zero\u200bwidth"`,
		"c1\u009b31m":            `"c1\u009b31m"`,
		"line\r\nend":            `"line\r\nend"`,
		"bad\xff":                `"bad\xff"`,
		strings.Repeat("é", 100): strings.Repeat("é", 25) + "…",
	} {
		if got := termtext.Safe(in, 50); got != want {
			t.Errorf("%q: %s", in, got)
		}
	}
}
