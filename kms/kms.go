package kms

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"

	"github.com/sealane/sealane/internal/readlimit"
	"github.com/sealane/sealane/keyring"
)

// A Key is a private key, with what its store knows about it.
type Key struct {
	// Private performs the operations. An *rsa.PrivateKey is in this process's memory; package
	// rsaengine can make its operations faster.
	Private keyring.Private

	// KeyID is the key ID (kid) that is stored with the key, as in a JWK. It is empty if there is none.
	KeyID string

	// Certificates are those that are stored with the key. They may be for other keys too.
	Certificates []*x509.Certificate
}

// Close frees what the key holds at its store. It calls the Close method of k.Private if there is one,
// and otherwise does nothing.
func (k *Key) Close() error {
	if c, ok := k.Private.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Options says how to open keys. The zero value is for keys that need no passphrase.
type Options struct {
	// Passphrase returns the passphrase or PIN of a key. It is called only for a key that needs one,
	// and the caller overwrites the result after use. If it is nil, such keys cannot be opened.
	Passphrase func() ([]byte, error)

	// Warn receives a sentence about a key that can be used and should be kept better, such as a file
	// that other users can read. The default logs it by slog.Default().
	Warn func(text string)
}

// Open opens the private key that a key URI names, in the store that is registered for its scheme. A
// URI without a scheme is the path of a file.
//
// The caller closes the key when no lane uses it any more. The context is for Open alone; it does not
// limit the use of the key.
func Open(ctx context.Context, uri string, o Options) (*Key, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	scheme := schemeOf(uri)
	open, err := opener(scheme)
	if err != nil {
		return nil, err
	}
	// The errors do not contain the URI: it may contain a credential (RFC 7512 section 2.3, pin-value).
	key, err := open(ctx, uri, o)
	if err != nil {
		return nil, fmt.Errorf("%s key: %w", scheme, err)
	}
	if err := key.check(); err != nil {
		return nil, fmt.Errorf("%s key: %w", scheme, err)
	}
	return key, nil
}

// Name returns a name of the key at a URI that may be shown: a file's path, and of other URIs the
// scheme alone, since they may contain a credential. A text that is a key, and no path, is not shown.
func Name(uri string) string {
	scheme := schemeOf(uri)
	if scheme == "file" && readlimit.CheckName(uri) == nil {
		return uri
	}
	return scheme + ":…"
}

// check reports a key that no lane could use.
func (k *Key) check() error {
	if k == nil || k.Private == nil {
		return errors.New("the key store returned no key, and no error")
	}
	if public, ok := k.Private.Public().(*rsa.PublicKey); !ok || public == nil {
		return errors.Join(fmt.Errorf("its public key is a %T: use an RSA key", k.Private.Public()), k.Close())
	}
	return nil
}
