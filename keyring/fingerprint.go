package keyring

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
)

// Fingerprint returns the SHA-256 of the public key (SubjectPublicKeyInfo) in base64url without
// padding, or "" without a public key. Keys are told apart by it: several may have one ID.
func (k KeyInfo) Fingerprint() string {
	if k.Public == nil {
		return ""
	}
	spki, err := x509.MarshalPKIXPublicKey(k.Public)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(spki)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// IsFingerprint reports whether a text has the form of a [KeyInfo.Fingerprint].
func IsFingerprint(text string) bool {
	if len(text) != base64.RawURLEncoding.EncodedLen(sha256.Size) {
		return false
	}
	sum, err := base64.RawURLEncoding.Strict().DecodeString(text) // which skips the ends of lines
	return err == nil && len(sum) == sha256.Size
}
