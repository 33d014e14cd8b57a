package cert_test

import (
	"bytes"
	"crypto/x509"
	"testing"

	"github.com/sealane/sealane/cert"
	"software.sslmate.com/src/go-pkcs12"
)

// FuzzRead: what is accepted has one leaf or one key, and its certificate comes
// back byte for byte from each form that we write.
func FuzzRead(f *testing.F) {
	c := ourCert(f)
	forms, err := cert.WriteForms(c)
	must(f, err)
	for _, data := range forms {
		f.Add(data)
	}
	jwk, err := cert.EncodeJWK(&ourKey().PublicKey, "k", "enc")
	must(f, err)
	f.Add(jwk)
	f.Add([]byte(`{"keys":[` + string(jwk) + `]}`))
	f.Add(lines76(c.Raw))
	f.Add(block("PUBLIC KEY", c.RawSubjectPublicKeyInfo))
	f.Add(bytes.Repeat([]byte{0x30, 0x80}, 100))
	f.Add([]byte("\xff\xfe-\x00-\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := cert.Read(data)
		if err != nil {
			if file != nil {
				t.Fatal("a file beside the error")
			}
			return
		}
		if len(file.Certificates) == 0 {
			if file.PublicKey == nil {
				t.Fatal("accepted nothing")
			}
			_ = cert.CheckKey(file.PublicKey)
			return
		}
		leaf := file.Certificates[0]
		if leaf.IsCA && len(file.Certificates) > 1 {
			t.Fatal("the leaf is a CA")
		}
		_ = cert.Check(leaf, rdxDemand(), now)
		forms, err := cert.WriteForms(leaf)
		must(t, err)
		for ext, form := range forms {
			again, err := cert.Read(form)
			if err != nil || len(again.Certificates) != 1 || !bytes.Equal(again.Certificates[0].Raw, leaf.Raw) {
				t.Fatalf("%s: not the same certificate: %v", ext, err)
			}
		}
		if which, ok := cert.Match(cert.Fingerprints(data, leaf).Rows[0].SHA256.Colons, data, leaf); !ok || which == "" {
			t.Fatal("the file's own checksum does not match")
		}
	})
}

// FuzzReadPrivate: an error means no key, and what is accepted is a sound key
// that comes back from our own encoding. What ReadPrivate accepts, Read refuses.
func FuzzReadPrivate(f *testing.F) {
	plain, err := cert.EncodePrivate(ourKey(), nil)
	must(f, err)
	jwk, err := cert.EncodePrivateJWK(ourKey(), "k", "sig")
	must(f, err)
	p12, err := pkcs12.Modern2023.WithIterations(10).Encode(ourKey(), ourCert(f), nil, string(passphrase))
	must(f, err)
	for _, data := range [][]byte{
		plain, jwk, p12, cheapPKCS8(f, ourKey(), passphrase), block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(ourKey())),
		lines76(p12), x509.MarshalPKCS1PrivateKey(ourKey()),
	} {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		key, info, err := cert.ReadPrivate(data, passphrase)
		if err != nil {
			if key != nil || info.Format != "" {
				t.Fatal("a key beside the error")
			}
			return
		}
		must(t, cert.CheckKey(&key.PublicKey))
		must(t, key.Validate())
		form, err := cert.EncodePrivate(key, nil)
		must(t, err)
		again, _, err := cert.ReadPrivate(form, nil)
		if err != nil || !again.Equal(key) {
			t.Fatalf("not the same key: %v", err)
		}
		if _, err := cert.Read(data); err == nil {
			t.Fatalf("Read takes a file that holds a private key (%s)", info.Format)
		}
	})
}

func FuzzParseKeyID(f *testing.F) {
	f.Add("1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG")
	f.Add("RDXMETEST-PKE-ACS-CC-2048SHA2-DEV")
	f.Add("A-B-MPI-C-4096SHA2-PROD")
	f.Add("-----")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := cert.ParseKeyID(s)
		if err != nil {
			if id != (cert.KeyID{}) {
				t.Fatal("a key ID beside the error")
			}
			return
		}
		if id.String() != s {
			t.Fatalf("%q came back as %q", s, id)
		}
		if again, err := cert.ParseKeyID(id.String()); err != nil || again != id {
			t.Fatalf("%q: %v", s, err)
		}
	})
}
