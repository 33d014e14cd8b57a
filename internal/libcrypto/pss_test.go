//go:build linux && !android && (amd64 || arm64) && (cgo || sealane_dlopen)

package libcrypto_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/testkey"
)

var ps256 = &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: rsa.PSSSaltLengthEqualsHash}

// TestPSSSignsForGo: crypto/rsa accepts every signature, with the salt that PS256 requires,
// and no two are the same.
func TestPSSSignsForGo(t *testing.T) {
	for _, bits := range sizes {
		k, key := imported(t, bits)
		digest := sha256.Sum256([]byte("message"))
		seen := map[string]bool{}
		for range 20 {
			got, err := k.Sign(rand.Reader, digest[:], ps256)
			if err != nil {
				t.Fatal(err)
			}
			if err := rsa.VerifyPSS(&key.PublicKey, crypto.SHA256, digest[:], got, ps256); err != nil {
				t.Fatalf("%d: %v", bits, err)
			}
			if seen[string(got)] {
				t.Errorf("%d: a signature came twice: the salt is not fresh", bits)
			}
			seen[string(got)] = true
		}
	}
}

func TestPSSVerifiesAsGo(t *testing.T) {
	for _, bits := range append([]int{2049, 2055}, sizes...) {
		key := testkey.RSA(t, "pss", bits)
		k, err := library(t).NewPublicKey(&key.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		digest := sha256.Sum256([]byte("message"))
		size := key.Size()
		signatures := map[string][]byte{
			"nil": nil, "zero": make([]byte, size), "modulus": key.N.Bytes(),
			"one":         big.NewInt(1).FillBytes(make([]byte, size)),
			"modulus - 1": new(big.Int).Sub(key.N, big.NewInt(1)).Bytes(),
		}
		for name, salt := range map[string]int{
			"good": 32, "a salt of one byte": 1, "a shorter salt": 31, "a longer salt": 33,
			"the longest salt": rsa.PSSSaltLengthAuto,
		} {
			options := &rsa.PSSOptions{SaltLength: salt}
			if signatures[name], err = rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], options); err != nil {
				t.Fatal(err)
			}
		}
		good := signatures["good"]
		signatures["short"], signatures["long"] = good[1:], append([]byte{0}, good...)
		if signatures["PKCS #1 v1.5"], err = rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:]); err != nil {
			t.Fatal(err)
		}
		for i := range size {
			turned := bytes.Clone(good)
			turned[i] ^= 0x80 >> (i % 8)
			signatures[fmt.Sprint("turned ", i)] = turned
		}
		for name, s := range signatures {
			want := rsa.VerifyPSS(&key.PublicKey, crypto.SHA256, digest[:], s, ps256)
			if got := k.Verify(digest[:], s, ps256); got != want || (got == nil) != (name == "good") {
				t.Errorf("%d, %s: %v, crypto/rsa: %v", bits, name, got, want)
			}
		}
		other := sha256.Sum256(nil)
		if err := k.Verify(other[:], good, ps256); err != rsa.ErrVerification {
			t.Errorf("another digest: %v", err)
		}
		if err := k.Verify(digest[:], good, crypto.SHA256); err != rsa.ErrVerification {
			t.Errorf("as RS256: %v", err)
		}
		k.Close()
	}
}

func TestPSSOptions(t *testing.T) {
	private, key := imported(t, 2048)
	public, _ := publicKey(t, 2048)
	digest := sha256.Sum256(nil)
	for name, options := range map[string]crypto.SignerOpts{
		"the longest salt": &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: rsa.PSSSaltLengthAuto},
		"a shorter salt":   &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: 20},
		"another hash":     &rsa.PSSOptions{Hash: crypto.SHA512, SaltLength: rsa.PSSSaltLengthEqualsHash},
		"no hash":          &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash},
		"typed nil":        (*rsa.PSSOptions)(nil),
	} {
		s, err := private.Sign(nil, digest[:], options)
		verifyErr := public.Verify(digest[:], make([]byte, key.Size()), options)
		if s != nil || err == nil || !strings.Contains(err.Error(), "PSSOptions") ||
			verifyErr == nil || errors.Is(verifyErr, rsa.ErrVerification) {
			t.Errorf("%s: %v; %v", name, err, verifyErr)
		}
	}
	if s, err := private.Sign(nil, digest[:31], ps256); s != nil || err == nil {
		t.Error("a short digest is signed")
	}
	exact := &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: 32}
	s, err := private.Sign(nil, digest[:], exact)
	if err != nil || rsa.VerifyPSS(&key.PublicKey, crypto.SHA256, digest[:], s, exact) != nil {
		t.Errorf("the salt's length as a number: %v", err)
	}
}

// FuzzVerifyPSSAgrees: crypto/rsa and we accept and refuse the same signatures. Random ones
// never have the form, so the input is the signed block before its mask, and whether hash
// and last byte are correct.
func FuzzVerifyPSSAgrees(f *testing.F) {
	key := testkey.Fixed()
	k, err := library(f).NewPublicKey(&key.PublicKey)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { k.Close() })
	digest := sha256.Sum256([]byte("message"))
	size := key.Size()
	db := make([]byte, size-sha256.Size-1)
	db[len(db)-33] = 1
	for _, last := range []byte{0xbc, 0} {
		f.Add(db, true, last)
		f.Add(db, false, last)
	}
	shifted := append(bytes.Clone(db[1:]), 1)
	f.Add(shifted, true, byte(0xbc))
	f.Add([]byte{0x80}, true, byte(0xbc))
	f.Fuzz(func(t *testing.T, block []byte, rightHash bool, last byte) {
		em := make([]byte, size)
		db := em[:size-sha256.Size-1]
		copy(db, block)
		h := sha256.Sum256(block)
		if rightHash {
			h = sha256.Sum256(append(append(make([]byte, 8), digest[:]...), db[len(db)-32:]...))
		}
		xorMGF1(db, h[:], crypto.SHA256)
		copy(em[len(db):], h[:])
		em[size-1] = last
		for _, top := range []byte{0x7f, 0xff} { // the first bit is none of the block's
			em := bytes.Clone(em)
			em[0] &= top
			m := new(big.Int).SetBytes(em)
			s := m.Exp(m, key.D, key.N).FillBytes(make([]byte, size))
			want := rsa.VerifyPSS(&key.PublicKey, crypto.SHA256, digest[:], s, ps256)
			if got := k.Verify(digest[:], s, ps256); got != want {
				t.Fatalf("crypto/rsa returns %v, OpenSSL %v", want, got)
			}
		}
	})
}
