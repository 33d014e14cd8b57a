package keyring_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/keyring"
)

func ids(keys []keyring.Key) string {
	var list []string
	for _, k := range keys {
		list = append(list, k.ID+"/"+k.State.String())
	}
	return strings.Join(list, " ")
}

func TestOverlap(t *testing.T) {
	r, err := keyring.New(
		keyring.Key{ID: "alias", State: keyring.Retiring, Private: testkey.RSA(t, "a", 2048)},
		keyring.Key{ID: "other", State: keyring.Staged, Private: testkey.RSA(t, "b", 2048)},
		keyring.Key{State: keyring.Active, ID: "alias", Private: testkey.RSA(t, "c", 2048)},
		keyring.Key{ID: "public", State: keyring.Staged, Public: &testkey.RSA(t, "d", 2048).PublicKey},
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ got, want string }{
		{ids(r.OpenersNamed("alias")), "alias/retiring alias/active"},
		{ids(r.Openers("alias")), "alias/retiring alias/active other/staged"},
		{ids(r.Openers("")), "alias/retiring other/staged alias/active"},
		{ids(r.OpenersNamed("")), ""},
		{ids(r.OpenersNamed("Alias")), ""},
		{ids(r.Verifiers("public")), "public/staged alias/retiring other/staged alias/active"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
	if k, ok := r.Signer(); !ok || ids([]keyring.Key{k}) != "alias/active" {
		t.Errorf("signer %v", k.ID)
	}
	if k, ok := r.Recipient(); !ok || !k.Public.Equal(testkey.RSA(t, "c", 2048).Public()) {
		t.Errorf("recipient %v", k.ID)
	}
}

// TestUses: the library works with one pair for both uses, and with two.
func TestUses(t *testing.T) {
	r, err := keyring.New(
		keyring.Key{State: keyring.Active, ID: "sign", Use: keyring.UseSig, Private: testkey.RSA(t, "a", 2048)},
		keyring.Key{State: keyring.Active, ID: "enc", Use: keyring.UseEnc, Private: testkey.RSA(t, "b", 2048)},
	)
	if err != nil {
		t.Fatal(err)
	}
	signer, _ := r.Signer()
	recipient, _ := r.Recipient()
	if got := signer.ID + " " + recipient.ID + " " + ids(r.Openers("")) + " " +
		ids(r.Verifiers("")); got != "sign enc enc/active sign/active" {
		t.Error(got)
	}
}

func TestNilRing(t *testing.T) {
	var r *keyring.Ring
	_, signs := r.Signer()
	_, receives := r.Recipient()
	if signs || receives || len(r.Openers("")) != 0 || len(r.Keys()) != 0 {
		t.Error("a nil ring has keys")
	}
}

func TestRefused(t *testing.T) {
	a, b := testkey.RSA(t, "a", 2048), testkey.RSA(t, "b", 2048)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var many []keyring.Key
	for range 9 {
		many = append(many, keyring.Key{State: keyring.Active, Private: a})
	}
	for says, keys := range map[string][]keyring.Key{
		"no key is given": {{State: keyring.Active, ID: "x"}},
		"are both active": {
			{State: keyring.Active, ID: "x", Private: a},
			{State: keyring.Active, ID: "y", Private: b},
		},
		"is the same key": {
			{State: keyring.Active, ID: "x", Private: a},
			{ID: "y", State: keyring.Staged, Public: &a.PublicKey},
		},
		"do not belong":       {{State: keyring.Active, Private: a, Public: &b.PublicKey}},
		"is not an RSA key":   {{State: keyring.Active, Certificate: &x509.Certificate{PublicKey: ec.Public()}}},
		"9 keys, more than 8": many,
		"2048, 3072 or 4096": {{
			State:  keyring.Active,
			Public: &rsa.PublicKey{N: new(big.Int).Rsh(a.N, 1024), E: 65537},
		}},
		"exponent":           {{State: keyring.Active, Public: &rsa.PublicKey{N: a.N, E: 3}}},
		"is not known":       {{Private: a, State: 7}},
		"must say its state": {{Private: a}},
	} {
		if r, err := keyring.New(keys...); err == nil || r != nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

// A key of three primes works in crypto/rsa, but not in Sealane.
func TestThreePrimes(t *testing.T) {
	//lint:ignore SA1019 that it is deprecated is the point
	key, err := rsa.GenerateMultiPrimeKey(rand.Reader, 3, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.New(keyring.Key{State: keyring.Active, Private: key}); err == nil ||
		!strings.Contains(err.Error(), "3 primes") {
		t.Errorf("%v", err)
	}
}
