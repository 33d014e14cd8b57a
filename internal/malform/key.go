package malform

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // OAEP with SHA-1 is one of the faults
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
)

// keyVariants are the faults of the encrypted key that only its owner can see.
var keyVariants = []Variant{
	{Code: fault.OpenKey, Name: "random", change: func(w *message) {
		w.encryptCEK = func([]byte) ([]byte, error) { return below(w.Recipient.Size()), nil }
	}},
	{Code: fault.OpenKey, Name: "zero", change: func(w *message) {
		w.encryptCEK = func([]byte) ([]byte, error) { return make([]byte, w.Recipient.Size()), nil }
	}},
	{Code: fault.OpenKey, Name: "not-below-the-modulus", change: func(w *message) {
		w.encryptCEK = func([]byte) ([]byte, error) { return bytes.Repeat([]byte{0xff}, w.Recipient.Size()), nil }
	}},
	{Code: fault.OpenKey, Name: "flipped", change: func(w *message) {
		w.editOuter = func(encryptedKey, _, _, _ *[]byte) { (*encryptedKey)[100] ^= 1 }
	}},
	{Code: fault.OpenKeySize, Name: "other-size", change: func(w *message) {
		// Encrypted keys of another size cannot be distinguished from random bytes.
		size := 384
		if w.Recipient.Size() == size {
			size = 256
		}
		w.encryptCEK = func([]byte) ([]byte, error) { return below(size), nil }
	}},
	{Code: fault.OpenKeyOther, Name: "stranger", change: func(w *message) {
		w.encryptCEK = func(cek []byte) ([]byte, error) {
			if w.Other == nil {
				return nil, fmt.Errorf("%w: Other", errMaterial)
			}
			return oaep(&w.Other.PublicKey, rsa.OAEPOptions{Hash: crypto.SHA256})(cek)
		}
	}},

	{Code: fault.OpenSHA1, Name: "digest-and-mgf1", change: withOAEP(rsa.OAEPOptions{Hash: crypto.SHA1})},
	{Code: fault.OpenMGF1, Name: "mgf1-only",
		change: withOAEP(rsa.OAEPOptions{Hash: crypto.SHA256, MGFHash: crypto.SHA1})},
	{Code: fault.OpenOAEPSHA256, Name: "announced-sha1", change: outerAlg(alg.RSAOAEP.Name)},
	{Code: fault.OpenPKCS1, Name: "rsa1_5", change: func(w *message) { w.encryptCEK = pkcs1(w.Recipient) }},
	{Code: fault.OpenLabel, Name: "sha512", change: withOAEP(rsa.OAEPOptions{Hash: crypto.SHA512})},
	{Code: fault.OpenLabel, Name: "sha384", change: withOAEP(rsa.OAEPOptions{Hash: crypto.SHA384})},
	{Code: fault.OpenLabel, Name: "sha1-mgf1-sha256",
		change: withOAEP(rsa.OAEPOptions{Hash: crypto.SHA1, MGFHash: crypto.SHA256})},
	{Code: fault.OpenLabel, Name: "sha512-mgf1-sha1",
		change: withOAEP(rsa.OAEPOptions{Hash: crypto.SHA512, MGFHash: crypto.SHA1})},
	{Code: fault.OpenLabel, Name: "label-of-header", change: func(w *message) {
		w.encryptCEK = func(cek []byte) ([]byte, error) {
			label := []byte(encode([]byte(w.outer.header())))
			return oaep(w.Recipient, rsa.OAEPOptions{Hash: crypto.SHA256, Label: label})(cek)
		}
	}},

	{Code: fault.OpenCEKLength, Name: "31-bytes", only: notCEK(31), change: withCEK(31)},
	{Code: fault.OpenCEKLength, Name: "16-bytes", only: notCEK(16), change: withCEK(16)},
	{Code: fault.OpenCEKLength, Name: "24-bytes", only: notCEK(24), change: withCEK(24)},
	{Code: fault.OpenCEKLength, Name: "33-bytes", only: notCEK(33), change: withCEK(33)},
	{Code: fault.OpenCEKLength, Name: "64-bytes", only: notCEK(64), change: withCEK(64)},
	{Code: fault.OpenCEKLength, Name: "0-bytes", only: notCEK(0), change: withCEK(0)},

	{Code: fault.OpenCEKText, Name: "base64", change: withCEKText(base64.StdEncoding.EncodeToString)},
	{Code: fault.OpenCEKText, Name: "base64url", change: withCEKText(base64url.EncodeToString)},
	{Code: fault.OpenCEKText, Name: "hexadecimal", change: withCEKText(hex.EncodeToString)},
}

func withOAEP(o rsa.OAEPOptions) func(*message) {
	return func(w *message) { w.encryptCEK = oaep(w.Recipient, o) }
}

func withCEK(n int) func(*message) {
	return func(w *message) { w.cek = random(n) }
}

func notCEK(n int) func(Material) bool { return func(m Material) bool { return m.Content.CEK != n } }

func withCEKText(text func([]byte) string) func(*message) {
	return func(w *message) {
		encrypt := w.encryptCEK
		w.encryptCEK = func(cek []byte) ([]byte, error) { return encrypt([]byte(text(cek))) }
	}
}

func pkcs1(key *rsa.PublicKey) func([]byte) ([]byte, error) {
	return func(cek []byte) ([]byte, error) {
		//lint:ignore SA1019 the deprecated padding is the fault that is wanted
		return rsa.EncryptPKCS1v15(rand.Reader, key, cek)
	}
}

// below returns n random bytes that encode a number less than any modulus of n bytes.
func below(n int) []byte {
	b := random(n)
	b[0] = 1
	return b
}
