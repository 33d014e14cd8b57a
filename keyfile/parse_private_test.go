package keyfile_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testcert"
	"github.com/sealane/sealane/keyfile"
	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"
)

var passphrase = []byte("correct horse battery")

// cheapPKCS8 encrypts with few iterations, for tests that aren't about them.
func cheapPKCS8(t testing.TB, key any, pass []byte) []byte {
	t.Helper()
	return encryptPKCS8(t, key, pass, pkcs8.PBKDF2Opts{SaltSize: 16, IterationCount: 1000, HMACHash: crypto.SHA256})
}

func encryptPKCS8(t testing.TB, key any, pass []byte, kdf pkcs8.KDFOpts) []byte {
	t.Helper()
	der, err := pkcs8.MarshalPrivateKey(key, pass, &pkcs8.Opts{Cipher: pkcs8.AES256CBC, KDFOpts: kdf})
	must(t, err)
	return block("ENCRYPTED PRIVATE KEY", der)
}

// weakKDF is what old programs write.
var weakKDF = pkcs8.PBKDF2Opts{SaltSize: 8, IterationCount: 9, HMACHash: crypto.SHA1}

func scrypt(salt, cost int) pkcs8.ScryptOpts {
	return pkcs8.ScryptOpts{SaltSize: salt, CostParameter: cost, BlockSize: 8, ParallelizationParameter: 1}
}

func TestParsePrivateFormats(t *testing.T) {
	key := testcert.Key()
	p12, c := storePKCS12(t)
	plain, err := keyfile.EncodePrivate(key, nil)
	must(t, err)
	der, _ := pem.Decode(plain)
	ours, err := ourSealed()
	must(t, err)
	jwk, err := keyfile.EncodePrivateJWK(key, keyfile.JWKParams{KeyID: "alias-1", Use: "enc"})
	must(t, err)
	ca := testcert.Authority(t, "Root")
	swapped, err := pkcs12.Modern2023.Encode(key, ca, []*x509.Certificate{c}, string(passphrase))
	must(t, err)
	noPass, err := pkcs12.Modern2023.Encode(key, c, nil, "")
	must(t, err)
	for name, tt := range map[string]struct {
		data   []byte
		pass   []byte
		format keyfile.Format
		certs  int
	}{
		"pkcs8 pem":    {plain, nil, keyfile.FormatPKCS8, 0},
		"pkcs8 der":    {der.Bytes, nil, keyfile.FormatPKCS8, 0},
		"pkcs8 base64": {lines76(der.Bytes), nil, keyfile.FormatPKCS8, 0},
		"pkcs1 pem": {
			block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), nil, keyfile.FormatPKCS1, 0,
		},
		"needless passphrase": {plain, passphrase, keyfile.FormatPKCS8, 0},
		"after a certificate": {append(cert.EncodePEM(c), plain...), nil, keyfile.FormatPKCS8, 0},
		"encrypted, ours":     {ours, passphrase, keyfile.FormatPKCS8Encrypted, 0},
		"encrypted, SHA-1": {
			encryptPKCS8(t, key, passphrase, weakKDF), passphrase, keyfile.FormatPKCS8Encrypted, 0,
		},
		"encrypted, scrypt": {
			encryptPKCS8(t, key, passphrase, scrypt(8, 1024)), passphrase, keyfile.FormatPKCS8Encrypted, 0,
		},
		"pkcs12":                {p12, passphrase, keyfile.FormatPKCS12, 1},
		"pkcs12, CA first":      {swapped, passphrase, keyfile.FormatPKCS12, 2},
		"pkcs12, no passphrase": {noPass, []byte{}, keyfile.FormatPKCS12, 1},
		"jwk":                   {jwk, nil, keyfile.FormatJWK, 0},
		"jwk, BOM":              {append([]byte("\xef\xbb\xbf"), jwk...), nil, keyfile.FormatJWK, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, info, err := keyfile.ParsePrivate(tt.data, tt.pass)
			must(t, err)
			if !got.Equal(key) || info.Format != tt.format || len(info.Certificates) != tt.certs {
				t.Errorf("another key, or %q with %d certificates", info.Format, len(info.Certificates))
			}
			if tt.certs > 0 && !info.Certificates[0].Equal(c) {
				t.Error("the first certificate is not the key's own")
			}
			if wantKID := tt.format == keyfile.FormatJWK; wantKID != (info.KeyID == "alias-1") {
				t.Errorf("key ID %q", info.KeyID)
			}
		})
	}
}

func TestParsePrivateRefuses(t *testing.T) {
	key := testcert.Key()
	c := testcert.Cert(t)
	plain, err := keyfile.EncodePrivate(key, nil)
	must(t, err)
	encrypted := cheapPKCS8(t, key, passphrase)
	p12, err := pkcs12.Modern2023.Encode(key, c, nil, string(passphrase))
	must(t, err)
	stranger, err := pkcs12.Modern2023.Encode(testcert.OtherKey(), c, nil, string(passphrase))
	must(t, err)
	patched, err := pkcs12.Modern2023.WithIterations(40_000).Encode(key, c, nil, string(passphrase))
	must(t, err)
	cheap, dear := []byte{2, 3, 0x00, 0x9c, 0x40}, []byte{2, 3, 0x7f, 0xff, 0xff}
	if bytes.Count(patched, cheap) != 3 {
		t.Fatal("the PKCS#12 does not have its three counts")
	}
	jwk, err := keyfile.EncodePrivateJWK(key, keyfile.JWKParams{KeyID: "k"})
	must(t, err)
	public, err := keyfile.EncodeJWK(&key.PublicKey, keyfile.JWKParams{KeyID: "k"})
	must(t, err)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	ecDER, err := x509.MarshalPKCS8PrivateKey(ec)
	must(t, err)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	smallDER, err := x509.MarshalPKCS8PrivateKey(small)
	must(t, err)
	for name, tt := range map[string]struct {
		data []byte
		pass []byte
		is   error
		says []string
	}{
		"passphrase needed":        {encrypted, nil, keyfile.ErrPassphraseNeeded, nil},
		"passphrase empty":         {encrypted, []byte{}, keyfile.ErrPassphraseNeeded, nil},
		"passphrase wrong":         {encrypted, []byte("wrong horse battery"), keyfile.ErrPassphraseWrong, nil},
		"passphrase wrong, short":  {encrypted, []byte("x"), keyfile.ErrPassphraseWrong, nil},
		"pkcs12 passphrase needed": {p12, nil, keyfile.ErrPassphraseNeeded, nil},
		"pkcs12 passphrase wrong":  {p12, []byte("wrong horse battery"), keyfile.ErrPassphraseWrong, nil},
		"pkcs12 of another key":    {stranger, passphrase, nil, []string{"no certificate of its key"}},
		"pkcs12, costly MAC": {
			replaceInteger(t, patched, big.NewInt(40_000), big.NewInt(10_000_000)), passphrase, nil,
			[]string{"more than 10000000 iterations"},
		},
		"pkcs12, costly parts": {
			bytes.Replace(patched, cheap, dear, 2), passphrase, nil, []string{"more than 10000000 iterations"},
		},
		"pkcs12, trailing": {append(bytes.Clone(p12), 0), passphrase, nil, []string{"damaged"}},
		"PBKDF2, costly": {
			withIterations(t, encrypted, 1000, 10_000_001), passphrase, nil, []string{"10000001 iterations"},
		},
		"PBKDF2, negative": {
			withIterations(t, encrypted, 1000, -1), passphrase, nil, []string{"-1 iterations"},
		},
		"scrypt, costly":     {scryptWithN(t, key, 1<<21), passphrase, nil, []string{"scrypt with N=2097152"}},
		"a certificate":      {cert.EncodePEM(c), nil, nil, []string{"no private key"}},
		"a certificate, DER": {c.Raw, nil, nil, []string{"no private key"}},
		"two keys":           {append(bytes.Clone(plain), plain...), nil, nil, []string{"two private keys"}},
		"old encryption": {[]byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: " +
			"AES-256-CBC,00\n\nMIIB\n-----END RSA PRIVATE " +
			"KEY-----\n"), passphrase, nil, []string{"openssl pkcs8 -topk8"}},
		"EC":         {block("PRIVATE KEY", ecDER), nil, nil, []string{"only RSA"}},
		"1024 bits":  {block("PRIVATE KEY", smallDER), nil, cert.ErrKeySize, nil},
		"jks":        {[]byte{0xfe, 0xed, 0xfe, 0xed}, nil, nil, []string{"keytool -importkeystore"}},
		"prose":      {[]byte("hello"), nil, nil, []string{"not PEM"}},
		"too large":  {make([]byte, 1<<20+1), nil, nil, []string{"at most"}},
		"public jwk": {public, nil, nil, []string{"public key only"}},
		"jwk: two":   {[]byte(`{"keys":[` + string(jwk) + "," + string(jwk) + `]}`), nil, nil, []string{"2 keys"}},
		"jwk: oth":   {bytes.Replace(jwk, []byte("{"), []byte(`{"oth":[],`), 1), nil, nil, []string{"two primes"}},
		"jwk: no qi": {
			editJWK(t, jwk, func(m map[string]string) { delete(m, "qi") }), nil, nil, []string{`"qi"`, "missing"},
		},
		"jwk: dp for dq": {
			editJWK(t, jwk, func(m map[string]string) { m["dp"] = m["dq"] }), nil, nil,
			[]string{"do not belong together"},
		},
		"jwk: p for q": {
			editJWK(t, jwk, func(m map[string]string) { m["q"] = m["p"] }), nil, nil,
			[]string{"do not belong together"},
		},
		"jwk: p = 1": {
			editJWK(t, jwk, func(m map[string]string) { m["p"], m["q"] = "AQ", m["n"] }), nil, nil,
			[]string{"out of range"},
		},
		"jwk: other d": {
			editJWK(t, jwk, func(m map[string]string) { m["d"] = m["p"] }), nil, nil,
			[]string{"do not belong together"},
		},
		"jwk: e = 3": {
			editJWK(t, jwk, func(m map[string]string) { m["e"] = "Aw" }), nil, cert.ErrKeyExponent, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, info, err := keyfile.ParsePrivate(tt.data, tt.pass)
			wantError(t, err, tt.says...)
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v, wanted %v", err, tt.is)
			}
			if got != nil || info.Format != "" {
				t.Error("a key with the error")
			}
			if strings.Contains(err.Error(), "horse") {
				t.Errorf("the error holds the passphrase: %v", err)
			}
		})
	}
}

func editJWK(t *testing.T, data []byte, edit func(map[string]string)) []byte {
	t.Helper()
	var members map[string]string
	must(t, json.Unmarshal(data, &members))
	edit(members)
	out, err := json.Marshal(members)
	must(t, err)
	return out
}

// withIterations replaces the iteration count in encrypted PKCS#8, and the lengths
// around it.
func withIterations(t *testing.T, text []byte, from, to int64) []byte {
	t.Helper()
	b, _ := pem.Decode(text)
	return block(b.Type, replaceInteger(t, b.Bytes, big.NewInt(from), big.NewInt(to)))
}

func scryptWithN(t *testing.T, key *rsa.PrivateKey, n int64) []byte {
	t.Helper()
	return withIterations(t, encryptPKCS8(t, key, passphrase, scrypt(16, 512)), 512, n)
}

func TestEncodePrivateRefusesShortPassphrases(t *testing.T) {
	for _, n := range []int{1, 13} {
		short := bytes.Repeat([]byte("x"), n)
		_, err := keyfile.EncodePrivate(testcert.Key(), short)
		wantError(t, err, "at least 14")
		_, err = keyfile.EncodePKCS12(testcert.Key(), []*x509.Certificate{testcert.Cert(t)}, short)
		wantError(t, err, "at least 14")
	}
	_, err := keyfile.EncodePKCS12(testcert.OtherKey(), []*x509.Certificate{testcert.Cert(t)}, passphrase)
	wantError(t, err, "is not the one of this key")
	_, err = keyfile.EncodePKCS12(testcert.Key(), nil, passphrase)
	wantError(t, err, "is not the one of this key")
}
