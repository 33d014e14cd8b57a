//go:build linux && !android && (amd64 || arm64) && (cgo || sealane_dlopen)

package libcrypto

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/big"
	"runtime"

	"github.com/sealane/sealane/internal/rsapad"
)

// Key is an RSA private key of OpenSSL: a crypto.Signer for RS256 and PS256, and a crypto.Decrypter
// for RSA-OAEP. It is safe for concurrent use.
//
// A key takes about 8 kB, and 2 kB for each operation that runs at the same time. Close frees them,
// and so does the garbage collector, later, when a key is no longer reachable.
type Key struct {
	public *rsa.PublicKey
	last   []byte // the modulus less one, as long as the modulus
	handle *handle
}

const minModulus = 256 // in bytes

// NewKey imports a key of two primes and 2048 to 4096 bits, and tests it with a signature. The
// caller's key is not changed; there are then two copies of it in memory.
func (l *Library) NewKey(key *rsa.PrivateKey) (*Key, error) {
	k, err := l.newKey(key)
	if err != nil {
		return nil, fmt.Errorf("libcrypto: import RSA key: %w", err)
	}
	return k, nil
}

func (l *Library) newKey(key *rsa.PrivateKey) (*Key, error) {
	if key == nil || key.N == nil || key.D == nil || key.D.Sign() <= 0 {
		return nil, errors.New("the private key is empty")
	}
	if err := checkSize(key.N); err != nil {
		return nil, err
	}
	if len(key.Primes) != 2 {
		return nil, fmt.Errorf("the key has %d primes: use one of two", len(key.Primes))
	}
	// The precomputed values of the caller's key are not trusted.
	own := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Set(key.N), E: key.E},
		D:         key.D,
		Primes:    key.Primes,
	}
	own.Precompute()
	if own.Validate() != nil || own.Precomputed.Qinv == nil { // its error may contain the key's numbers
		return nil, errors.New("its numbers do not belong together: take the key from its backup or make a new pair")
	}
	p := own.Precomputed
	pkey, err := l.importKey(keyPair,
		own.N, big.NewInt(int64(own.E)), own.D, own.Primes[0], own.Primes[1], p.Dp, p.Dq, p.Qinv)
	if err != nil {
		return nil, err
	}
	k := &Key{
		public: &rsa.PublicKey{N: own.N, E: own.E},
		last:   rsapad.LessOne(own.N),
		handle: &handle{library: l, pkey: pkey},
	}
	if err := k.try(); err != nil {
		k.handle.close()
		return nil, err
	}
	runtime.AddCleanup(k, (*handle).close, k.handle)
	return k, nil
}

// try checks that OpenSSL imported the key correctly.
func (k *Key) try() error {
	sum := sha256.Sum256([]byte("sealane: a first signature"))
	signature, err := k.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		return err
	}
	if rsa.VerifyPKCS1v15(k.public, crypto.SHA256, sum[:], signature) != nil {
		return errors.New("its first signature does not hold: use crypto/rsa and report this version of OpenSSL")
	}
	return nil
}

// Public returns the *rsa.PublicKey, which must not be changed.
func (k *Key) Public() crypto.PublicKey { return k.public }

// Sign signs a SHA-256 digest. With crypto.SHA256 as opts the signature is RSASSA-PKCS1-v1_5 (RS256).
// With *rsa.PSSOptions of crypto.SHA256 and a salt as long as the hash it is RSASSA-PSS (PS256); OpenSSL
// makes the salt. Other options are refused. The reader is not used.
func (k *Key) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	defer runtime.KeepAlive(k) // its cleanup would close it while the operation waits
	pss, err := rsapad.SchemeOf("sign", digest, opts)
	if err != nil {
		return nil, named(err)
	}
	operation := signing
	if pss {
		operation = signingPSS
	}
	signature := make([]byte, len(k.last))
	if err := k.handle.run(operation, signature, digest); err != nil {
		return nil, err
	}
	return signature, nil
}

// Decrypt decrypts RSA-OAEP with SHA-256 or SHA-1, used for the mask too, and an empty label: opts must
// be *rsa.OAEPOptions that say so. The reader is not used. The error is rsa.ErrDecryption for
// everything that a sender can cause: a bad padding, and a ciphertext for another key or of a wrong
// length or value. Any other error is one of the key or the library and says nothing about the
// message. As with crypto/rsa, leading zeros of the ciphertext may be missing.
func (k *Key) Decrypt(_ io.Reader, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	defer runtime.KeepAlive(k) // its cleanup would close it while the operation waits
	message, err := rsapad.Decrypt(k, k.last, ciphertext, opts)
	return message, named(err)
}

// Raw performs the bare operation with the private key, blinded, on a number below the modulus.
func (k *Key) Raw(out, in []byte) error {
	defer runtime.KeepAlive(k)
	return k.handle.run(decrypting, out, in)
}

// named adds the package's name to an operational error, which is not the message's.
func named(err error) error {
	switch err {
	case nil, rsa.ErrDecryption, rsa.ErrVerification, rsa.ErrMessageTooLong:
		return err
	}
	return fmt.Errorf("libcrypto: %w", err)
}

func checkSize(modulus *big.Int) error {
	if n := modulus.BitLen(); n < 8*minModulus || n > 8*maxModulus {
		return fmt.Errorf("the modulus has %d bits: use a key of 2048, 3072 or 4096", n)
	}
	return nil
}

// Close frees the key, after the operations that run now. It does not wait for them. Later operations
// return [ErrClosed]. Closing again does nothing.
func (k *Key) Close() error {
	k.handle.close()
	return nil
}
