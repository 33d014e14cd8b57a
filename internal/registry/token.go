package registry

import (
	"crypto/rand"
	"encoding/base32"

	"github.com/sealane/sealane/internal/lanes"
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
	hash := lanes.TokenHash(token)
	return token, token[:len("sealane_"+kind+"_")+prefixShown], hash[:]
}
