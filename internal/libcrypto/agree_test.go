//go:build linux && !android && (amd64 || arm64) && (cgo || sealane_dlopen)

package libcrypto_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/sealane/sealane/internal/libcrypto"
)

var sizes = []int{2048, 3072, 4096}

func library(t testing.TB) *libcrypto.Library {
	t.Helper()
	l, err := libcrypto.Opened()
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("libcrypto.so.3 is not on this machine: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}

var private = func() func(t testing.TB, bits int) *rsa.PrivateKey {
	var mu sync.Mutex
	keys := map[int]*rsa.PrivateKey{}
	return func(t testing.TB, bits int) *rsa.PrivateKey {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if keys[bits] == nil {
			key, err := rsa.GenerateKey(rand.Reader, bits)
			if err != nil {
				t.Fatal(err)
			}
			keys[bits] = key
		}
		return keys[bits]
	}
}()

func imported(t testing.TB, bits int) (*libcrypto.Key, *rsa.PrivateKey) {
	t.Helper()
	l, key := library(t), private(t, bits)
	k, err := l.NewKey(key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return k, key
}

var hashes = map[crypto.Hash]func() hash.Hash{crypto.SHA256: sha256.New, crypto.SHA1: sha1.New}

func encrypt(t testing.TB, h crypto.Hash, key *rsa.PrivateKey, message []byte) []byte {
	t.Helper()
	c, err := rsa.EncryptOAEP(hashes[h](), rand.Reader, &key.PublicKey, message, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLibrary(t *testing.T) {
	l := library(t)
	if !strings.HasPrefix(l.Version(), "OpenSSL 3.") || !strings.HasPrefix(l.Path(), "/") {
		t.Errorf("version %q, path %q", l.Version(), l.Path())
	}
	t.Log(l.Version(), l.Path(), "FIPS:", l.FIPS())
	again, err := libcrypto.Opened()
	if again != l || err != nil {
		t.Errorf("loaded again: %v", err)
	}
}

func TestSignaturesAreThoseOfGo(t *testing.T) {
	for _, bits := range sizes {
		k, key := imported(t, bits)
		if !key.PublicKey.Equal(k.Public()) {
			t.Errorf("%d: another public key", bits)
		}
		for i := range 50 {
			digest := sha256.Sum256(fmt.Append(nil, i))
			want, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
			if err != nil {
				t.Fatal(err)
			}
			got, err := k.Sign(rand.Reader, digest[:], crypto.SHA256)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%d: signature %d is not that of crypto/rsa: %v", bits, i, err)
			}
		}
	}
}

func TestDecryptsEveryLength(t *testing.T) {
	for _, bits := range sizes {
		k, key := imported(t, bits)
		for h := range hashes {
			longest := bits/8 - 2*h.Size() - 2
			for n := 0; n <= longest; n++ {
				if bits > 2048 && n > 33 && n < longest-1 {
					continue
				}
				message := make([]byte, n)
				rand.Read(message)
				got, err := k.Decrypt(rand.Reader, encrypt(t, h, key, message), &rsa.OAEPOptions{Hash: h})
				if err != nil || !bytes.Equal(got, message) {
					t.Fatalf("%d, %v: message of %d bytes: got %d bytes, %v", bits, h, n, len(got), err)
				}
				if got == nil {
					t.Fatalf("%d, %v: nil with a nil error", bits, h)
				}
			}
		}
	}
}

// TestRefusals: every error that a sender can cause is rsa.ErrDecryption itself, as in
// crypto/rsa.
func TestRefusals(t *testing.T) {
	for _, bits := range sizes {
		k, key := imported(t, bits)
		other, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		size := bits / 8
		for h := range hashes {
			good := encrypt(t, h, key, bytes.Repeat([]byte{7}, 32))
			for good[0] == 0 { // may be left out
				good = encrypt(t, h, key, good[:32])
			}
			otherHash := crypto.SHA1
			if h == crypto.SHA1 {
				otherHash = crypto.SHA256
			}
			labeled, err := rsa.EncryptOAEP(hashes[h](), rand.Reader, &key.PublicKey, good[:32], []byte("label"))
			if err != nil {
				t.Fatal(err)
			}
			bad := map[string][]byte{
				"another key's":      encrypt(t, h, other, good[:32]),
				"another hash":       encrypt(t, otherHash, key, good[:32]),
				"a label":            labeled,
				"PKCS #1 v1.5":       pkcs1v15(key),
				"empty":              {},
				"nil":                nil,
				"zero":               make([]byte, size),
				"one":                big.NewInt(1).FillBytes(make([]byte, size)),
				"the modulus":        key.N.Bytes(),
				"modulus + 1":        new(big.Int).Add(key.N, big.NewInt(1)).Bytes(),
				"modulus - 1":        new(big.Int).Sub(key.N, big.NewInt(1)).Bytes(),
				"all ones":           bytes.Repeat([]byte{0xff}, size),
				"short":              good[:size-1],
				"short by its head":  good[1:],
				"one byte":           {1},
				"long":               append(bytes.Clone(good), 0),
				"long by its head":   append([]byte{0}, good...),
				"very long":          make([]byte, 1<<20),
				"twice":              append(bytes.Clone(good), good...),
				"backwards":          reversed(good),
				"a signature's form": pkcs1Form(key),
			}
			for i := 0; i < size; i += 17 {
				c := bytes.Clone(good)
				c[i] ^= 1 << (i % 8)
				bad[fmt.Sprint("a turned bit in byte ", i)] = c
			}
			for name, c := range bad {
				if _, err := rsa.DecryptOAEP(hashes[h](), nil, key, c, nil); err != rsa.ErrDecryption {
					t.Errorf("%d, %v, %s: crypto/rsa returns %v", bits, h, name, err)
				}
				if got, err := k.Decrypt(nil, c, &rsa.OAEPOptions{Hash: h}); got != nil || err != rsa.ErrDecryption {
					t.Errorf("%d, %v, %s: %d bytes, %v", bits, h, name, len(got), err)
				}
			}
			if _, err := k.Decrypt(nil, good, &rsa.OAEPOptions{Hash: h}); err != nil {
				t.Errorf("%d, %v: afterwards a good one returns %v", bits, h, err)
			}
		}
	}
}

func reversed(b []byte) []byte {
	r := make([]byte, len(b))
	for i := range b {
		r[len(b)-1-i] = b[i]
	}
	r[0] &= 0x3f // below any modulus
	return r
}

// pkcs1v15 encrypts 32 bytes with RSA1_5.
func pkcs1v15(key *rsa.PrivateKey) []byte {
	block := bytes.Repeat([]byte{9}, key.Size())
	block[0], block[1], block[len(block)-33] = 0, 2, 0
	m := new(big.Int).SetBytes(block)
	return m.Exp(m, big.NewInt(int64(key.E)), key.N).FillBytes(block)
}

// pkcs1Form returns a ciphertext that decrypts to the encoded block of a signature.
func pkcs1Form(key *rsa.PrivateKey) []byte {
	digest := sha256.Sum256(nil)
	s, _ := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	e := big.NewInt(int64(key.E))
	c := new(big.Int).Exp(new(big.Int).SetBytes(s), e, key.N)
	return c.Exp(c, e, key.N).FillBytes(make([]byte, key.Size()))
}

// TestShortCiphertexts: leading zeros may be missing, as with crypto/rsa.
func TestShortCiphertexts(t *testing.T) {
	k, key := imported(t, 2048)
	for range 4000 {
		c := encrypt(t, crypto.SHA256, key, []byte("message"))
		if c[0] != 0 {
			continue
		}
		got, err := k.Decrypt(nil, c[1:], &rsa.OAEPOptions{Hash: crypto.SHA256})
		if err != nil || string(got) != "message" {
			t.Errorf("%q, %v", got, err)
		}
		return
	}
	t.Error("none of 4000 ciphertexts began with a zero; one in 256 should")
}

func TestOptions(t *testing.T) {
	k, key := imported(t, 2048)
	digest := sha256.Sum256(nil)
	for _, c := range []struct {
		digest  []byte
		options crypto.SignerOpts
	}{
		{digest[:], nil},
		{digest[:], crypto.SHA1},
		{digest[:], crypto.SHA512},
		{digest[:], crypto.Hash(0)},
		{digest[:], &rsa.PSSOptions{Hash: crypto.SHA256}},
		{digest[:31], crypto.SHA256},
		{append(digest[:], 0), crypto.SHA256},
		{nil, crypto.SHA256},
	} {
		if s, err := k.Sign(nil, c.digest, c.options); s != nil || err == nil {
			t.Errorf("signs %d bytes with %v", len(c.digest), c.options)
		} else if !strings.Contains(err.Error(), "SHA") {
			t.Errorf("%d bytes, %v: %v: does not say what is supported", len(c.digest), c.options, err)
		}
	}
	for name, options := range map[string]crypto.DecrypterOpts{
		"none":         nil,
		"typed nil":    (*rsa.OAEPOptions)(nil),
		"no hash":      &rsa.OAEPOptions{},
		"SHA-512":      &rsa.OAEPOptions{Hash: crypto.SHA512},
		"mixed":        &rsa.OAEPOptions{Hash: crypto.SHA256, MGFHash: crypto.SHA1},
		"label":        &rsa.OAEPOptions{Hash: crypto.SHA256, Label: []byte("x")},
		"another kind": "PKCS #1 v1.5",
	} {
		c := encrypt(t, crypto.SHA256, key, []byte("message"))
		m, err := k.Decrypt(nil, c, options)
		if m != nil || err == nil || errors.Is(err, rsa.ErrDecryption) {
			t.Errorf("%s: %d bytes, %v", name, len(m), err)
		}
	}
	c := encrypt(t, crypto.SHA256, key, []byte("message"))
	twice := &rsa.OAEPOptions{Hash: crypto.SHA256, MGFHash: crypto.SHA256}
	if m, err := k.Decrypt(nil, c, twice); string(m) != "message" {
		t.Errorf("the same hash named twice: %q, %v", m, err)
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	l, key := library(t), private(t, 2048)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	one := big.NewInt(1)
	for name, k := range map[string]*rsa.PrivateKey{
		"nil":         nil,
		"empty":       {},
		"1024 bits":   small,
		"huge":        {PublicKey: rsa.PublicKey{N: new(big.Int).Lsh(one, 1<<20), E: 3}, D: one, Primes: key.Primes},
		"no primes":   {PublicKey: key.PublicKey, D: key.D},
		"one prime":   {PublicKey: key.PublicKey, D: key.D, Primes: key.Primes[:1]},
		"nil prime":   {PublicKey: key.PublicKey, D: key.D, Primes: []*big.Int{nil, key.Primes[1]}},
		"zero primes": {PublicKey: key.PublicKey, D: key.D, Primes: []*big.Int{{}, {}}},
		"wrong d":     {PublicKey: key.PublicKey, D: new(big.Int).Add(key.D, one), Primes: key.Primes},
		"huge d":      {PublicKey: key.PublicKey, D: new(big.Int).Lsh(one, 1<<16), Primes: key.Primes},
		"negative d":  {PublicKey: key.PublicKey, D: new(big.Int).Neg(key.D), Primes: key.Primes},
		"wrong n": {
			PublicKey: rsa.PublicKey{N: new(big.Int).Add(key.N, big.NewInt(2)), E: key.E},
			D:         key.D, Primes: key.Primes,
		},
		"wrong prime": {PublicKey: key.PublicKey, D: key.D, Primes: []*big.Int{key.Primes[0], key.Primes[0]}},
		"even e":      {PublicKey: rsa.PublicKey{N: key.N, E: 4}, D: key.D, Primes: key.Primes},
		"no e":        {PublicKey: rsa.PublicKey{N: key.N}, D: key.D, Primes: key.Primes},
	} {
		if got, err := l.NewKey(k); got != nil || err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	// Without precomputed values, and with the primes the other way round.
	for name, k := range map[string]*rsa.PrivateKey{
		"bare":    {PublicKey: key.PublicKey, D: key.D, Primes: key.Primes},
		"swapped": {PublicKey: key.PublicKey, D: key.D, Primes: []*big.Int{key.Primes[1], key.Primes[0]}},
	} {
		got, err := l.NewKey(k)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got.Close()
		if k.Precomputed.Dp != nil {
			t.Errorf("%s: the caller's key was changed", name)
		}
	}
}
