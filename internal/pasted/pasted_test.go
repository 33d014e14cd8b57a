package pasted_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/pasted"
)

func TestWord(t *testing.T) {
	const alias = "1234dadc1234b704c1f23dc4-PKE-ACS-Client-4096SHA2-STAG"
	for _, text := range []string{
		alias, alias + " ", "\u00a0" + alias + "\r\n", "\ufeff" + alias, "“" + alias + "”",
		"\u200e" + alias + "\u200b",
	} {
		if got, err := pasted.Word(text); err != nil || got != alias {
			t.Errorf("%q: %q %v", text, got, err)
		}
	}
	for odd, says := range map[string]string{
		"–": "there is a typographic dash in place of a hyphen (character 25 is en dash U+2013)",
		"‑": "non-breaking hyphen U+2011",
	} {
		_, err := pasted.Word(strings.ReplaceAll(alias, "-", odd))
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), alias) {
			t.Errorf("%s: %v", odd, err)
		}
	}
	for text, says := range map[string]string{
		"12\u200b34": "there is an invisible character in it (character 3 is zero-width space U+200B",
		"12\u00a034": "there is a typographic blank in it (character 3 is no-break space U+00A0)",
	} {
		if _, err := pasted.Word(text); err == nil || !strings.Contains(err.Error(), says) ||
			!strings.Contains(err.Error(), ": 1234") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if got, err := pasted.Word("as acme calls it"); err != nil || got != "as acme calls it" {
		t.Errorf("%q %v", got, err)
	}
}

func TestSecret(t *testing.T) {
	for _, data := range []string{
		"changeit", "changeit\r\n", "\xef\xbb\xbfchangeit\r\n",
		"\xff\xfec\x00h\x00a\x00n\x00g\x00e\x00i\x00t\x00\r\x00\n\x00",
		"\xfe\xff\x00c\x00h\x00a\x00n\x00g\x00e\x00i\x00t\x00\n", "c\x00h\x00a\x00n\x00g\x00e\x00i\x00t\x00",
	} {
		if got := pasted.Secret([]byte(data)); string(got) != "changeit" {
			t.Errorf("%q: %q", data, got)
		}
	}
	for _, data := range []string{" with blanks ", "\xff\x80binary", "p\u00e4ss"} {
		if got := pasted.Secret([]byte(data)); string(got) != data {
			t.Errorf("%q: %q", data, got)
		}
	}
}

func TestTokens(t *testing.T) {
	part := strings.Repeat("Ab_-", 20)
	token := "eyJhbGciOiJSU0EtT0FFUC0yNTYifQ." + part + ".AAAAAAAAAAAAAAAA." + part + "." + strings.Repeat("t", 22)
	wrapped := func(before string) string {
		var lines []string
		for l := range slices.Chunk([]byte(token), 76) {
			lines = append(lines, before+string(l))
		}
		return strings.Join(lines, "\n")
	}
	for name, text := range map[string]string{
		"alone": token, "wrapped": wrapped(""), "quoted": wrapped("> > "),
		"in a letter": "Dear all,\n\n" + wrapped("") +
			"\n\nRegards", "no blank line": wrapped("  ") + "\nRegards",
		"in a sentence": "It is " + token + ". Please answer.",
		"in quotes":     `{"token":"` + token + `"}`, "hard line ends": strings.ReplaceAll(wrapped(""), "\n", "=\n"),
		"blank lines": strings.ReplaceAll(wrapped(""), "\n", "\n\n"),
	} {
		if got := pasted.Tokens(text, 5); !slices.Contains(got, token) {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, text := range []string{"", "eyJ", "eyJ.eyJ", "Dear all", token[:60], strings.Repeat(".", 100)} {
		if got := pasted.Tokens(text, 5); len(got) > 0 {
			t.Errorf("%q: %q", text, got)
		}
	}
}
