package registry

import (
	"crypto/rand"
)

// newID returns a short identity for people to type: kind, which is a letter, a hyphen, and 50
// random bits. The store refuses an identity that is there already.
func newID(kind string) string {
	b := make([]byte, 7)
	rand.Read(b)
	return kind + "-" + lowerBase32.EncodeToString(b)[:10]
}

// checkName refuses a name that would need quoting in commands and URLs.
func checkName(what, name string) error {
	if len(name) == 0 || len(name) > 64 {
		return Refuse("%s %q has %d characters; give it 1 to 64", what, name, len(name))
	}
	for i, c := range name {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' && i > 0) {
			return Refuse("%s %q: use small letters, digits and hyphens", what, name)
		}
	}
	return nil
}
