package keyfile_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"testing"

	"github.com/sealane/sealane/internal/testcert"
	"github.com/sealane/sealane/keyfile"
)

func url64(x *big.Int) string { return base64.RawURLEncoding.EncodeToString(x.Bytes()) }

// leakOf parses a file and fails unless it has a private key.
func leakOf(t *testing.T, data []byte) *keyfile.PrivateKeyError {
	t.Helper()
	_, err := keyfile.Parse(data)
	var leak *keyfile.PrivateKeyError
	if !errors.As(err, &leak) {
		t.Fatalf("not seen: %v", err)
	}
	return leak
}

// TestLeakNamesOnlyWhatItProves: a leaked key pair is blocked permanently, so a file must
// not be able to name a pair without proving that it has the private key.
func TestLeakNamesOnlyWhatItProves(t *testing.T) {
	key, other := testcert.Key(), testcert.OtherKey()
	sum := sha256.Sum256(must1(x509.MarshalPKIXPublicKey(&key.PublicKey)))
	ours := hex.EncodeToString(sum[:])
	public := map[string]any{"kty": "RSA", "n": url64(key.N), "e": "AQAB"}
	with := func(members map[string]any) []byte {
		all := maps.Clone(public)
		maps.Copy(all, members)
		return must1(json.Marshal(all))
	}
	one := func(name string, x *big.Int) []byte { return with(map[string]any{name: url64(x)}) }
	swap := func(edit func(*rsaFields)) []byte {
		var f rsaFields
		must1(asn1.Unmarshal(x509.MarshalPKCS1PrivateKey(other), &f))
		edit(&f)
		return must1(asn1.Marshal(f))
	}
	theirs := swap(func(f *rsaFields) { f.N = key.N })
	wrapped := must1(asn1.Marshal(struct {
		Version   int
		Algorithm asn1.RawValue
		Key       []byte
	}{0, asn1.RawValue{FullBytes: []byte{0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1, 5, 0}}, theirs}))
	publicText := must1(json.Marshal(public))
	for name, f := range map[string]struct {
		data  []byte
		named string
	}{
		"made-up d":     {with(map[string]any{"d": string(bytes.Repeat([]byte("A"), 342))}), ""},
		"d of another":  {one("d", other.D), ""},
		"d = 1, e = 1":  {with(map[string]any{"e": "AQ", "d": "AQ"}), ""},
		"p of another":  {one("p", other.Primes[0]), ""},
		"p = n, q = 1":  {with(map[string]any{"p": url64(key.N), "q": "AQ"}), ""},
		"dp of another": {one("dp", other.Precomputed.Dp), ""},
		"qi alone":      {one("qi", key.Precomputed.Qinv), ""},
		"d a number":    {with(map[string]any{"d": 7}), ""},
		"next to the keys": {
			[]byte(`{"keys":[` + string(publicText) + `],"meta":{"d":"` + url64(other.D) +
				`","p":"` + url64(other.Primes[0]) + `"}}`),
			"",
		},
		"made-up in a string": {must1(json.Marshal(map[string]string{"x": string(one("d", other.D))})), ""},
		"PKCS#1, foreign d":   {theirs, ""},
		"PKCS#8, foreign d":   {wrapped, ""},
		"PKCS#8 PEM, foreign": {block("PRIVATE KEY", wrapped), ""},
		"d alone":             {one("d", key.D), ours},
		"d with its padding":  {with(map[string]any{"d": base64.URLEncoding.EncodeToString(key.D.Bytes())}), ours},
		"a prime alone":       {one("q", key.Primes[1]), ours},
		"dq alone":            {one("dq", key.Precomputed.Dq), ours},
		// not members of the key
		"true, next to it": {
			[]byte(`{"keys":[` + string(publicText) + `],"meta":{"d":"` + url64(key.D) + `"}}`), "",
		},
		"true behind a decoy": {
			[]byte(`{"keys":[` + string(one("d", other.D)) + "," + string(one("d", key.D)) + `]}`), ours,
		},
		// not a whole JWK
		"true, in a string": {
			must1(json.Marshal(map[string]string{"x": string(one("d", key.D))})), "",
		},
		"PKCS#1, CRT altered": {swap(func(f *rsaFields) { f.N, f.D, f.Dp = key.N, key.D, f.Dq }), ours},
		"PEM behind a decoy": {
			append(block("PRIVATE KEY", wrapped), block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))...), ours,
		},
		"PEM behind a mention": {append([]byte("Not the -----BEGIN RSA PRIVATE KEY----- "+
			"line:\n"), block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))...), ours},
	} {
		t.Run(name, func(t *testing.T) {
			if got := owner(leakOf(t, f.data).Leak); got != f.named {
				t.Errorf("names %q, want %q", got, f.named)
			}
		})
	}
}

// rsaFields is the RSAPrivateKey of RFC 8017, appendix A.1.2.
type rsaFields struct {
	Version                    int
	N, E, D, P, Q, Dp, Dq, Inv *big.Int
}

func must1[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
