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
	"testing"

	"github.com/sealane/sealane/internal/libcrypto"
)

func publicKey(t testing.TB, bits int) (*libcrypto.PublicKey, *rsa.PrivateKey) {
	t.Helper()
	l, key := library(t), private(t, bits)
	k, err := l.NewPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return k, key
}

func TestEncryptsForGo(t *testing.T) {
	for _, bits := range sizes {
		k, key := publicKey(t, bits)
		if !key.PublicKey.Equal(k.Public()) {
			t.Errorf("%d: another key", bits)
		}
		for h := range hashes {
			longest := bits/8 - 2*h.Size() - 2
			seen := map[string]bool{}
			for _, n := range []int{0, 1, 16, 31, 32, 32, 32, 33, longest - 1, longest} {
				message := make([]byte, n)
				rand.Read(message)
				c, err := k.EncryptOAEP(h, message)
				if err != nil || len(c) != bits/8 || seen[string(c)] {
					t.Fatalf("%d, %v, %d bytes: %d bytes, %v", bits, h, n, len(c), err)
				}
				seen[string(c)] = true
				got, err := key.Decrypt(nil, c, &rsa.OAEPOptions{Hash: h})
				if err != nil || !bytes.Equal(got, message) {
					t.Errorf("%d, %v, %d bytes: crypto/rsa returns %d bytes, %v", bits, h, n, len(got), err)
				}
			}
			if c, err := k.EncryptOAEP(h, make([]byte, longest+1)); c != nil || err != rsa.ErrMessageTooLong {
				t.Errorf("%d, %v: %v", bits, h, err)
			}
		}
		if c, err := k.EncryptOAEP(crypto.SHA512, nil); c != nil || err == nil {
			t.Error("SHA-512 is accepted")
		}
	}
}

func TestVerifiesAsGo(t *testing.T) {
	for _, bits := range sizes {
		k, key := publicKey(t, bits)
		digest := sha256.Sum256([]byte("message"))
		good, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		pss, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], nil)
		if err != nil {
			t.Fatal(err)
		}
		sha512Info, err := rsa.SignPKCS1v15(nil, key, crypto.SHA512, append(digest[:], digest[:]...))
		if err != nil {
			t.Fatal(err)
		}
		bare, err := rsa.SignPKCS1v15(nil, key, 0, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		size := key.Size()
		signatures := map[string][]byte{
			"good":          good,
			"PSS":           pss,
			"SHA-512":       sha512Info,
			"without info":  bare,
			"nil":           nil,
			"zero":          make([]byte, size),
			"one":           big.NewInt(1).FillBytes(make([]byte, size)),
			"modulus":       key.N.Bytes(),
			"modulus - 1":   new(big.Int).Sub(key.N, big.NewInt(1)).Bytes(),
			"plus modulus":  new(big.Int).Add(new(big.Int).SetBytes(good), key.N).Bytes(),
			"short":         good[1:],
			"long":          append([]byte{0}, good...),
			"forged blocks": forged(key, digest[:], size),
		}
		for i := range size {
			turned := bytes.Clone(good)
			turned[i] ^= 0x80 >> (i % 8)
			signatures[fmt.Sprint("turned ", i)] = turned
		}
		for name, s := range signatures {
			want := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], s)
			if got := k.Verify(digest[:], s, crypto.SHA256); got != want || (got == nil) != (name == "good") {
				t.Errorf("%d, %s: %v, crypto/rsa: %v", bits, name, got, want)
			}
		}
		if err := k.Verify(digest[:31], good, crypto.SHA256); err == nil || errors.Is(err, rsa.ErrVerification) {
			t.Errorf("a short digest: %v", err)
		}
		other := sha256.Sum256(nil)
		if err := k.Verify(other[:], good, crypto.SHA256); err != rsa.ErrVerification {
			t.Errorf("another digest: %v", err)
		}
		k.Close()
		if err := k.Verify(digest[:], good, crypto.SHA256); !errors.Is(err, libcrypto.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	}
}

// forged signs a block with a short padding and extra bytes after the digest, which some
// verifiers have accepted.
func forged(key *rsa.PrivateKey, digest []byte, size int) []byte {
	block := append([]byte{0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0},
		0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04,
		0x20)
	block = append(append(block, digest...), make([]byte, size)...)[:size]
	m := new(big.Int).SetBytes(block)
	return m.Exp(m, key.D, key.N).FillBytes(block)
}

func TestPublicKeysThatAreRefused(t *testing.T) {
	l, n := library(t), private(t, 2048).N
	for name, k := range map[string]*rsa.PublicKey{
		"nil":      nil,
		"empty":    {},
		"negative": {N: new(big.Int).Neg(n), E: 65537},
		"even":     {N: new(big.Int).Sub(n, big.NewInt(1)), E: 65537},
		"small":    {N: new(big.Int).Rsh(n, 1024), E: 65537},
		"huge":     {N: new(big.Int).Lsh(n, 2049), E: 65537},
		"e = 0":    {N: n},
		"e = 1":    {N: n, E: 1},
		"e even":   {N: n, E: 65536},
		"e < 0":    {N: n, E: -3},
		"e huge":   {N: n, E: 1<<40 + 1}, // on 64 bits, as all that this is built for
	} {
		if got, err := l.NewPublicKey(k); got != nil || err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func BenchmarkPublic(b *testing.B) {
	digest := sha256.Sum256(nil)
	for _, bits := range sizes {
		k, key := publicKey(b, bits)
		s, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
		if err != nil {
			b.Fatal(err)
		}
		for _, c := range []struct {
			name string
			run  func() error
		}{
			{"verify/impl=go", func() error {
				return rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], s)
			}},
			{"verify/impl=openssl", func() error { return k.Verify(digest[:], s, crypto.SHA256) }},
			{"encrypt/impl=go", func() error {
				_, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, &key.PublicKey, digest[:], nil)
				return err
			}},
			{"encrypt/impl=openssl", func() error { _, err := k.EncryptOAEP(crypto.SHA256, digest[:]); return err }},
		} {
			b.Run(fmt.Sprintf("%s/rsa=%d", c.name, bits), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := c.run(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
