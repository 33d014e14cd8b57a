package registry

import (
	"context"
	"errors"
	"math"
	"strings"

	"github.com/sealane/sealane/internal/lanes"
)

// ImportAPIKey takes over an API key that a partner has already. It is stored as one of ours is.
func (s *Session) ImportAPIKey(ctx context.Context, wanted NewAPIKey, key string) (APIKey, error) {
	key = strings.TrimSpace(key)
	if err := checkImported(key); err != nil {
		return APIKey{}, err
	}
	return s.addAPIKey(ctx, ActionAPIKeyImport, wanted, func(tx Tx, k *APIKey, hash *lanes.HashKey) error {
		sum := hash.Token(key)
		k.HMAC, k.Prefix = sum[:], key[:prefixShown]
		if strings.HasPrefix(key, "sealane_api_") { // of another registry
			k.Prefix = key[:len("sealane_api_")+prefixShown]
		}
		_, err := tx.APIKeyByHMAC(k.HMAC)
		switch {
		case err == nil: // whose it is, is nobody's business who may have guessed it
			return Refuse("this API key is known already, or was revoked: the partner needs another one")
		case !errors.Is(err, ErrNotFound):
			return err
		}
		return nil
	})
}

// The strength of an imported API key: guessing goes over the network, so 112 bits are far beyond it.
const (
	minImportedBits = 112
	maxImported     = 512 // characters
	minDifferent    = 8   // characters
)

// checkImported refuses an API key that can't be sent in a header, is of another kind, or could be
// guessed. Its first characters are shown, so they don't count.
func checkImported(key string) error {
	for _, c := range key {
		if c <= ' ' || c > '~' {
			return Refuse("the API key has a character that is not visible ASCII, or more than one line")
		}
	}
	switch {
	case strings.HasPrefix(key, "sealane_person_"):
		return Refuse("this is the token of a person, not an API key")
	case len(key) > maxImported:
		return Refuse("the API key has %d characters: at most %d can be imported", len(key), maxImported)
	case len(key) <= prefixShown || bits(key[prefixShown:]) < minImportedBits:
		return Refuse("the API key is too short to be safe: it needs %d random bits behind its first %d characters, "+
			"such as 32 hexadecimal digits, or 23 letters and digits", minImportedBits, prefixShown)
	}
	return nil
}

// bits returns how many bits a text has, if it was made at random from the kinds of characters that it
// has. It is 0 for a text that surely was not.
func bits(text string) float64 {
	for n := 1; n <= len(text)/2; n++ {
		if strings.HasPrefix(text, text[n:]) { // it repeats its first n characters
			return 0
		}
	}
	seen := map[rune]bool{}
	var digits, lower, upper, notHex, other bool
	length := 0
	for _, c := range text {
		seen[c] = true
		switch {
		case c == '-' || c == '_' || c == '.': // they mostly separate parts
			continue
		case c >= '0' && c <= '9':
			digits = true
		case c >= 'a' && c <= 'z':
			lower, notHex = true, notHex || c > 'f'
		case c >= 'A' && c <= 'Z':
			upper, notHex = true, notHex || c > 'F'
		default:
			other = true
		}
		length++
	}
	if len(seen) < minDifferent {
		return 0
	}
	alphabet := 0.0
	for _, kind := range []struct {
		has  bool
		size float64
	}{{digits, 10}, {lower && notHex, 26}, {upper && notHex, 26}, {(lower || upper) && !notHex, 6}, {other, 2}} {
		if kind.has {
			alphabet += kind.size
		}
	}
	return float64(length) * math.Log2(alphabet)
}
