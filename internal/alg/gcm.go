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

// The AES-GCM that FIPS 140-3 approves draws its own initialization vector, and
// puts it in front of the ciphertext: working in place, it moves the whole text by
// those 12 bytes. In FIPS mode that is how it is done; otherwise the vector is
// drawn here and nothing moves. Every content encryption key is fresh and seals
// one message, so either way no vector can repeat under a key.

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

// openGCM wipes what it can't open: that is what the standard library does.
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
