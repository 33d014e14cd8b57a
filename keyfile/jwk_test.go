package keyfile_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/testcert"
	"github.com/sealane/sealane/keyfile"
)

func TestJWKIsWhatTheRFCSays(t *testing.T) {
	data, err := keyfile.EncodePrivateJWK(testcert.Key(), keyfile.JWKParams{KeyID: "kid-1", Use: "sig", Alg: "PS256"})
	must(t, err)
	var members map[string]string
	must(t, json.Unmarshal(data, &members))
	number := func(name string) *big.Int {
		b, err := base64.RawURLEncoding.DecodeString(members[name])
		must(t, err)
		return new(big.Int).SetBytes(b)
	}
	if members["kty"] != "RSA" || members["kid"] != "kid-1" || members["use"] != "sig" || members["alg"] != "PS256" ||
		members["e"] != "AQAB" || len(members) != 12 {
		t.Errorf("%d members", len(members))
	}
	one := big.NewInt(1)
	p, q := number("p"), number("q")
	if new(big.Int).Mul(p, q).Cmp(number("n")) != 0 ||
		new(big.Int).Mod(number("d"), new(big.Int).Sub(p, one)).Cmp(number("dp")) != 0 ||
		new(big.Int).Mod(number("d"), new(big.Int).Sub(q, one)).Cmp(number("dq")) != 0 ||
		new(big.Int).Mod(new(big.Int).Mul(q, number("qi")), p).Cmp(one) != 0 {
		t.Error("the numbers do not belong together")
	}
	if _, err := keyfile.EncodeJWK(&testcert.Key().PublicKey,
		keyfile.JWKParams{KeyID: "k", Use: "encrypt"}); err == nil {
		t.Error(`use "encrypt" passed`)
	}
	if _, err := keyfile.EncodeJWK(&testcert.Key().PublicKey,
		keyfile.JWKParams{KeyID: strings.Repeat("k", 129)}); err == nil {
		t.Error("a key ID of 129 characters passed")
	}
}

// TestJWKAlg: a JWK has an alg only if the caller names one, because the algorithm depends on the
// dialect.
func TestJWKAlg(t *testing.T) {
	pub := &testcert.Key().PublicKey
	for _, p := range []keyfile.JWKParams{{}, {Use: "sig"}, {Use: "enc"}, {KeyID: "k"}} {
		data, err := keyfile.EncodeJWK(pub, p)
		if err != nil || strings.Contains(string(data), `"alg"`) {
			t.Errorf("%+v: %s, %v", p, data, err)
		}
	}
	for _, p := range []keyfile.JWKParams{
		{Alg: "RS256"}, {Use: "sig", Alg: "PS256"}, {Use: "enc", Alg: "RSA-OAEP-256"}, {Alg: "RSA-OAEP"},
	} {
		data, err := keyfile.EncodeJWK(pub, p)
		if err != nil || !strings.Contains(string(data), `"alg": "`+p.Alg+`"`) {
			t.Errorf("%+v: %s, %v", p, data, err)
			continue
		}
		if f, err := keyfile.Parse(data); err != nil || !f.PublicKey.Equal(pub) {
			t.Errorf("%+v: read back: %v", p, err)
		}
	}
	for _, p := range []keyfile.JWKParams{{Alg: "RSA1_5"}, {Alg: "ES256"}, {Use: "enc", Alg: "RS256"}} {
		if data, err := keyfile.EncodeJWK(pub, p); err == nil {
			t.Errorf("%+v: %s", p, data)
		}
	}
}

func TestJWKOfOtherUse(t *testing.T) {
	public, err := keyfile.EncodeJWK(&testcert.Key().PublicKey, keyfile.JWKParams{KeyID: "k"})
	must(t, err)
	private, err := keyfile.EncodePrivateJWK(testcert.Key(), keyfile.JWKParams{KeyID: "k"})
	must(t, err)
	with := func(jwk []byte, members string) []byte {
		return bytes.Replace(jwk, []byte("{"), []byte("{"+members+","), 1)
	}
	for members, says := range map[string]string{
		`"alg":"ES256"`:                           `"alg"`,
		`"alg":"PS512"`:                           `"alg"`,
		`"alg":"RSA1_5"`:                          `"alg"`,
		`"alg":"rs256"`:                           `"alg"`,
		`"alg":7`:                                 `"alg"`,
		`"use":"encrypt"`:                         `"use"`,
		`"use":["sig"]`:                           `"use"`,
		`"use":"enc","alg":"RS256"`:               `"use"`,
		`"use":"sig","alg":"RSA-OAEP-256"`:        `"use"`,
		`"key_ops":"verify"`:                      `"key_ops"`,
		`"key_ops":[]`:                            `"key_ops"`,
		`"key_ops":[1]`:                           `"key_ops"`,
		`"key_ops":["deriveKey"]`:                 `"key_ops"`,
		`"key_ops":["verify"],"use":"enc"`:        `"key_ops"`,
		`"key_ops":["wrapKey"],"alg":"RS256"`:     `"key_ops"`,
		`"key_ops":["verify","encrypt","verify"]`: `"key_ops"`,
	} {
		_, err := keyfile.Parse(with(public, members))
		wantError(t, err, "JWK", says)
		notPrivate(t, err)
		_, _, err = keyfile.ParsePrivate(with(private, members), nil)
		wantError(t, err, "JWK", says)
		_, err = keyfile.Parse(with(private, members))
		var leak *keyfile.PrivateKeyError
		if !errors.As(err, &leak) || leak.PublicKey.IsZero() {
			t.Errorf("%s: %v", members, err)
		}
	}
	for _, members := range []string{
		`"alg":"RS256"`, `"alg":"RSA-OAEP"`, `"alg":"RSA-OAEP-256"`, `"use":"sig"`, `"use":"enc","alg":"RSA-OAEP-256"`,
		`"key_ops":["verify"]`, `"key_ops":["verify"],"use":"sig","alg":"RS256"`,
		`"key_ops":["encrypt","wrapKey"],"use":"enc"`,
		`"key_ops":["sign","verify"]`, `"key_ops":["unwrapKey"],"alg":"RSA-OAEP-256"`,
		`"key_ops":["verify","encrypt"]`,
	} {
		if _, err := keyfile.Parse(with(public, members)); err != nil {
			t.Errorf("%s: %v", members, err)
		}
		if _, _, err := keyfile.ParsePrivate(with(private, members), nil); err != nil {
			t.Errorf("%s: %v", members, err)
		}
	}
}

// TestKIsPrivateInSymmetricKeysOnly: RFC 7518, section 6.4, defines "k" for them.
func TestKIsPrivateInSymmetricKeysOnly(t *testing.T) {
	k := `"k":"` + url64(testcert.OtherKey().D) + `"`
	key := `{"kty":"RSA",` + k + `,"n":"` + url64(testcert.Key().N) + `","e":"AQAB"}`
	for _, text := range []string{key, `{"keys":[` + key + `]}`} {
		f, err := keyfile.Parse([]byte(text))
		if err != nil || !f.PublicKey.Equal(testcert.Key().Public()) {
			t.Errorf("%v", err)
		}
	}
	for _, text := range []string{
		`{"kty":"oct",` + k + `}`, `{"keys":[` + key + `,{"kty":"oct",` + k + `}]}`, `{"kty":"oct",` + k,
	} {
		if sum := owner(leakOf(t, []byte(text)).Leak); sum != "" {
			t.Errorf("%.20s names %s", text, sum)
		}
	}
}
