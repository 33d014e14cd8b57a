// Package rsaengine chooses what performs RSA: Go's crypto/rsa, the OpenSSL 3 of the system, or Intel's
// crypto_mb, which performs eight operations at once.
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
// # Batches
//
// With [Multibuffer], operations of different keys that come at the same time are performed together,
// up to eight of one size, which takes hardly longer than three do in OpenSSL. That needs a processor with AVX-512
// IFMA, on amd64, and many requests at once: a single client is served by OpenSSL, in the same time as
// without crypto_mb. Inputs are blinded, and every result of a private key is checked before it is
// used. Operations that wait for a batch end with their context ([keyring.ContextSigner]).
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
	"strings"

	"github.com/sealane/sealane/internal/libcrypto"
	"github.com/sealane/sealane/internal/rsabatch"
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
	// Multibuffer is Intel's crypto_mb of the system for batches of operations, and OpenSSL for
	// operations that come alone. Multibuffer + ":" + path is the library in that file.
	Multibuffer = "multibuffer"
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
	reason  string // why it is Go, if OpenSSL was possible, or why there are no batches
	batches *batches
}

// Select returns the engine of that name: [Auto], [Go], [OpenSSL] or [Multibuffer]. An empty choice is
// Auto.
//
// The choice depends on the platform, on the version of OpenSSL and on FIPS mode, and never
// on a measurement, so that an auditor can tell beforehand which engine a system uses.
//
// An explicit choice of OpenSSL fails if it does not load, or if it has no FIPS provider in FIPS 140-3
// mode. Multibuffer is never chosen by Auto. It fails in FIPS 140-3 mode. If crypto_mb cannot be used
// for any other reason, the engine is that of Auto, and [Engine.String] says why. All calls with one
// choice of Multibuffer return one Engine.
func Select(choice string) (*Engine, error) {
	name, path, named := strings.Cut(choice, ":")
	switch {
	case choice == Go:
		return &Engine{reason: "as chosen"}, nil
	case choice == Auto, choice == "":
		if fips140.Enabled() {
			return &Engine{reason: "FIPS 140-3 mode is on"}, nil
		}
		library, err := libcrypto.Load()
		if err != nil {
			return &Engine{reason: err.Error()}, nil
		}
		return &Engine{library: library}, nil
	case choice == OpenSSL:
		library, err := libcrypto.Load()
		if err != nil {
			return nil, fmt.Errorf("RSA by OpenSSL: %w; or choose %s", err, Go)
		}
		if fips140.Enabled() && !library.FIPS() {
			return nil, errors.New("RSA by OpenSSL: FIPS 140-3 mode is on, but OpenSSL's FIPS provider is not: " +
				"configure it (openssl fipsinstall), or choose go")
		}
		return &Engine{library: library}, nil
	case name == Multibuffer && (path != "" || !named):
		if fips140.Enabled() {
			return nil, errors.New("RSA by crypto_mb: FIPS 140-3 mode is on, " +
				"and crypto_mb is not a validated module: choose auto, go or openssl")
		}
		return multibufferEngine(path), nil
	}
	return nil, fmt.Errorf("%w %q: choose %s, %s, %s, %s or %s:PATH",
		ErrUnknown, choice, Auto, Go, OpenSSL, Multibuffer, Multibuffer)
}

// String returns the engine's name with its version and, for Go and for an engine without batches, the
// reason for it. It may change: crypto_mb is switched off if it fails.
func (e *Engine) String() string {
	if e == nil || e.library == nil {
		if e == nil || e.reason == "" {
			return "Go crypto/rsa"
		}
		return "Go crypto/rsa (" + e.reason + ")"
	}
	text := e.library.Version() + " (" + e.library.Path() + ")"
	if e.library.FIPS() {
		text += " with its FIPS provider"
	}
	switch {
	case e.batches != nil:
		return e.batches.describe(text)
	case e.reason != "":
		return text + " (" + e.reason + ")"
	}
	return text
}

// Concurrency returns how many operations e can use at once. More are correct too: they wait in the
// engine, in the order in which they came, without regard to whose they are. With batches, it is two
// full ones for each processor: one that runs and one that waits.
func (e *Engine) Concurrency() int {
	if e != nil && e.batches != nil && e.batches.engine.Stats().Off == "" {
		return 2 * rsabatch.Slots * e.batches.engine.Places()
	}
	return runtime.GOMAXPROCS(0)
}

// PrivateKey returns key with its operations performed by e. Keys that are not an
// *rsa.PrivateKey, such as those in a key store, are returned unchanged.
func (e *Engine) PrivateKey(key keyring.Private) (keyring.Private, error) {
	inMemory, ok := key.(*rsa.PrivateKey)
	if e == nil || e.library == nil || !ok {
		return key, nil
	}
	if e.batches != nil {
		k, err := e.batches.engine.NewKey(inMemory)
		if err != nil {
			return nil, err
		}
		return k, nil
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
	if e.batches != nil {
		k, err := e.batches.engine.NewPublicKey(key)
		if err != nil {
			return nil, err
		}
		return k, nil
	}
	k, err := e.library.NewPublicKey(key)
	if err != nil {
		return nil, err
	}
	return k, nil
}
