package keyfile_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testcert"
	"github.com/sealane/sealane/keyfile"
)

func TestParseRefuses(t *testing.T) {
	c := testcert.Cert(t)
	jwk, err := keyfile.EncodeJWK(&testcert.Key().PublicKey, keyfile.JWKParams{KeyID: "k"})
	must(t, err)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, testcert.Key())
	must(t, err)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	ecSPKI, err := x509.MarshalPKIXPublicKey(&ec.PublicKey)
	must(t, err)
	otherSPKI, err := x509.MarshalPKIXPublicKey(&testcert.OtherKey().PublicKey)
	must(t, err)
	otherJWK, err := keyfile.EncodeJWK(&testcert.OtherKey().PublicKey, keyfile.JWKParams{KeyID: "k"})
	must(t, err)
	x5c := []byte(`{"x5c":["` + base64.StdEncoding.EncodeToString(c.Raw) + `"],`)
	nested := bytes.Repeat([]byte{0x30, 0x80}, 400_000)
	wide := append([]byte{0x30, 0x83, 0x03, 0x0d, 0x40}, bytes.Repeat([]byte{0x05, 0x00}, 100_000)...)
	pemText := string(cert.EncodePEM(c))
	for name, tt := range map[string]struct {
		data []byte
		says []string
	}{
		"empty":      {nil, []string{"empty"}},
		"too large":  {make([]byte, 1<<20+1), []string{"1048577 bytes", "at most"}},
		"prose":      {[]byte("see attachment"), []string{"14 bytes", "not PEM"}},
		"odd UTF-16": {[]byte{0xff, 0xfe, 'a'}, []string{"half a character"}},
		"trailing garbage": {
			append(bytes.Clone(c.Raw), '1'), []string{"the ASN.1 says", "1 bytes of something else"},
		},
		"cut DER":         {c.Raw[:len(c.Raw)-9], []string{"the ASN.1 says", "missing"}},
		"trailing in PEM": {block("CERTIFICATE", append(bytes.Clone(c.Raw), 0)), []string{"something else"}},
		"trailing in p7b": {append(indefinite(t, mustP7(t, c)), 1, 2), []string{"2 bytes of something else"}},
		"deep":            {nested, []string{"nested more than"}},
		"wide":            {wide, []string{"more than 5000 elements"}},
		"huge length":     {[]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0}, []string{"gigabyte"}},
		"no END":          {[]byte(pemText[:300]), []string{"line 1", "has no line", "cut"}},
		"open label":      {[]byte("x\n-----BEGIN CERTIFICATE\nMIIB\n"), []string{"line 2", "not closed"}},
		"smart hyphens": {bytes.ReplaceAll([]byte(pemText[:200]+pemText[300:]), []byte("--"), []byte("—")),
			[]string{"five hyphens"}},
		"request, PEM":      {block("CERTIFICATE REQUEST", csr), []string{"certificate request, not a certificate"}},
		"request, mislabel": {block("CERTIFICATE", csr), []string{"certificate request, not a certificate"}},
		"request, DER":      {csr, []string{"certificate request, not a certificate"}},
		"a CRL's label": {
			block("X509 CRL", []byte{0x30, 0x03, 0x02, 0x01, 0x05}), []string{"neither a certificate"},
		},
		"EC public key": {block("PUBLIC KEY", ecSPKI), []string{"only RSA"}},
		"another's key": {
			append([]byte(pemText), block("PUBLIC KEY", otherSPKI)...), []string{"not the one of the certificate"},
		},
		"two public keys": {bytes.Repeat(block("PUBLIC KEY", otherSPKI), 2), []string{"two public keys"}},
		"negative serial": {
			testcert.WithSerial(t, c, big.NewInt(-5)), []string{"serial number", "negative", "issue it again"},
		},
		"negative, in PEM":   {block("CERTIFICATE", testcert.WithSerial(t, c, big.NewInt(-5))), []string{"negative"}},
		"jwk: duplicate":     {bytes.Replace(jwk, []byte("{"), []byte(`{"\u006b\u0069d":"x",`), 1), []string{"twice"}},
		"jwk: case":          {bytes.Replace(jwk, []byte(`"kty"`), []byte(`"KTY"`), 1), []string{`"kty"`}},
		"jwk: trailing":      {append(bytes.Clone(jwk), '{', '}'), []string{"follows"}},
		"jwk: cut":           {jwk[:len(jwk)-3], []string{"not valid JSON"}},
		"jwk: not UTF-8":     {append(bytes.Clone(jwk), 0xff), []string{"UTF-8"}},
		"jwk: deep":          {[]byte(`{"a":` + strings.Repeat("[", 5000)), []string{"nested"}},
		"jwk: EC":            {[]byte(`{"kty":"EC","crv":"P-256"}`), []string{`must be "RSA"`}},
		"jwk: padded":        {[]byte(`{"kty":"RSA","n":"AQAB","e":"AQ=="}`), []string{`"e"`, "base64url"}},
		"jwk: spare bits":    {[]byte(`{"kty":"RSA","n":"AQAB","e":"AR"}`), []string{`"e"`, "base64url"}},
		"jwk: newline":       {[]byte(`{"kty":"RSA","n":"AQ\nAB","e":"AQAB"}`), []string{`"n"`, "base64url"}},
		"jwk: leading zero":  {[]byte(`{"kty":"RSA","n":"AAEB","e":"AQAB"}`), []string{`"n"`, "zero octet"}},
		"jwk: huge e":        {[]byte(`{"kty":"RSA","n":"AQAB","e":"__________8"}`), []string{"exponent"}},
		"jwk: no n":          {[]byte(`{"kty":"RSA","e":"AQAB"}`), []string{`"n"`, "missing"}},
		"jwk: kid no string": {bytes.Replace(jwk, []byte(`"k"`), []byte("7"), 1), []string{`"kid"`}},
		"jwk: kid control":   {bytes.Replace(jwk, []byte(`"k"`), []byte(`"\u0000"`), 1), []string{"printable"}},
		"jwk set: two":       {[]byte(`{"keys":[` + string(jwk) + `,` + string(jwk) + `]}`), []string{"2 keys"}},
		"jwk set: none":      {[]byte(`{"keys":[]}`), []string{"no key"}},
		"jwk: other's x5c":   {bytes.Replace(otherJWK, []byte("{"), x5c, 1), []string{"x5c", "another key"}},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := keyfile.Parse(tt.data)
			wantError(t, err, tt.says...)
			if f != nil {
				t.Error("a file with the error")
			}
			var leak *keyfile.PrivateKeyError
			if errors.As(err, &leak) {
				t.Errorf("taken for a private key: %v", err)
			}
		})
	}
}

func mustP7(t *testing.T, c *x509.Certificate) []byte {
	t.Helper()
	der, err := keyfile.EncodePKCS7DER(c)
	must(t, err)
	return der
}

// TestParseDamagedPEM cuts lines in the way of the example on the partner's page: some
// lose their end, some are missing, BEGIN and END are whole.
func TestParseDamagedPEM(t *testing.T) {
	c := testcert.Cert(t)
	whole := strings.Split(strings.TrimSpace(string(cert.EncodePEM(c))), "\n")
	size := fmt.Sprintf("the ASN.1 says %d bytes", len(c.Raw))
	cut := func(edit func(lines []string) []string) []byte {
		return []byte("An example:\n" + strings.Join(edit(append([]string(nil), whole...)), "\n") + "\n")
	}
	for name, tt := range map[string]struct {
		data []byte
		says []string
	}{
		"ends of lines lost": {cut(func(l []string) []string {
			l[2], l[4] = l[2][:57], l[4][:60]
			return l
		}), []string{"lines 2 to", "uneven", "line 4 is the first", "has 57 characters where most lines have 64",
			size, "the block holds"}},
		"lines lost": {cut(func(l []string) []string { return append(l[:5], l[8:]...) }),
			[]string{size, fmt.Sprintf("the block holds %d", len(c.Raw)-3*48)}},
		"a stray character": {cut(func(l []string) []string {
			l[3] = l[3][:10] + "*" + l[3][11:]
			return l
		}), []string{"line 5 has a character at position 11", "not valid base64"}},
		"a line too long": {cut(func(l []string) []string {
			l[3] += "AAAA"
			return l
		}), []string{"line 5 is the first", "has 68 characters where most lines have 64"}},
		"nothing": {[]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), []string{"damaged"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := keyfile.Parse(tt.data)
			wantError(t, err, append(tt.says, `PEM block "CERTIFICATE"`, "as an attachment")...)
		})
	}
}

func TestParseRefusesPrivateKeys(t *testing.T) {
	key := testcert.Key()
	c := testcert.Cert(t)
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	must(t, err)
	public := cert.Fingerprints(spki, c).Rows[0].SHA256.Hex
	plain, err := keyfile.EncodePrivate(key, nil)
	must(t, err)
	pkcs8DER, _ := pem.Decode(plain)
	encrypted := cheapPKCS8(t, key, []byte("correct horse battery"))
	encryptedDER, _ := pem.Decode(encrypted)
	p12, _ := storePKCS12(t)
	jwk, err := keyfile.EncodePrivateJWK(key, keyfile.JWKParams{KeyID: "k"})
	must(t, err)
	publicJWK, err := keyfile.EncodeJWK(&key.PublicKey, keyfile.JWKParams{KeyID: "k"})
	must(t, err)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	sec1, err := x509.MarshalECPrivateKey(ec)
	must(t, err)
	ecPKCS8, err := x509.MarshalPKCS8PrivateKey(ec)
	must(t, err)
	pemText := cert.EncodePEM(c)
	for name, tt := range map[string]struct {
		data   []byte
		kind   string
		public string
	}{
		"pkcs8 pem":           {plain, "(PRIVATE KEY)", public},
		"after a certificate": {append(bytes.Clone(pemText), plain...), "(PRIVATE KEY)", public},
		"pkcs1 pem": {
			block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), "(RSA PRIVATE KEY)", public,
		},
		"labeled certificate": {block("CERTIFICATE", pkcs8DER.Bytes), "PKCS#8", public},
		"encrypted pem":       {encrypted, "(ENCRYPTED PRIVATE KEY)", ""},
		"openssh":             {block("OPENSSH PRIVATE KEY", []byte("openssh-key-v1")), "OPENSSH", ""},
		"no END":              {plain[:400], "(PRIVATE KEY)", ""},
		"damaged":             {bytes.Replace(plain, []byte("\n"), []byte("\n*"), 3), "(PRIVATE KEY)", ""},
		"UTF-16":              {utf16With(binary.BigEndian, plain), "(PRIVATE KEY)", public},
		"pkcs8 der":           {pkcs8DER.Bytes, "PKCS#8", public},
		"pkcs8 der, cut":      {pkcs8DER.Bytes[:900], "PKCS#8", public},
		"pkcs8 der, trailing": {append(bytes.Clone(pkcs8DER.Bytes), 0), "PKCS#8", public},
		"pkcs1 der":           {x509.MarshalPKCS1PrivateKey(key), "PKCS#1", public},
		"encrypted der":       {encryptedDER.Bytes, "encrypted", ""},
		"pkcs12":              {p12, "PKCS#12", ""},
		"pkcs12 base64":       {lines76(p12), "PKCS#12", ""},
		"pkcs8 base64":        {lines76(pkcs8DER.Bytes), "PKCS#8", public},
		"pem in base64":       {lines76(plain), "(PRIVATE KEY)", public},
		"der then pem":        {append(bytes.Clone(c.Raw), plain...), "(PRIVATE KEY)", public},
		"sec1 der, short":     {sec1, "SEC 1", "some"},
		"ec pkcs8, short":     {ecPKCS8, "PKCS#8", "some"},
		"jwk": {
			jwk, "private JWK", public,
		}, "symmetric jwk": {[]byte(`{"kty":"oct","k":"AQAB"}`), "private JWK", ""},
		"jwk in a set": {[]byte(`{"keys":[` + string(publicJWK) + "," + string(jwk) + `]}`), "private JWK", public},
		"jks":          {[]byte{0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2}, "JKS", ""},
		"putty":        {[]byte("PuTTY-User-Key-File-3: ssh-rsa\n"), "PuTTY", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := keyfile.Parse(tt.data)
			var leak *keyfile.PrivateKeyError
			if f != nil || !errors.As(err, &leak) {
				t.Fatalf("%v, %v", f, err)
			}
			wantError(t, err, tt.kind, "compromised", "new pair")
			switch {
			case tt.public == "some":
				if leak.PublicKey.IsZero() {
					t.Errorf("public key %q", leak.PublicKey)
				}
			case owner(leak.Leak) != tt.public:
				t.Errorf("public key %q, wanted %q", leak.PublicKey, tt.public)
			}
			if shown := err.Error(); strings.Contains(shown, "MII") || len(shown) > 400 {
				t.Errorf("the error shows too much: %s", shown)
			}
		})
	}
}
