package sealane_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"testing"
)

// sealSHA1 writes a JWE with RSA-OAEP (SHA-1), which the codec cannot seal.
func sealSHA1(t *testing.T, header string, plaintext []byte, to *rsa.PublicKey) []byte {
	t.Helper()
	cek := make([]byte, 32)
	rand.Read(cek)
	key, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, to, cek, nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(cek)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	iv := make([]byte, 12)
	rand.Read(iv)
	head := b64([]byte(header))
	sealed := gcm.Seal(nil, iv, plaintext, []byte(head))
	cut := len(sealed) - 16
	return []byte(head + "." + b64(key) + "." + b64(iv) + "." + b64(sealed[:cut]) + "." + b64(sealed[cut:]))
}
