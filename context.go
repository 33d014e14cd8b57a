package sealane

import (
	"context"
	"crypto"
	"io"

	"github.com/sealane/sealane/keyring"
)

// withContext returns key with the context of one call bound to its operations, and key itself
// where its operations take none.
func withContext(ctx context.Context, key keyring.Private) keyring.Private {
	_, signs := key.(keyring.ContextSigner)
	_, decrypts := key.(keyring.ContextDecrypter)
	if !signs && !decrypts {
		return key
	}
	return contextKey{key, ctx}
}

// contextKey lives as long as one call to Seal or Open.
type contextKey struct {
	keyring.Private
	ctx context.Context
}

func (k contextKey) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if s, ok := k.Private.(keyring.ContextSigner); ok {
		return s.SignContext(k.ctx, digest, opts)
	}
	return k.Private.Sign(rand, digest, opts)
}

func (k contextKey) Decrypt(rand io.Reader, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	if d, ok := k.Private.(keyring.ContextDecrypter); ok {
		return d.DecryptContext(k.ctx, ciphertext, opts)
	}
	return k.Private.Decrypt(rand, ciphertext, opts)
}
