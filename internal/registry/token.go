package registry

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
)

// Tokens have 160 random bits behind a prefix that says what they are. So much
// needs no salt and no slow hash.
const (
	tokenBytes  = 20
	prefixShown = 4 // random characters that may be shown
)

var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newToken makes a credential. The prefix is what may be shown of it for good.
func newToken(kind string) (token, prefix string, sum []byte) {
	b := make([]byte, tokenBytes)
	rand.Read(b)
	token = "sealane_" + kind + "_" + lowerBase32.EncodeToString(b)
	return token, token[:len("sealane_"+kind+"_")+prefixShown], tokenSum(token)
}

// tokenSum is what is stored of a token.
func tokenSum(token string) []byte {
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return sum[:]
}

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
