package keyfile_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testcert"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/keyfile"
	"software.sslmate.com/src/go-pkcs12"
)

// wantBrief fails if an error is too long to read, or repeats what was in the file.
func wantBrief(t *testing.T, err error, data []byte) {
	t.Helper()
	const excerpt = 200
	text := err.Error()
	if len(text) > 2000 {
		t.Fatalf("an error of %d bytes: %.300s", len(text), text)
	}
	for at := 0; at+excerpt <= len(data); at += excerpt {
		if strings.Contains(text, string(data[at:at+excerpt])) {
			t.Fatalf("the error repeats the file: %s", text)
		}
	}
}

// sameKeyAgain writes a public key in each form and reads it.
func sameKeyAgain(t *testing.T, pub *rsa.PublicKey, keyID string) {
	t.Helper()
	jwk, err := keyfile.EncodeJWK(pub, keyfile.JWKParams{KeyID: keyID})
	must(t, err)
	spki, err := x509.MarshalPKIXPublicKey(pub)
	must(t, err)
	for _, form := range [][]byte{
		jwk, []byte(`{"keys":[` + string(jwk) + `]}`), spki, block("PUBLIC KEY", spki), lines76(spki),
		block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(pub)),
	} {
		again, err := keyfile.Parse(form)
		if err != nil || !again.PublicKey.Equal(pub) || again.Format == keyfile.FormatJWK && again.KeyID != keyID {
			t.Fatalf("not the same key from %q: %v", form, err)
		}
	}
}

// utf16Text returns text as Windows editors write it.
func utf16Text(text []byte) []byte {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(string(text))) {
		out = append(out, byte(u), byte(u>>8))
	}
	return out
}

// FuzzParse checks that an accepted file has one leaf or one key, and that Parse returns
// the same certificate or key from each form that we write and partners send. An error
// comes alone and is short.
func FuzzParse(f *testing.F) {
	c, err := cert.Create(testkey.Fixed(), testcert.Template())
	must(f, err)
	forms, err := keyfile.EncodeAll(c)
	must(f, err)
	for _, data := range forms {
		f.Add(data)
		f.Add(utf16Text(data))
	}
	p7, err := keyfile.EncodePKCS7DER(c)
	must(f, err)
	f.Add(p7)
	f.Add(lines76(p7))
	store, err := pkcs12.Passwordless.EncodeTrustStore([]*x509.Certificate{c}, "")
	must(f, err)
	f.Add(store)
	jwk, err := keyfile.EncodeJWK(&testkey.Fixed().PublicKey, keyfile.JWKParams{KeyID: "k", Use: "enc"})
	must(f, err)
	f.Add(jwk)
	f.Add([]byte(`{"keys":[` + string(jwk) + `]}`))
	f.Add(lines76(c.Raw))
	f.Add(block("PUBLIC KEY", c.RawSubjectPublicKeyInfo))
	f.Add(bytes.Repeat([]byte{0x30, 0x80}, 100))
	f.Add([]byte("\xff\xfe-\x00-\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := keyfile.Parse(data)
		if err != nil {
			if file != nil {
				t.Fatal("a file with the error")
			}
			wantBrief(t, err, data)
			return
		}
		if file.PublicKey != nil && cert.CheckKey(file.PublicKey) == nil {
			sameKeyAgain(t, file.PublicKey, file.KeyID)
		}
		if len(file.Certificates) == 0 {
			if file.PublicKey == nil {
				t.Fatal("accepted nothing")
			}
			return
		}
		leaf := file.Certificates[0]
		if leaf.IsCA && len(file.Certificates) > 1 {
			t.Fatal("the leaf is a CA")
		}
		_ = cert.Check(leaf, testcert.Policy(), testcert.Now)
		forms, err := keyfile.EncodeAll(leaf)
		must(t, err)
		p7, err := keyfile.EncodePKCS7DER(leaf)
		must(t, err)
		forms["DER of .p7b"], forms["base64"], forms["UTF-16"] = p7, lines76(leaf.Raw), utf16Text(forms[".pem"])
		forms["CRLF"] = bytes.ReplaceAll(forms[".pem"], []byte("\n"), []byte("\r\n"))
		for ext, form := range forms {
			again, err := keyfile.Parse(form)
			if err != nil || len(again.Certificates) != 1 || !bytes.Equal(again.Certificates[0].Raw, leaf.Raw) {
				t.Fatalf("%s: not the same certificate: %v", ext, err)
			}
		}
		for _, row := range cert.Fingerprints(data, leaf).Rows {
			for _, text := range []string{row.SHA256.Colons, row.SHA256.Hex, row.SHA256.Base64} {
				if which, ok := cert.Match(text, data, leaf); !ok || which.Hash != crypto.SHA256 {
					t.Fatalf("%s: the file's own checksum matches %s", row.Of, which)
				}
			}
		}
	})
}

// FuzzParsePrivate checks that an error means no key, and that ParsePrivate returns the
// same sound key from each encoding of ours. What ParsePrivate accepts, Parse refuses.
var cheapPKCS12 = pkcs12.Modern2023.WithIterations(10)

func FuzzParsePrivate(f *testing.F) {
	plain, err := keyfile.EncodePrivate(testkey.Fixed(), nil)
	must(f, err)
	jwk, err := keyfile.EncodePrivateJWK(testkey.Fixed(), keyfile.JWKParams{KeyID: "k", Use: "sig"})
	must(f, err)
	c, err := cert.Create(testkey.Fixed(), testcert.Template())
	must(f, err)
	p12, err := cheapPKCS12.Encode(testkey.Fixed(), c, nil, string(passphrase))
	must(f, err)
	pkcs1 := x509.MarshalPKCS1PrivateKey(testkey.Fixed())
	for _, data := range [][]byte{
		plain, jwk, p12, cheapPKCS8(f, testkey.Fixed(), passphrase), block("RSA PRIVATE KEY", pkcs1),
		lines76(p12), pkcs1, utf16Text(jwk), append(bytes.Clone(plain), cert.EncodePEM(c)...),
	} {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		key, info, err := keyfile.ParsePrivate(data, passphrase)
		if err != nil {
			if key != nil || info.Format != "" {
				t.Fatal("a key with the error")
			}
			wantBrief(t, err, data)
			return
		}
		must(t, cert.CheckKey(&key.PublicKey))
		must(t, key.Validate())
		form, err := keyfile.EncodePrivate(key, nil)
		must(t, err)
		jwk, err := keyfile.EncodePrivateJWK(key, keyfile.JWKParams{KeyID: info.KeyID})
		must(t, err)
		forms := [][]byte{
			form, jwk, block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), utf16Text(jwk),
			cheapPKCS8(t, key, passphrase),
		}
		if chain := info.Certificates; len(chain) > 0 {
			p12, err := cheapPKCS12.Encode(key, chain[0], chain[1:], string(passphrase))
			must(t, err)
			forms = append(forms, p12)
		}
		for _, form := range forms {
			again, other, err := keyfile.ParsePrivate(form, passphrase)
			if err != nil || !again.Equal(key) || other.Format == keyfile.FormatJWK && other.KeyID != info.KeyID {
				t.Fatalf("%s: not the same key: %v", other.Format, err)
			}
			if other.Format == keyfile.FormatPKCS12 {
				if !slices.EqualFunc(other.Certificates, info.Certificates, (*x509.Certificate).Equal) {
					t.Fatal("not the same certificates")
				}
			}
			if _, err := keyfile.Parse(form); err == nil {
				t.Fatalf("Parse takes a private key that we wrote (%s)", other.Format)
			}
		}
		if _, err := keyfile.Parse(data); err == nil {
			t.Fatalf("Parse takes a file that holds a private key (%s)", info.Format)
		}
	})
}
