package kms

import (
	"crypto/fips140"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/sealane/sealane/internal/libcrypto"
	"github.com/sealane/sealane/keyring"
)

// The choices of ChooseRSA.
const (
	Auto    = "auto"    // OpenSSL where it loads and its self-test holds; Go elsewhere, and in FIPS mode
	Go      = "go"      // crypto/rsa
	OpenSSL = "openssl" // the system's OpenSSL 3, or no start
)

// RSA is what does the RSA operations of keys in memory. The zero value is
// crypto/rsa.
type RSA struct {
	library *libcrypto.Library
	why     string // for Go, where OpenSSL might have been
}

// ChooseRSA settles it for a process, by platform and version and not by a race
// of timings, so that an auditor can say which it is. Only OpenSSL asked for by
// name can fail: where it does not load, or, in FIPS mode, has no FIPS provider.
func ChooseRSA(choice string) (RSA, error) {
	switch choice {
	case Go:
		return RSA{why: "as chosen"}, nil
	case Auto, "":
		if fips140.Enabled() {
			return RSA{why: "FIPS 140-3 mode is on"}, nil
		}
		library, err := libcrypto.Load()
		if err != nil {
			return RSA{why: err.Error()}, nil
		}
		return RSA{library: library}, nil
	case OpenSSL:
		library, err := libcrypto.Load()
		if err != nil {
			return RSA{}, fmt.Errorf("RSA by OpenSSL: %w", err)
		}
		if fips140.Enabled() && !library.FIPS() {
			return RSA{}, errors.New("RSA by OpenSSL: FIPS 140-3 mode is on, and OpenSSL's FIPS provider is not: configure it (openssl fipsinstall), or choose go")
		}
		return RSA{library: library}, nil
	}
	return RSA{}, fmt.Errorf("RSA by %q: choose %s, %s or %s", choice, Auto, Go, OpenSSL)
}

// String says what it is, with its version.
func (r RSA) String() string {
	if r.library == nil {
		if r.why == "" {
			return "Go crypto/rsa"
		}
		return "Go crypto/rsa (" + r.why + ")"
	}
	text := r.library.Version() + " (" + r.library.Path() + ")"
	if r.library.FIPS() {
		text += " with its FIPS provider"
	}
	return text
}

// Private gives the key in the hands of r. Keys that are not in memory stay where
// they are.
func (r RSA) Private(key keyring.Private) (keyring.Private, error) {
	inMemory, ok := key.(*rsa.PrivateKey)
	if r.library == nil || !ok {
		return key, nil
	}
	own, err := r.library.NewKey(inMemory)
	if err != nil {
		return nil, err
	}
	return own, nil
}

// Public gives what does the operations of a partner's key; nil is crypto/rsa.
func (r RSA) Public(key *rsa.PublicKey) (keyring.PublicOps, error) {
	if r.library == nil {
		return nil, nil
	}
	own, err := r.library.NewPublicKey(key)
	if err != nil {
		return nil, err
	}
	return own, nil
}
