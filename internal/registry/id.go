package registry

import (
	"crypto/rand"
	"fmt"
)

// newID makes a short identity for people to type: a letter, a hyphen, and 50
// random bits. The store refuses one that is there.
func newID(kind string) string {
	b := make([]byte, 7)
	rand.Read(b)
	return kind + "-" + lowerBase32.EncodeToString(b)[:10]
}

// checkName refuses a name that people would have trouble with in commands and
// addresses.
func checkName(what, name string) error {
	if len(name) == 0 || len(name) > 64 {
		return fmt.Errorf("%s %q has %d characters; give it 1 to 64", what, name, len(name))
	}
	for i, c := range name {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' && i > 0) {
			return fmt.Errorf("%s %q: use small letters, digits and hyphens", what, name)
		}
	}
	return nil
}
