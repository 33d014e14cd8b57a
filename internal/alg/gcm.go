package alg

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/rand"
)

// Lengths of AES-GCM (RFC 7518 section 5.3), in bytes.
const (
	gcmIV  = 12
	gcmTag = 16
)

// The AES-GCM that FIPS 140-3 approves generates its own initialization vector and puts it
// before the ciphertext. In place, that moves the whole text by 12 bytes. This is done in
// FIPS mode only; otherwise the vector is generated here and nothing moves. Every content
// encryption key is new and encrypts one message, so no vector can repeat under a key in
// either case.

func sealGCM(cek, iv, plaintext, additional []byte) ([]byte, error) {
	block, err := aes.NewCipher(cek)
	if err != nil {
		return nil, err
	}
	if fips140.Enabled() {
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, err
		}
		sealed := aead.Seal(plaintext[:0], nil, plaintext, additional)
		copy(iv, sealed)
		return sealed[gcmIV:], nil
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	rand.Read(iv)
	return aead.Seal(plaintext[:0], iv, plaintext, additional), nil
}

// openGCM overwrites the plaintext if it cannot authenticate it, as the standard library
// does.
func openGCM(cek, sealed, additional []byte) ([]byte, error) {
	block, err := aes.NewCipher(cek)
	if err != nil {
		return nil, err
	}
	if fips140.Enabled() {
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, err
		}
		return aead.Open(sealed[:0], nil, sealed, additional)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return aead.Open(sealed[gcmIV:gcmIV], sealed[:gcmIV], sealed[gcmIV:], additional)
}
