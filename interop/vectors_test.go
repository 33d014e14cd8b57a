package interop

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"math/big"
	"testing"

	"github.com/c2sp/wycheproof"
)

// vectorFile is one of Wycheproof's files, with the members that we use.
type vectorFile struct {
	NumberOfTests int           `json:"numberOfTests"`
	TestGroups    []vectorGroup `json:"testGroups"`
}

type vectorGroup struct {
	Comment string `json:"comment"`
	Private jwk    `json:"private"` // JWE and JWS
	Public  *jwk   `json:"public"`  // JWE and JWS, asymmetric keys only

	// PublicKey is for RSA signatures; its numbers are hexadecimal.
	PublicKey struct{ Modulus, PublicExponent string } `json:"publicKey"`
	KeySize   int                                      `json:"keySize"`
	IVSize    int                                      `json:"ivSize"`
	TagSize   int                                      `json:"tagSize"`
	Tests     []vector                                 `json:"tests"`
}

// vector is a case of any of the files; byte strings are hexadecimal.
type vector struct {
	ID      int    `json:"tcId"`
	Comment string `json:"comment"`
	Result  string `json:"result"`

	JWE, JWS          string
	Key, IV, AAD, Tag string // AES-GCM
	Msg, CT           string // AES-GCM and OAEP
	Label             string // OAEP
	Sig               string // RSA signatures
	PT                string // JWE
}

func (v vector) valid() bool { return v.Result == "valid" }

// jwk is an RSA key (RFC 7517), or one of another kind without its numbers.
type jwk struct {
	Kty, Alg, Use string
	KeyOps        []string `json:"key_ops"`
	N, E, D, P, Q string
}

func (k jwk) number(t testing.TB, text string) *big.Int {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) == 0 {
		t.Fatalf("number %q of a JWK: %v", text, err)
	}
	return new(big.Int).SetBytes(raw)
}

func (k jwk) public(t testing.TB) *rsa.PublicKey {
	t.Helper()
	return &rsa.PublicKey{N: k.number(t, k.N), E: int(k.number(t, k.E).Int64())}
}

func (k jwk) private(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key := &rsa.PrivateKey{
		PublicKey: *k.public(t),
		D:         k.number(t, k.D),
		Primes:    []*big.Int{k.number(t, k.P), k.number(t, k.Q)},
	}
	key.Precompute()
	if err := key.Validate(); err != nil {
		t.Fatal(err)
	}
	return key
}

// readVectors reads one of Wycheproof's files and checks its own count.
func readVectors(t testing.TB, name string) vectorFile {
	t.Helper()
	data, err := fs.ReadFile(wycheproof.TestVectors, name)
	if err != nil {
		t.Fatal(err)
	}
	var f vectorFile
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	count := 0
	for _, g := range f.TestGroups {
		count += len(g.Tests)
	}
	if count == 0 || count != f.NumberOfTests {
		t.Fatalf("%s: %d cases were read of %d", name, count, f.NumberOfTests)
	}
	return f
}

// deviations lists by tcId the cases that we judge differently from their file, or that
// cannot be judged in its way.
type deviations map[int]string

// used reports every deviation, and fails for those that were not needed.
func (d deviations) used(t *testing.T, file string, needed map[int]bool) {
	t.Helper()
	for id, reason := range d {
		if !needed[id] {
			t.Errorf("%s %d: listed as a deviation, but it is none", file, id)
		}
		t.Logf("deviation: %s %d: %s", file, id, reason)
	}
}

// counts are the number of cases in each slice of a file.
type counts map[string]int

// signatureKey is the public key of a group of RSA signatures.
func (g vectorGroup) signatureKey(t testing.TB) *rsa.PublicKey {
	t.Helper()
	n, okN := new(big.Int).SetString(g.PublicKey.Modulus, 16)
	e, okE := new(big.Int).SetString(g.PublicKey.PublicExponent, 16)
	if !okN || !okE {
		t.Fatalf("key %+v", g.PublicKey)
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}
}
