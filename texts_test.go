package sealane_test

import (
	"regexp"
	"strings"
	"testing"
)

// banned lists words and phrases that must not be in code, comments and docs, with what to write
// instead. CONTRIBUTING.md states the style.
var banned = []struct{ pattern, instead string }{
	{"rooms?", `"package", or "space" for memory`},
	{"houses?", `"package" or "installation"`},
	{"desks?", `"session"`},
	{"doctors?", `"inspect"`},
	{"walks?|walked|walking|walkers?", `"message flow", "reads", "scanner"`},
	{"mend|mends|mended|mending", `"fix" or "correct"`},
	{"whoever", `"anyone who", or name the person`},
	{"in clear", `"unencrypted" or "plain"`},
	{"besides?", `"next to", "other than" or "in addition to"`},
	{"the seeds?|seed's", `"the vendor's specification", with its title`},
	{"gives", `"returns", "reports whether" or "has"`},
}

// allowed lists the exceptions: a file or folder, and a banned word that is right in it.
var allowed = []struct{ path, word, reason string }{
	{"texts_test.go", "", "this list"},
	{"internal/libcrypto/", "the seed", "the seed of OAEP's mask (RFC 8017, section 7.1)"},
	{"internal/rsapad/", "the seed", "the seed of OAEP's mask (RFC 8017, section 7.1)"},
}

// TestTexts checks that texts do not use banned words. Words that are joined by a hyphen, such as
// names of files, do not count.
func TestTexts(t *testing.T) {
	var patterns []string
	for _, b := range banned {
		patterns = append(patterns, "("+b.pattern+")")
	}
	words := regexp.MustCompile(`(?i)(?:^|[^\w-])(?:` + strings.Join(patterns, "|") + `)(?:$|[^\w-])`)
	for _, file := range trackedFiles(t, ".go", ".sh", ".md", ".yaml", ".yml", ".sql", ".py", ".mjs", ".java") {
		for i, line := range linesOf(t, file) {
			m := words.FindStringSubmatch(line)
			for k := range banned {
				if m != nil && m[k+1] != "" && !isAllowed(file, m[k+1]) {
					t.Errorf("%s:%d: %q: write %s", file, i+1, m[k+1], banned[k].instead)
				}
			}
		}
	}
}

func isAllowed(file, word string) bool {
	for _, a := range allowed {
		if strings.HasPrefix(file, a.path) && (a.word == "" || strings.EqualFold(a.word, word)) {
			return true
		}
	}
	return false
}
