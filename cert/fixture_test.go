package cert_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane/cert"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// One pair for the whole package: making keys is what takes the time.
var ourKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := cert.GenerateKey(2048)
	if err != nil {
		panic(err)
	}
	return key
})

var otherKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := cert.GenerateKey(2048)
	if err != nil {
		panic(err)
	}
	return key
})

func request() cert.Request {
	return cert.Request{
		CommonName: "rdx.issuer.example", Organization: "Issuer Bank", Unit: "Key Team", Email: "keys@issuer.example",
		Country: "US", NotBefore: now, Validity: 2, Usages: []string{"keyEncipherment"},
	}
}

// Made once: 600,000 iterations take seconds under the race detector.
var (
	ourSealed = sync.OnceValues(func() ([]byte, error) { return cert.EncodePrivate(ourKey(), passphrase) })
	storeCert = sync.OnceValues(func() (*x509.Certificate, error) { return cert.Create(ourKey(), request()) })
	ourStore  = sync.OnceValues(func() ([]byte, error) {
		c, err := storeCert()
		if err != nil {
			return nil, err
		}
		return cert.EncodePKCS12(ourKey(), []*x509.Certificate{c}, passphrase)
	})
)

// storePKCS12 returns what EncodePKCS12 makes, and the certificate in it.
func storePKCS12(t testing.TB) ([]byte, *x509.Certificate) {
	t.Helper()
	c, err := storeCert()
	must(t, err)
	p12, err := ourStore()
	must(t, err)
	return p12, c
}

func ourCert(t testing.TB) *x509.Certificate {
	t.Helper()
	c, err := cert.Create(ourKey(), request())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// issue makes certificates that Create would not, signed by parent or itself.
func issue(t testing.TB, edit func(*x509.Certificate), parent *x509.Certificate, pub any, signer crypto.Signer) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(77),
		Subject: pkix.Name{
			CommonName: "rdx.issuer.example", Organization: []string{"Issuer Bank"}, OrganizationalUnit: []string{"Key Team"},
		},
		NotBefore: now, NotAfter: now.AddDate(2, 0, 0),
		KeyUsage:              x509.KeyUsageKeyEncipherment,
		EmailAddresses:        []string{"keys@issuer.example"},
		BasicConstraintsValid: true,
	}
	if edit != nil {
		edit(template)
	}
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func authority(t testing.TB, name string) *x509.Certificate {
	t.Helper()
	return issue(t, func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: name}
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign
	}, nil, otherKey().Public(), otherKey())
}

// withSerial signs the certificate again under a serial number that
// x509.CreateCertificate would refuse.
func withSerial(t testing.TB, c *x509.Certificate, serial *big.Int) []byte {
	t.Helper()
	var outer struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	var version, old asn1.RawValue
	_, err := asn1.Unmarshal(c.Raw, &outer)
	must(t, err)
	rest, err := asn1.Unmarshal(outer.TBS.Bytes, &version)
	must(t, err)
	rest, err = asn1.Unmarshal(rest, &old)
	must(t, err)
	fresh, err := asn1.Marshal(serial)
	must(t, err)
	tbs, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true,
		Bytes: bytes.Join([][]byte{version.FullBytes, fresh, rest}, nil)})
	must(t, err)
	sum := sha256.Sum256(tbs)
	signature, err := rsa.SignPKCS1v15(nil, ourKey(), crypto.SHA256, sum[:])
	must(t, err)
	outer.TBS = asn1.RawValue{FullBytes: tbs}
	outer.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	der, err := asn1.Marshal(outer)
	must(t, err)
	return der
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantError fails unless the error says every one of the words.
func wantError(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; wanted one that says %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

// program runs a peer in a folder and returns what it printed.
type program struct {
	t    testing.TB
	name string
	dir  string
}

func peer(t testing.TB, name string) program {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skip("missing program: " + name)
	}
	return program{t, name, t.TempDir()}
}

func (p program) run(args ...string) string {
	p.t.Helper()
	cmd := exec.Command(p.name, args...)
	cmd.Dir = p.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("%s %s: %v\n%s", p.name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (p program) write(name string, data []byte) {
	p.t.Helper()
	must(p.t, os.WriteFile(filepath.Join(p.dir, name), data, 0o600))
}

func (p program) read(name string) []byte {
	p.t.Helper()
	data, err := os.ReadFile(filepath.Join(p.dir, name))
	must(p.t, err)
	return data
}

// replaceInteger rewrites every INTEGER of one value in nested DER.
func replaceInteger(t testing.TB, der []byte, from, to *big.Int) []byte {
	t.Helper()
	old, err := asn1.Marshal(from)
	must(t, err)
	fresh, err := asn1.Marshal(to)
	must(t, err)
	var rewrite func(b []byte) []byte
	rewrite = func(b []byte) (out []byte) {
		for len(b) > 0 {
			var e asn1.RawValue
			rest, err := asn1.Unmarshal(b, &e)
			must(t, err)
			switch {
			case bytes.Equal(e.FullBytes, old):
				out = append(out, fresh...)
			case e.IsCompound:
				inner, err := asn1.Marshal(asn1.RawValue{Class: e.Class, Tag: e.Tag, IsCompound: true, Bytes: rewrite(e.Bytes)})
				must(t, err)
				out = append(out, inner...)
			default:
				out = append(out, e.FullBytes...)
			}
			b = rest
		}
		return out
	}
	return rewrite(der)
}
