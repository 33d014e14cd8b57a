//go:build !linux || android || !(amd64 || arm64) || sealane_static

package libcrypto

import (
	"crypto"
	"crypto/rsa"
	"io"
)

// Library is not to be had in this build.
type Library struct{}

// Load gives [ErrNotHere].
func Load() (*Library, error) { return nil, ErrNotHere }

// Version is empty in this build.
func (*Library) Version() string { return "" }

// Path is empty in this build.
func (*Library) Path() string { return "" }

// FIPS is false in this build.
func (*Library) FIPS() bool { return false }

// NewKey gives [ErrNotHere].
func (*Library) NewKey(*rsa.PrivateKey) (*Key, error) { return nil, ErrNotHere }

// Key is not to be had in this build.
type Key struct{}

// Public is nil in this build.
func (*Key) Public() crypto.PublicKey { return nil }

// Sign gives [ErrNotHere].
func (*Key) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, ErrNotHere }

// Decrypt gives [ErrNotHere].
func (*Key) Decrypt(io.Reader, []byte, crypto.DecrypterOpts) ([]byte, error) {
	return nil, ErrNotHere
}

// Close does nothing in this build.
func (*Key) Close() error { return nil }

// NewPublicKey gives [ErrNotHere].
func (*Library) NewPublicKey(*rsa.PublicKey) (*PublicKey, error) { return nil, ErrNotHere }

// PublicKey is not to be had in this build.
type PublicKey struct{}

// Public is nil in this build.
func (*PublicKey) Public() *rsa.PublicKey { return nil }

// EncryptOAEP gives [ErrNotHere].
func (*PublicKey) EncryptOAEP(crypto.Hash, []byte) ([]byte, error) { return nil, ErrNotHere }

// Verify gives [ErrNotHere].
func (*PublicKey) Verify(digest, signature []byte, options crypto.SignerOpts) error {
	return ErrNotHere
}

// Close does nothing in this build.
func (*PublicKey) Close() error { return nil }
