//go:build linux && !android && (amd64 || arm64) && (cgo || sealane_dlopen)

package libcrypto

import (
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"runtime"

	"github.com/sealane/sealane/internal/rsapad"
)

// PublicKey is an RSA public key of OpenSSL. It is safe for concurrent use. OpenSSL performs the bare
// operation. The paddings are made and compared here, as a whole, so that no error code of OpenSSL
// has to tell a bad signature from a failing library.
type PublicKey struct {
	public *rsa.PublicKey
	last   []byte // as in Key
	handle *handle
}

// NewPublicKey imports a key of 2048 to 4096 bits, and tests it with an encryption.
func (l *Library) NewPublicKey(key *rsa.PublicKey) (*PublicKey, error) {
	k, err := l.newPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("libcrypto: import RSA public key: %w", err)
	}
	return k, nil
}

func (l *Library) newPublicKey(key *rsa.PublicKey) (*PublicKey, error) {
	if key == nil || key.N == nil || key.N.Sign() <= 0 {
		return nil, errors.New("the key is empty")
	}
	if err := checkSize(key.N); err != nil {
		return nil, err
	}
	if key.N.Bit(0) == 0 || key.E < 3 || key.E&1 == 0 || key.E > 1<<31-1 {
		return nil, fmt.Errorf("an even modulus or the exponent %d is not RSA's: use a key with exponent 65537", key.E)
	}
	own := &rsa.PublicKey{N: new(big.Int).Set(key.N), E: key.E}
	e := big.NewInt(int64(own.E))
	pkey, err := l.importKey(publicKey, own.N, e)
	if err != nil {
		return nil, err
	}
	k := &PublicKey{public: own, last: rsapad.LessOne(own.N), handle: &handle{library: l, pkey: pkey}}
	two := big.NewInt(2)
	in, out := two.FillBytes(make([]byte, own.Size())), make([]byte, own.Size())
	err = k.handle.run(encrypting, out, in)
	if err == nil && new(big.Int).Exp(two, e, own.N).Cmp(new(big.Int).SetBytes(out)) != 0 {
		err = errors.New("its first result is wrong: use crypto/rsa and report this version of OpenSSL")
	}
	if err != nil {
		k.handle.close()
		return nil, err
	}
	runtime.AddCleanup(k, (*handle).close, k.handle)
	return k, nil
}

// Public returns the *rsa.PublicKey, which must not be changed.
func (k *PublicKey) Public() *rsa.PublicKey { return k.public }

// EncryptOAEP encrypts with RSA-OAEP with SHA-256 or SHA-1, used for the mask too, and an empty label.
// The error for a message that is too long is rsa.ErrMessageTooLong.
func (k *PublicKey) EncryptOAEP(hash crypto.Hash, message []byte) ([]byte, error) {
	defer runtime.KeepAlive(k) // its cleanup would close it while the operation waits
	sealed, err := rsapad.Encrypt(k, k.last, hash, message)
	return sealed, named(err)
}

// Verify checks a signature of a SHA-256 digest, with the options of [Key.Sign]. The error for a bad
// signature is rsa.ErrVerification; any other error is operational.
func (k *PublicKey) Verify(digest, signature []byte, options crypto.SignerOpts) error {
	defer runtime.KeepAlive(k) // its cleanup would close it while the operation waits
	return named(rsapad.Verify(k, k.last, digest, signature, options))
}

// Raw performs the bare operation with the public key, on a number below the modulus.
func (k *PublicKey) Raw(out, in []byte) error {
	defer runtime.KeepAlive(k)
	return k.handle.run(encrypting, out, in)
}

// Close frees the key as [Key.Close] does.
func (k *PublicKey) Close() error {
	k.handle.close()
	return nil
}
