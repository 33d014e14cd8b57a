//go:build !(linux && !android && (amd64 || arm64) && (cgo || sealane_dlopen))

package libcrypto

import (
	"crypto"
	"crypto/rsa"
	"fmt"
	"io"
	"runtime"
)

// Built reports whether this build can load OpenSSL.
const Built = false

var errNotBuilt = func() error {
	if runtime.GOOS == "linux" && (runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64") {
		return fmt.Errorf("%w: build with cgo or with -tags sealane_dlopen", ErrNotBuilt)
	}
	return fmt.Errorf("%w: it is loaded on Linux only, on amd64 and arm64", ErrNotBuilt)
}()

// Library cannot be loaded in this build.
type Library struct{}

// Load returns [ErrNotBuilt].
func Load() (*Library, error) { return nil, errNotBuilt }

// Version is empty in this build.
func (*Library) Version() string { return "" }

// Path is empty in this build.
func (*Library) Path() string { return "" }

// FIPS is false in this build.
func (*Library) FIPS() bool { return false }

// NewKey returns [ErrNotBuilt].
func (*Library) NewKey(*rsa.PrivateKey) (*Key, error) { return nil, errNotBuilt }

// Key cannot be made in this build.
type Key struct{}

// Public is nil in this build.
func (*Key) Public() crypto.PublicKey { return nil }

// Sign returns [ErrNotBuilt].
func (*Key) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, errNotBuilt }

// Decrypt returns [ErrNotBuilt].
func (*Key) Decrypt(io.Reader, []byte, crypto.DecrypterOpts) ([]byte, error) {
	return nil, errNotBuilt
}

// Raw returns [ErrNotBuilt].
func (*Key) Raw([]byte, []byte) error { return errNotBuilt }

// Close does nothing in this build.
func (*Key) Close() error { return nil }

// NewPublicKey returns [ErrNotBuilt].
func (*Library) NewPublicKey(*rsa.PublicKey) (*PublicKey, error) { return nil, errNotBuilt }

// PublicKey cannot be made in this build.
type PublicKey struct{}

// Public is nil in this build.
func (*PublicKey) Public() *rsa.PublicKey { return nil }

// EncryptOAEP returns [ErrNotBuilt].
func (*PublicKey) EncryptOAEP(crypto.Hash, []byte) ([]byte, error) { return nil, errNotBuilt }

// Verify returns [ErrNotBuilt].
func (*PublicKey) Verify(digest, signature []byte, options crypto.SignerOpts) error {
	return errNotBuilt
}

// Raw returns [ErrNotBuilt].
func (*PublicKey) Raw([]byte, []byte) error { return errNotBuilt }

// Close does nothing in this build.
func (*PublicKey) Close() error { return nil }
