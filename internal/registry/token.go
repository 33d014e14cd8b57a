package registry

import (
	"crypto/rand"
	"encoding/base32"

	"github.com/sealane/sealane/internal/lanes"
)

// A token is a prefix that names its kind, and 160 random bits. So many need no salt and no slow
// hash.
const (
	tokenBytes  = 20
	prefixShown = 4 // random characters that may be shown
)

var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newToken returns a token, the prefix of it that may be shown, and its hash.
func newToken(kind string) (token, prefix string, sum []byte) {
	b := make([]byte, tokenBytes)
	rand.Read(b)
	token = "sealane_" + kind + "_" + lowerBase32.EncodeToString(b)
	hash := lanes.TokenHash(token)
	return token, token[:len("sealane_"+kind+"_")+prefixShown], hash[:]
}
