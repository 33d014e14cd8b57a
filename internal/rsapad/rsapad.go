// Package rsapad makes and removes the paddings of RSA (RFC 8017): RSAES-OAEP, RSASSA-PKCS1-v1_5 and
// RSASSA-PSS. The bare operations between them are the caller's: OpenSSL's, or those of eight slots.
//
// Decoding does not depend on secrets in time or memory access, and the only errors that concern a
// message are rsa.ErrDecryption and rsa.ErrVerification.
package rsapad

import (
	"bytes"
	"crypto"
	"crypto/fips140"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
)

// MaxModulus is the length in bytes of the longest modulus.
const MaxModulus = 512

// Raw is a bare RSA operation of one key: in and out are numbers below the modulus, in big-endian
// order and as long as the modulus. They may be the same memory. An error is operational.
type Raw interface {
	Raw(out, in []byte) error
}

const sha1NotAllowed = "RSA-OAEP with SHA-1 is not allowed under GODEBUG=fips140=only: use SHA-256"

// Decrypt decrypts RSA-OAEP with SHA-256 or SHA-1, used for the mask too, and an empty label: options
// must be *rsa.OAEPOptions that say so. last is the modulus less one, and private the operation with
// the private key. The error is rsa.ErrDecryption for everything that a sender can cause: a bad
// padding, and a ciphertext for another key or of a wrong length or value. As with crypto/rsa, leading
// zeros of the ciphertext may be missing.
func Decrypt(private Raw, last, ciphertext []byte, options crypto.DecrypterOpts) ([]byte, error) {
	o, ok := options.(*rsa.OAEPOptions)
	if !ok || o == nil || o.Hash != crypto.SHA256 && o.Hash != crypto.SHA1 ||
		o.MGFHash != 0 && o.MGFHash != o.Hash || len(o.Label) != 0 {
		return nil, errors.New("decrypt: only RSA-OAEP is supported, " +
			"with SHA-256 or SHA-1 for both hashes and no label: use *rsa.OAEPOptions that say so")
	}
	if o.Hash == crypto.SHA1 && fips140.Enforced() {
		return nil, errors.New("decrypt: " + sha1NotAllowed)
	}
	size := len(last)
	if len(ciphertext) > size {
		return nil, rsa.ErrDecryption
	}
	em := make([]byte, size)
	copy(em[size-len(ciphertext):], ciphertext)
	if !between(em, last) {
		return nil, rsa.ErrDecryption
	}
	if err := private.Raw(em, em); err != nil {
		clear(em)
		return nil, err
	}
	message, ok := DecodeOAEP(em, o.Hash)
	if !ok {
		return nil, rsa.ErrDecryption
	}
	return message, nil
}

// Encrypt is the inverse of Decrypt. The error for a message that is too long is
// rsa.ErrMessageTooLong.
func Encrypt(public Raw, last []byte, hash crypto.Hash, message []byte) ([]byte, error) {
	if hash != crypto.SHA256 && hash != crypto.SHA1 {
		return nil, errors.New("encrypt: only RSA-OAEP with SHA-256 or SHA-1 is supported")
	}
	if hash == crypto.SHA1 && fips140.Enforced() {
		return nil, errors.New("encrypt: " + sha1NotAllowed)
	}
	size := len(last)
	if len(message) > size-2*hash.Size()-2 {
		return nil, rsa.ErrMessageTooLong
	}
	em := make([]byte, size)
	encodeOAEP(em, message, hash)
	if err := public.Raw(em, em); err != nil {
		clear(em)
		return nil, err
	}
	return em, nil
}

// Sign signs a SHA-256 digest with the options that [Scheme] reads.
func Sign(private Raw, last, digest []byte, options crypto.SignerOpts) ([]byte, error) {
	pss, err := SchemeOf("sign", digest, options)
	if err != nil {
		return nil, err
	}
	em := make([]byte, len(last))
	if pss {
		encodePSS(em, digest, bitLen(last))
	} else {
		encodePKCS1(em, digest)
	}
	if err := private.Raw(em, em); err != nil {
		clear(em)
		return nil, err
	}
	return em, nil
}

// Verify checks a signature of [Sign]. The error for a bad signature is rsa.ErrVerification; any other
// error is operational.
func Verify(public Raw, last, digest, signature []byte, options crypto.SignerOpts) error {
	pss, err := SchemeOf("verify", digest, options)
	if err != nil {
		return err
	}
	if len(signature) != len(last) || !between(signature, last) {
		return rsa.ErrVerification
	}
	got := make([]byte, len(last))
	if err := public.Raw(got, signature); err != nil {
		return err
	}
	if pss {
		if !verifyPSS(got, digest, bitLen(last)) {
			return rsa.ErrVerification
		}
		return nil
	}
	var want [MaxModulus]byte
	encodePKCS1(want[:len(last)], digest)
	if !bytes.Equal(got, want[:len(last)]) { // both are public
		return rsa.ErrVerification
	}
	return nil
}

// SchemeOf reads the options of a signature. With crypto.SHA256 it is RSASSA-PKCS1-v1_5. With
// *rsa.PSSOptions of crypto.SHA256 and a salt as long as the hash it is RSASSA-PSS. Others are an error,
// and so is a digest that is not SHA-256's.
func SchemeOf(operation string, digest []byte, options crypto.SignerOpts) (pss bool, err error) {
	if pss, err = scheme(options); err != nil {
		return false, fmt.Errorf("%s: %w", operation, err)
	}
	if len(digest) != sha256.Size {
		return false, fmt.Errorf("%s: the digest has %d bytes, not the 32 of SHA-256", operation, len(digest))
	}
	return pss, nil
}

// sha256Info precedes a SHA-256 digest in the block of RSASSA-PKCS1-v1_5 (RFC 8017 section 9.2 note 1).
var sha256Info = []byte{
	0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
}

// encodePKCS1 writes EMSA-PKCS1-v1_5 of a SHA-256 digest to em, which must consist of zeros.
func encodePKCS1(em, digest []byte) {
	info := len(em) - len(digest) - len(sha256Info)
	em[1] = 1
	for i := 2; i < info-1; i++ {
		em[i] = 0xff
	}
	copy(em[info:], sha256Info)
	copy(em[info+len(sha256Info):], digest)
}

// between reports whether 1 < c < last, the modulus less one. Nothing else
// decrypts to an OAEP block, or is a signature: 0, 1 and last are their own
// results. OpenSSL fails on a number that is not below the modulus, and its FIPS provider
// on those three too (SP 800-56B); a sender must not be able to cause that. Both numbers are public.
func between(c, last []byte) bool {
	digits := bytes.TrimLeft(c, "\x00")
	return len(digits) > 0 && (len(digits) > 1 || digits[0] > 1) && bytes.Compare(c, last) < 0
}

// LessOne returns the modulus, which is odd, less one. It has the length of the modulus.
func LessOne(modulus *big.Int) []byte {
	return new(big.Int).Sub(modulus, big.NewInt(1)).Bytes()
}

// bitLen returns the length in bits of a modulus, given its value less one. A modulus is odd, so that both have
// the same.
func bitLen(last []byte) int { return new(big.Int).SetBytes(last).BitLen() }
