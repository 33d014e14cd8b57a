package lanes

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// HashKeySize is the length of a HashKey's secret, in bytes.
const HashKeySize = 32

// ErrNotConverted means that a registry still has its API keys as earlier versions stored them.
// Such a row identifies nobody, because anyone who can write the database could have made it.
var ErrNotConverted = errors.New("the API keys of the registry are not converted to HMACs yet")

// HashKey is the secret with which a registry stores its API keys. The database has it only
// encrypted under the root key, so somebody who can only write the database can neither add an
// API key nor give one to another partner. It is immutable, and does not print.
type HashKey struct{ secret [HashKeySize]byte }

// NewHashKey returns the HashKey with a secret, which the caller wipes.
func NewHashKey(secret []byte) (*HashKey, error) {
	if len(secret) != HashKeySize {
		return nil, fmt.Errorf("the key of API keys has %d bytes, not %d", len(secret), HashKeySize)
	}
	return &HashKey{[HashKeySize]byte(secret)}, nil
}

// Format prints no secret, whatever the verb.
func (h HashKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "key of API keys") }

// Token returns the HMAC by which an API key is found.
func (h *HashKey) Token(token string) [sha256.Size]byte {
	sum := TokenHash(token)
	return h.TokenSHA256(sum[:])
}

// TokenSHA256 is [HashKey.Token] of the API key that has a [TokenHash].
func (h *HashKey) TokenSHA256(sum []byte) [sha256.Size]byte {
	return h.mac("sealane API key 1", sum)
}

// Bind returns the MAC that binds the HMAC of an API key to the key's identity, its partner and
// environment, and its sealing.
func (h *HashKey) Bind(k APIKey) [sha256.Size]byte {
	return h.mac("sealane API key row 1",
		[]byte(k.ID), []byte(k.Partner), []byte(k.Environment), []byte(k.Sealing), k.HMAC)
}

// mac returns the HMAC-SHA-256 of a purpose and parts, each with its length before it.
func (h *HashKey) mac(purpose string, parts ...[]byte) (sum [sha256.Size]byte) {
	m := hmac.New(sha256.New, h.secret[:])
	for _, part := range append([][]byte{[]byte(purpose)}, parts...) {
		m.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		m.Write(part)
	}
	m.Sum(sum[:0])
	return sum
}

// Check returns a [DamagedRow] if the MAC of a row is not the one that Bind returns. A key that
// was revoked has none.
func (h *HashKey) Check(k APIKey) error {
	want := h.Bind(k)
	why := "its MAC is wrong: its partner, environment, sealing or revocation was changed in the database"
	switch {
	case len(k.HMAC) == 0:
		why = "it has no HMAC: an earlier program, or somebody else, has stored it"
	case subtle.ConstantTimeCompare(want[:], k.Binding) == 1:
		return nil
	}
	return &DamagedRow{Row: fmt.Sprintf("API key %q", k.ID), Table: "api_key", ID: k.ID, Why: why}
}

// TokenHash returns the SHA-256 of a token without surrounding white space.
func TokenHash(token string) [sha256.Size]byte {
	return sha256.Sum256([]byte(strings.TrimSpace(token)))
}
