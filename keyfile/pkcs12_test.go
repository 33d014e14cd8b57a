package keyfile_test

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testcert"
	"github.com/sealane/sealane/keyfile"
	"software.sslmate.com/src/go-pkcs12"
)

func notPrivate(t *testing.T, err error) {
	t.Helper()
	var leak *keyfile.PrivateKeyError
	if errors.As(err, &leak) {
		t.Errorf("taken for a private key: %v", err)
	}
}

func TestParsePKCS12WithoutKey(t *testing.T) {
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
		"plain certificates":        export(append(nokeys, "pass:secret", "-certpbe", "NONE")...),
		"nothing encrypted, no MAC": export(append(nokeys, "pass:", "-certpbe", "NONE", "-nomac")...),
		"hash of PBKDF2 by default": export(append(nokeys, "pass:", "-certpbe", "aes-128-cbc")...),
	} {
		f, err := keyfile.Parse(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if f.Format != keyfile.FormatPKCS12 || len(f.Certificates) != 1 || !f.Certificates[0].Equal(c) ||
			!f.PublicKey.Equal(&testcert.Key().PublicKey) {
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
			t.Errorf("%s: a file with the error", name)
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
		"openssl":        withKey,
		"cut":            withKey[:len(withKey)-30],
		"no passphrase":  noPassphrase,
		"not encrypted":  inClear,
		"openssl, plain": export("-inkey", "k.pem", "-passout", "pass:secret", "-keypbe", "NONE", "-certpbe", "NONE"),
		"3DES": export("-inkey", "k.pem", "-passout", "pass:secret",
			"-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES"),
		"labeled a cert": block("CERTIFICATE", withKey),
	} {
		_, err := keyfile.Parse(data)
		var leak *keyfile.PrivateKeyError
		if !errors.As(err, &leak) || !strings.Contains(err.Error(), "compromised") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
