// Package softstore is a key store outside of Sealane's module, in one file: it adds the scheme
// softstore to package kms. Its keys are made when they are first opened.
package softstore

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/sealane/sealane/kms"
)

func init() { kms.Register("softstore", open) }

var (
	mu   sync.Mutex
	keys = map[string]*key{}
)

func open(_ context.Context, uri string, _ kms.Options) (*kms.Key, error) {
	_, name, _ := strings.Cut(uri, ":")
	if name == "" {
		return nil, errors.New("the URI has no name of a key: use softstore:NAME")
	}
	mu.Lock()
	defer mu.Unlock()
	if keys[name] == nil {
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		keys[name] = &key{private}
	}
	return &kms.Key{Private: keys[name], KeyID: name}, nil
}

// key has the methods that a lane calls, and no others.
type key struct{ private *rsa.PrivateKey }

func (k *key) Public() crypto.PublicKey { return k.private.Public() }

func (k *key) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.SignContext(context.Background(), digest, opts)
}

func (k *key) Decrypt(_ io.Reader, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	return k.DecryptContext(context.Background(), ciphertext, opts)
}

func (k *key) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return k.private.Sign(rand.Reader, digest, opts)
}

func (k *key) DecryptContext(ctx context.Context, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return k.private.Decrypt(rand.Reader, ciphertext, opts)
}
