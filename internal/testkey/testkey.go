// Package testkey provides tests with fresh RSA keys, each made once per test binary, and
// tokens made with them. Only tests may import it.
package testkey

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"fmt"
	"math/big"
	"sync"
	"testing"

	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/keyring"
)

var (
	mu   sync.Mutex
	keys = map[string]*rsa.PrivateKey{}
)

// RSA returns the key of that name and size, the same for every call in a process.
func RSA(t testing.TB, name string, bits int) *rsa.PrivateKey {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	id := fmt.Sprint(name, " ", bits)
	if keys[id] == nil {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		keys[id] = key
	}
	return keys[id]
}

// Crossed returns a key with the first prime of each of two others, as a bad generator
// makes them.
func Crossed(a, b *rsa.PrivateKey) *rsa.PrivateKey {
	one := big.NewInt(1)
	p, q := a.Primes[0], b.Primes[0]
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537},
		D:         new(big.Int).ModInverse(big.NewInt(65537), phi), Primes: []*big.Int{p, q},
	}
	key.Precompute()
	return key
}

//go:embed fixed.key
var fixedPEM []byte

//go:embed other.key
var otherPEM []byte

var fixed, other = sync.OnceValue(read(fixedPEM)), sync.OnceValue(read(otherPEM))

// Fixed returns a key that is the same in every process, which the initial inputs of a fuzz
// target need, because each of its workers is a process. The key is public: use it only in
// tests.
func Fixed() *rsa.PrivateKey { return fixed() }

// OtherFixed returns another such key.
func OtherFixed() *rsa.PrivateKey { return other() }

func read(text []byte) func() *rsa.PrivateKey {
	return func() *rsa.PrivateKey {
		block, _ := pem.Decode(text)
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			panic(err) // the file is part of this package
		}
		return key.(*rsa.PrivateKey)
	}
}

// Ours returns a ring of one active key pair with that ID.
func Ours(t testing.TB, id string, key keyring.Private) *keyring.Ring {
	t.Helper()
	return ring(t, keyring.Key{State: keyring.Active, ID: id, Private: key})
}

// Theirs returns a ring of one active public key with that ID.
func Theirs(t testing.TB, id string, key *rsa.PrivateKey) *keyring.Ring {
	t.Helper()
	return ring(t, keyring.Key{State: keyring.Active, ID: id, Public: &key.PublicKey})
}

func ring(t testing.TB, k keyring.Key) *keyring.Ring {
	t.Helper()
	r, err := keyring.New(k)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Sign returns a JWS whose header has only alg.
func Sign(t testing.TB, payload []byte, key *rsa.PrivateKey) []byte {
	t.Helper()
	head, err := jose.ProtectSigned(jose.Header{Alg: alg.RS256.Name})
	if err != nil {
		t.Fatal(err)
	}
	token, err := jose.Sign(nil, payload, head, key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Encrypt returns a JWE whose header has only alg and enc.
func Encrypt(t testing.TB, plaintext []byte, key *rsa.PublicKey) []byte {
	t.Helper()
	head, err := jose.ProtectEncrypted(jose.Header{Alg: alg.RSAOAEP256.Name, Enc: alg.A256GCM.Name})
	if err != nil {
		t.Fatal(err)
	}
	token, err := jose.Encrypt(nil, plaintext, head, alg.PublicKey{PublicKey: key})
	if err != nil {
		t.Fatal(err)
	}
	return token
}
