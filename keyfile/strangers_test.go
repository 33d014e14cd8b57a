package keyfile_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testcert"
	"github.com/sealane/sealane/keyfile"
	"software.sslmate.com/src/go-pkcs12"
)

// What partners send that is not what was asked for.

func notPrivate(t *testing.T, err error) {
	t.Helper()
	var leak *keyfile.PrivateKeyError
	if errors.As(err, &leak) {
		t.Errorf("taken for a private key: %v", err)
	}
}

func TestReadPKCS12WithoutKey(t *testing.T) {
	ssl := peer(t, "openssl")
	c := testcert.Cert(t)
	plain, err := keyfile.EncodePrivate(testcert.Key(), nil)
	must(t, err)
	ssl.write("c.pem", cert.EncodePEM(c))
	ssl.write("k.pem", plain)
	export := func(args ...string) []byte {
		ssl.run(append([]string{"pkcs12", "-export", "-in", "c.pem", "-out", "o.p12"}, args...)...)
		return ssl.read("o.p12")
	}
	nokeys := []string{"-nokeys", "-passout"}
	empty := export(append(nokeys, "pass:")...)
	for name, data := range map[string][]byte{
		"empty passphrase":          empty,
		"empty passphrase, base64":  lines76(empty),
		"empty passphrase, PEM":     block("PKCS12", empty),
		"certificates in clear":     export(append(nokeys, "pass:secret", "-certpbe", "NONE")...),
		"nothing encrypted, no MAC": export(append(nokeys, "pass:", "-certpbe", "NONE", "-nomac")...),
		"hash of PBKDF2 by default": export(append(nokeys, "pass:", "-certpbe", "aes-128-cbc")...),
	} {
		f, err := keyfile.Parse(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if f.Format != keyfile.FormatPKCS12 || len(f.Certificates) != 1 || !f.Certificates[0].Equal(c) || !f.PublicKey.Equal(&testcert.Key().PublicKey) {
			t.Errorf("%s: %q with %d certificates", name, f.Format, len(f.Certificates))
		}
	}
	secret := export(append(nokeys, "pass:secret")...)
	for name, data := range map[string][]byte{
		"a passphrase":    secret,
		"in base64":       lines76(secret),
		"an old scheme":   export(append(nokeys, "pass:", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1")...),
		"a costly scheme": replaceInteger(t, empty, big.NewInt(2048), big.NewInt(1_000_001)),
		"cut":             secret[:len(secret)-40],
	} {
		f, err := keyfile.Parse(data)
		if f != nil {
			t.Errorf("%s: a file beside the error", name)
		}
		wantError(t, err, "PKCS#12", "may hold a private key", ".p7b")
		notPrivate(t, err)
		if err != nil && strings.Contains(err.Error(), "compromised") {
			t.Errorf("%s: %v", name, err)
		}
	}
	noPassphrase, err := pkcs12.Modern2023.Encode(testcert.Key(), c, nil, "")
	must(t, err)
	inClear, err := pkcs12.Passwordless.Encode(testcert.Key(), c, nil, "")
	must(t, err)
	withKey := export("-inkey", "k.pem", "-passout", "pass:secret")
	for name, data := range map[string][]byte{
		"openssl":           withKey,
		"cut":               withKey[:len(withKey)-30],
		"no passphrase":     noPassphrase,
		"not encrypted":     inClear,
		"openssl, in clear": export("-inkey", "k.pem", "-passout", "pass:secret", "-keypbe", "NONE", "-certpbe", "NONE"),
		"3DES":              export("-inkey", "k.pem", "-passout", "pass:secret", "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES"),
		"labelled a cert":   block("CERTIFICATE", withKey),
	} {
		_, err := keyfile.Parse(data)
		var leak *keyfile.PrivateKeyError
		if !errors.As(err, &leak) || !strings.Contains(err.Error(), "compromised") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadWideTextWithoutMark(t *testing.T) {
	c := testcert.Cert(t)
	plain, err := keyfile.EncodePrivate(testcert.Key(), nil)
	must(t, err)
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		f, err := keyfile.Parse(utf16With(order, crlf(cert.EncodePEM(c)))[2:])
		must(t, err)
		if f.Format != keyfile.FormatPEM || !f.Certificates[0].Equal(c) {
			t.Errorf("%v: %q, or another certificate", order, f.Format)
		}
		f, err = keyfile.Parse(utf16With(order, append([]byte("Grüße aus Köln – der Schlüssel:\n"), cert.EncodePEM(c)...))[2:])
		must(t, err)
		if !f.Certificates[0].Equal(c) {
			t.Errorf("%v: another certificate", order)
		}
		var leak *keyfile.PrivateKeyError
		if _, err := keyfile.Parse(utf16With(order, plain)[2:]); !errors.As(err, &leak) {
			t.Errorf("%v: %v", order, err)
		}
		key, _, err := keyfile.ParsePrivate(utf16With(order, plain)[2:], nil)
		must(t, err)
		if !key.Equal(testcert.Key()) {
			t.Errorf("%v: another key", order)
		}
	}
}

func TestCheckOfOtherKeys(t *testing.T) {
	ssl := peer(t, "openssl")
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	made := map[string][]byte{"Ed25519": testcert.Issue(t, nil, nil, ed.Public(), ed).Raw}
	for name, args := range map[string][]string{
		"EC":                {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"},
		"RSA-PSS":           {"-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"},
		"RSA-PSS, bound":    {"-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048", "-pkeyopt", "rsa_pss_keygen_md:sha256", "-pkeyopt", "rsa_pss_keygen_mgf1_md:sha256", "-pkeyopt", "rsa_pss_keygen_saltlen:32"},
		"EC, unknown curve": {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"},
	} {
		ssl.run(append([]string{"genpkey", "-out", "k.pem"}, args...)...)
		ssl.run("req", "-x509", "-key", "k.pem", "-out", "c.pem", "-days", "730", "-subj", "/O=Issuer Bank/OU=Key Team/CN=rdx",
			"-addext", "basicConstraints=critical,CA:FALSE", "-addext", "keyUsage=critical,keyEncipherment",
			"-addext", "subjectAltName=email:keys@issuer.example")
		b, _ := pem.Decode(ssl.read("c.pem"))
		made[name] = b.Bytes
	}
	for name, der := range made {
		f, err := keyfile.Parse(der)
		if name == "EC, unknown curve" { // crypto/x509 does not parse it
			wantError(t, err, "elliptic")
			notPrivate(t, err)
			continue
		}
		must(t, err)
		if f.PublicKey != nil {
			t.Errorf("%s: an RSA key", name)
		}
		leaf := f.Certificates[0]
		v := cert.Check(leaf, testcert.Policy(), leaf.NotBefore.AddDate(0, 0, 1))
		r := testcert.Finding(t, v, "key-type")
		if r.Level != cert.Refused || len(v) != 15 || !strings.Contains(r.Found, strings.Split(strings.Replace(name, "EC", "ECDSA", 1), ",")[0]) {
			t.Errorf("%s: %d rules, %+v", name, len(v), r)
		}
		if strings.HasPrefix(name, "RSA-PSS") && !strings.Contains(r.Remedy, "rsaEncryption") {
			t.Errorf("%s: %+v", name, r)
		}
		testcert.CheckAdvice(t, v)
		if table := cert.Fingerprints(der, leaf); len(table.Rows) == 0 {
			t.Errorf("%s: no checksum", name)
		}
	}
}

func TestJWKOfOtherUse(t *testing.T) {
	public, err := keyfile.EncodeJWK(&testcert.Key().PublicKey, "k", "")
	must(t, err)
	private, err := keyfile.EncodePrivateJWK(testcert.Key(), "k", "")
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
