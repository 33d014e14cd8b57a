package jose

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/rand"
)

// The AES-GCM that FIPS 140-3 approves draws its own IV, and puts it in front of
// the ciphertext: working in place, it moves the whole text by those 12 bytes. In
// FIPS mode that is how it is done; otherwise the IV is drawn here and nothing
// moves. Every content encryption key is fresh and seals one message, so either
// way no IV can repeat under a key.

// sealGCM encrypts plaintext in place and gives ciphertext and tag, for which it
// has spare capacity, and the IV.
func sealGCM(cek []byte, iv *[ivLength]byte, plaintext, additional []byte) ([]byte, error) {
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
		copy(iv[:], sealed)
		return sealed[ivLength:], nil
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	rand.Read(iv[:])
	return aead.Seal(plaintext[:0], iv[:], plaintext, additional), nil
}

// openGCM decrypts IV, ciphertext and tag, which stand in one piece, in place. A
// failure wipes them.
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
	return aead.Open(sealed[ivLength:ivLength], sealed[:ivLength], sealed[ivLength:], additional)
}
