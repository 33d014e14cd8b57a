package jose

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
)

// PublicKey is a partner's key. By, where given, does its operations in place of
// crypto/rsa.
type PublicKey struct {
	*rsa.PublicKey
	By interface {
		EncryptOAEP(hash crypto.Hash, message []byte) ([]byte, error)
		Verify(digest, signature []byte) error
	}
}

// encrypt is RSA-OAEP-256.
func (k PublicKey) encrypt(cek []byte) ([]byte, error) {
	if k.By != nil {
		return k.By.EncryptOAEP(crypto.SHA256, cek)
	}
	return rsa.EncryptOAEP(sha256.New(), rand.Reader, k.PublicKey, cek, nil)
}

// verify is RS256. An error is of the key, not of the signature.
func (k PublicKey) verify(digest, signature []byte) (bool, error) {
	if k.By == nil {
		return rsa.VerifyPKCS1v15(k.PublicKey, crypto.SHA256, digest, signature) == nil, nil
	}
	err := k.By.Verify(digest, signature)
	if err == nil || errors.Is(err, rsa.ErrVerification) {
		return err == nil, nil
	}
	return false, err
}
