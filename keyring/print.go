package keyring

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// A Key may hold a private key in memory. However it is printed, logged or marshaled,
// it shows its ID, state, use and the SHA-256 of its public key, and nothing else.

// String describes the key without its private part.
func (k Key) String() string {
	sum := "none"
	if k.Public != nil {
		if spki, err := x509.MarshalPKIXPublicKey(k.Public); err == nil {
			sum = fmt.Sprintf("%x", sha256.Sum256(spki))
		}
	}
	return fmt.Sprintf("key %q (%s, %s, public key SHA-256 %s)", k.ID, k.State, k.Use, sum)
}

// Format writes String, whatever the verb is.
func (k Key) Format(f fmt.State, _ rune) { io.WriteString(f, k.String()) }

// LogValue returns String.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText returns String, so that encoding/json, encoding/xml and YAML libraries write
// it, too. There is no inverse.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// GobEncode returns String.
func (k Key) GobEncode() ([]byte, error) { return k.MarshalText() }

// String describes the keys of the ring without their private parts.
func (r *Ring) String() string {
	texts := make([]string, len(r.all()))
	for i, k := range r.all() {
		texts[i] = k.String()
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// Format writes String, whatever the verb is.
func (r *Ring) Format(f fmt.State, _ rune) { io.WriteString(f, r.String()) }

// LogValue returns String.
func (r *Ring) LogValue() slog.Value { return slog.StringValue(r.String()) }

func (u Use) String() string {
	if u < UseAny || u > UseEnc {
		return fmt.Sprintf("Use(%d)", int(u))
	}
	return [...]string{"any use", "signatures", "encryption"}[u]
}
