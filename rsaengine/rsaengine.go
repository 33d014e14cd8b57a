// Package rsaengine chooses what performs RSA: Go's crypto/rsa, or the OpenSSL 3 of the system.
//
// # Use
//
// RSA is most of the cost of a small message, and OpenSSL takes a quarter to three quarters of the
// time that crypto/rsa takes. A program calls [Select] once. It passes its private keys to
// [Engine.PrivateKey] and the partners' public keys to [Engine.PublicOps], and puts the results into a
// [keyring.Key]. A program that does not use this package uses crypto/rsa.
//
// Every engine performs the same operations and returns the same errors: only [rsa.ErrDecryption] and
// [rsa.ErrVerification] mean that a message is bad.
//
// # Builds
//
// OpenSSL is loaded when the program runs (dlopen), on Linux on amd64 and arm64, if the program was
// built with cgo, Go's default where there is a C compiler, or with the build tag sealane_dlopen. Such
// a program needs the C library of the system. With CGO_ENABLED=0 and without the tag, the program is
// static and RSA is always Go's. [OpenSSLBuilt] and [Engine.String] say which it is.
//
// # Memory
//
// A private key that OpenSSL uses is in OpenSSL's memory, in addition to the *rsa.PrivateKey. It is
// wiped there when the key is closed (the result of PrivateKey then has a method Close) or is garbage.
package rsaengine

import (
	"crypto/fips140"
	"crypto/rsa"
	"errors"
	"fmt"
	"runtime"

	"github.com/sealane/sealane/internal/libcrypto"
	"github.com/sealane/sealane/keyring"
)

// The choices that [Select] knows.
const (
	// Auto is OpenSSL if it loads and passes its self-test, and Go otherwise and in FIPS
	// mode.
	Auto = "auto"
	// Go is crypto/rsa.
	Go = "go"
	// OpenSSL is the OpenSSL 3 of the system. If it cannot be used, Select returns an
	// error.
	OpenSSL = "openssl"
)

// ErrUnknown is returned by [Select] for a choice that it does not know.
var ErrUnknown = errors.New("unknown RSA engine")

// OpenSSLBuilt reports whether this build can load OpenSSL. It is false on other systems than Linux
// on amd64 and arm64, and in a build without cgo, which is static, unless the build tag
// sealane_dlopen is set.
const OpenSSLBuilt = libcrypto.Built

// An Engine performs RSA operations with keys in memory. The zero value and a nil *Engine are
// crypto/rsa. An Engine is safe for concurrent use.
type Engine struct {
	library *libcrypto.Library
	reason  string // why it is Go, if OpenSSL was possible
}

// Select returns the engine of that name: [Auto], [Go] or [OpenSSL]. An empty choice is
// Auto.
//
// The choice depends on the platform, on the version of OpenSSL and on FIPS mode, and never
// on a measurement, so that an auditor can tell beforehand which engine a system uses. Only
// an explicit choice of OpenSSL can fail: if it does not load, or if it has no FIPS
// provider in FIPS 140-3 mode.
func Select(choice string) (*Engine, error) {
	switch choice {
	case Go:
		return &Engine{reason: "as chosen"}, nil
	case Auto, "":
		if fips140.Enabled() {
			return &Engine{reason: "FIPS 140-3 mode is on"}, nil
		}
		library, err := libcrypto.Load()
		if err != nil {
			return &Engine{reason: err.Error()}, nil
		}
		return &Engine{library: library}, nil
	case OpenSSL:
		library, err := libcrypto.Load()
		if err != nil {
			return nil, fmt.Errorf("RSA by OpenSSL: %w; or choose %s", err, Go)
		}
		if fips140.Enabled() && !library.FIPS() {
			return nil, errors.New("RSA by OpenSSL: FIPS 140-3 mode is on, but OpenSSL's FIPS provider is not: " +
				"configure it (openssl fipsinstall), or choose go")
		}
		return &Engine{library: library}, nil
	}
	return nil, fmt.Errorf("%w %q: choose %s, %s or %s", ErrUnknown, choice, Auto, Go, OpenSSL)
}

// String returns the engine's name with its version and, for Go, the reason for it.
func (e *Engine) String() string {
	switch {
	case e == nil || e.library == nil && e.reason == "":
		return "Go crypto/rsa"
	case e.library == nil:
		return "Go crypto/rsa (" + e.reason + ")"
	}
	text := e.library.Version() + " (" + e.library.Path() + ")"
	if e.library.FIPS() {
		text += " with its FIPS provider"
	}
	return text
}

// Concurrency returns how many operations e can use at once. More are correct too: they wait in the
// engine, in the order in which they came, without regard to whose they are.
func (e *Engine) Concurrency() int { return runtime.GOMAXPROCS(0) }

// PrivateKey returns key with its operations performed by e. Keys that are not an
// *rsa.PrivateKey, such as those in a key store, are returned unchanged.
func (e *Engine) PrivateKey(key keyring.Private) (keyring.Private, error) {
	inMemory, ok := key.(*rsa.PrivateKey)
	if e == nil || e.library == nil || !ok {
		return key, nil
	}
	k, err := e.library.NewKey(inMemory)
	if err != nil {
		return nil, err
	}
	return k, nil
}

// PublicOps returns the operations of a partner's key, performed by e. For crypto/rsa it
// returns nil, which means the same in a [keyring.Key].
func (e *Engine) PublicOps(key *rsa.PublicKey) (keyring.PublicOps, error) {
	if e == nil || e.library == nil {
		return nil, nil
	}
	k, err := e.library.NewPublicKey(key)
	if err != nil {
		return nil, err
	}
	return k, nil
}
