// Package kms turns a key URI into a private key that signs and decrypts. So
// far it knows files; further schemes (PKCS#11, Vault) come as cases of Open.
package kms

import (
	"context"
	"crypto/x509"
	"fmt"
	"strings"

	"github.com/sealane/sealane/internal/readlimit"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/keyring"
)

// Options says how to reach keys.
type Options struct {
	// Passphrase is asked for only where a key is encrypted. Nil: there is none.
	Passphrase func() ([]byte, error)
}

// Opened is a private key with what its container said of it.
type Opened struct {
	Private      keyring.Private
	KeyID        string // where the container has one (JWK)
	Certificates []*x509.Certificate
}

// Open gives the key that uri names: "file:PATH", or a path alone.
func Open(ctx context.Context, uri string, o Options) (*Opened, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	path := strings.TrimPrefix(uri, "file:")
	if scheme, _, found := strings.Cut(path, ":"); found && path == uri && !strings.ContainsAny(scheme, `/\.`) && len(scheme) > 1 {
		return nil, fmt.Errorf("key %q: scheme %q is not known; use file:PATH", uri, scheme)
	}
	data, err := readlimit.File(path, keyfile.MaxSize)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	defer clear(data)
	key, info, err := keyfile.ParsePrivateAsk(data, o.Passphrase)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", path, err)
	}
	return &Opened{Private: key, KeyID: info.KeyID, Certificates: info.Certificates}, nil
}
