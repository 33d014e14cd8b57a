package keyfile_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testcert"
	"github.com/sealane/sealane/keyfile"
)

// TestParseFindsPrivateKeys has forms that the hostile corpus does not have.
func TestParseFindsPrivateKeys(t *testing.T) {
	key := testcert.Key()
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	pkcs1 := x509.MarshalPKCS1PrivateKey(key)
	jwk, err := keyfile.EncodePrivateJWK(key, keyfile.JWKParams{KeyID: "ours"})
	must(t, err)
	inString, err := json.Marshal(map[string]string{"key": string(jwk)})
	must(t, err)
	certificate := testcert.Cert(t)
	wrapped := pem.EncodeToMemory(&pem.Block{Type: "X", Bytes: pkcs8})
	wrapped = wrapped[bytes.IndexByte(wrapped, '\n')+1 : bytes.LastIndex(wrapped, []byte("-----END"))]
	for name, f := range map[string]struct {
		data  []byte
		named bool
	}{
		"JWK in a string of JSON": {inString, false},
		"JWK after a certificate": {append(cert.EncodePEM(certificate), jwk...), false},
		"JWK with a set of two": {
			[]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"},` + string(jwk) + `]}`), true,
		},
		"JWK in base64":            {[]byte(base64.StdEncoding.EncodeToString(jwk)), true},
		"JWK in UTF-16, cut":       {utf16Text(jwk)[:2*len(jwk)-1], false},
		"DER after a certificate":  {append(bytes.Clone(certificate.Raw), pkcs1...), true},
		"base64 lines in a letter": {append([]byte("Our key:\n\n"), append(wrapped, "\nRegards\n"...)...), true},
		"base64 with other hyphens": {
			[]byte("–––BEGIN PRIVATE KEY–––\n" + string(wrapped) + "–––END PRIVATE KEY–––\n"),
			true,
		},
		"base64 in a certificate block": {
			[]byte("-----BEGIN CERTIFICATE-----\n" + string(wrapped[:700]) + "!\n-----END CERTIFICATE-----\n"), false,
		},
		"PKCS#1 cut behind d": {pkcs1[:700], true},
		"PKCS#1 cut before d": {pkcs1[:300], false},
	} {
		_, err := keyfile.Parse(f.data)
		var found *keyfile.PrivateKeyError
		if !errors.As(err, &found) {
			t.Errorf("%s: not seen: %v", name, err)
			continue
		}
		if found.PublicKey.IsZero() == f.named {
			t.Errorf("%s: checksum %s", name, found.PublicKey)
		}
	}
}

// TestParseRaisesNoFalseAlarm has public files with words of private ones.
func TestParseRaisesNoFalseAlarm(t *testing.T) {
	public, err := keyfile.EncodeJWK(&testcert.Key().PublicKey, keyfile.JWKParams{KeyID: "ours"})
	must(t, err)
	with := func(members string) []byte {
		return []byte(strings.Replace(string(public), `"kty"`, members+`, "kty"`, 1))
	}
	certificate := testcert.Cert(t)
	sum := sha256.Sum256(certificate.Raw)
	thumbprint := base64.RawURLEncoding.EncodeToString(sum[:])
	x5c := `"x5c": ["` + base64.StdEncoding.EncodeToString(certificate.Raw) + `"]`
	for name, data := range map[string][]byte{
		"private members null":  with(`"d": null, "p": null, "q": null, "oth": null`),
		"private members empty": with(`"d": "", "qi": ""`),
		"certificate in JWK":    with(x5c),
		"its thumbprint":        with(x5c + `, "x5t#S256": "` + thumbprint + `"`),
		"thumbprint alone":      with(`"x5t#S256": "` + thumbprint + `"`),
		"a letter round the PEM": append([]byte(`Never send us a PRIVATE KEY or a kty with "d": `+
			`"..."!`+"\n"), cert.EncodePEM(testcert.Cert(t))...),
		"an identifier named n":   with(`"x": {"n": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`),
		"a text in a private key": with(`"x": {"q": "to be or not to be, that is it"}`),
	} {
		if _, err := keyfile.Parse(data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, page := range []string{`<P>Donaudampfschifffahrtsgesellschaft</P>`,
		`<RSAKeyValue><Modulus>AQAB</Modulus><Exponent>AQAB</Exponent></RSAKeyValue>`} {
		_, err := keyfile.Parse([]byte(page))
		var found *keyfile.PrivateKeyError
		if err == nil || errors.As(err, &found) {
			t.Errorf("%s: %v", page, err)
		}
	}
}
