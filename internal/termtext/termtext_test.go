package termtext_test

import (
	"encoding/json"
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

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"a \"name\"\tof 銀行\nand more": "a \"name\"\tof 銀行\nand more",
		"a\x1b[2J\r\n":                `a\x1b[2J\r` + "\n",
		"bank\u202eelpmaxe":           `bank\u202eelpmaxe`,
		"tag\U000e0041":               `tag\U000e0041`,
	} {
		if got := termtext.Escape(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func TestEscapeLine(t *testing.T) {
	const in, want = "one\ttwo\nthree\x1b \"銀行\" \xff", `one\ttwo\nthree\x1b "銀行" �`
	if got := termtext.EscapeLine(in); got != want {
		t.Errorf("%q", got)
	}
}

// TestEscapeJSON: what is written shows no hidden character, and reads as it was.
func TestEscapeJSON(t *testing.T) {
	const hidden = "\u007f\u202e\u009b31m\U000e0041 銀行"
	written, err := json.Marshal(hidden)
	if err != nil {
		t.Fatal(err)
	}
	escaped := termtext.EscapeJSON(string(written))
	if want := `"\u007f\u202e\u009b31m\udb40\udc41 銀行"`; escaped != want {
		t.Errorf("%s", escaped)
	}
	var read string
	if err := json.Unmarshal([]byte(escaped), &read); err != nil || read != hidden {
		t.Errorf("%q %v", read, err)
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{
		0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100",
	} {
		if got := termtext.Count(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
