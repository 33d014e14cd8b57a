//go:build linux && !android && (amd64 || arm64) && (cgo || sealane_dlopen)

package libcrypto

import (
	"bytes"
	"crypto"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"runtime"
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
	k := &PublicKey{public: own, last: lessOne(own.N), handle: &handle{library: l, pkey: pkey}}
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
	if hash != crypto.SHA256 && hash != crypto.SHA1 {
		return nil, errors.New("libcrypto: encrypt: only RSA-OAEP with SHA-256 or SHA-1 is supported")
	}
	if hash == crypto.SHA1 && fips140.Enforced() {
		return nil, errors.New("libcrypto: encrypt: " + sha1NotAllowed)
	}
	size := len(k.last)
	if len(message) > size-2*hash.Size()-2 {
		return nil, rsa.ErrMessageTooLong
	}
	em := make([]byte, size)
	encodeOAEP(em, message, hash)
	if err := k.handle.run(encrypting, em, em); err != nil {
		clear(em)
		return nil, err
	}
	return em, nil
}

// encodeOAEP is the inverse of decodeOAEP. em must consist of zeros.
func encodeOAEP(em, message []byte, hash crypto.Hash) {
	size := hash.Size()
	seed, db := em[1:1+size], em[1+size:]
	rand.Read(seed)
	var label [sha256.Size]byte
	digest(&label, nil, hash)
	copy(db, label[:size])
	db[len(db)-len(message)-1] = 1
	copy(db[len(db)-len(message):], message)
	mask(db, seed, hash)
	mask(seed, db, hash)
}

// sha256Info precedes a SHA-256 digest in an RS256 signature (RFC 8017 section 9.2 note 1).
var sha256Info = []byte{
	0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
}

// Verify checks a signature of a SHA-256 digest, with the options of [Key.Sign]. The error for a bad
// signature is rsa.ErrVerification; any other error is operational.
func (k *PublicKey) Verify(digest, signature []byte, options crypto.SignerOpts) error {
	defer runtime.KeepAlive(k) // its cleanup would close it while the operation waits
	pss, err := scheme(options)
	if err != nil {
		return fmt.Errorf("libcrypto: verify: %w", err)
	}
	if len(digest) != sha256.Size {
		return fmt.Errorf("libcrypto: verify: the digest has %d bytes, not the 32 of SHA-256", len(digest))
	}
	if len(signature) != len(k.last) || !between(signature, k.last) {
		return rsa.ErrVerification
	}
	var got, want [maxModulus]byte
	n := len(signature)
	if err := k.handle.run(encrypting, got[:n], signature); err != nil {
		return err
	}
	if pss {
		if !verifyPSS(got[:n], digest, k.public.N.BitLen()) {
			return rsa.ErrVerification
		}
		return nil
	}
	info := n - len(digest) - len(sha256Info)
	want[1] = 1
	for i := 2; i < info-1; i++ {
		want[i] = 0xff
	}
	copy(want[info:], sha256Info)
	copy(want[info+len(sha256Info):], digest)
	if !bytes.Equal(got[:n], want[:n]) { // both are public
		return rsa.ErrVerification
	}
	return nil
}

// Close frees the key as [Key.Close] does.
func (k *PublicKey) Close() error {
	k.handle.close()
	return nil
}
