package cert_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testcert"
)

// token is a signer that shows nothing of its key, as an HSM does.
type token struct{ key *rsa.PrivateKey }

func (h token) Public() crypto.PublicKey { return h.key.Public() }
func (h token) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return h.key.Sign(r, digest, opts)
}

func TestCreate(t *testing.T) {
	req := testcert.Template()
	req.NotBefore = time.Date(2028, 2, 29, 13, 14, 15, 999, time.FixedZone("east", 3600))
	req.Usages = []string{"keyEncipherment", "digitalSignature"}
	c, err := cert.Create(token{testcert.Key()}, req)
	must(t, err)
	want := time.Date(2028, 2, 29, 12, 14, 15, 0, time.UTC)
	if !c.NotBefore.Equal(want) || !c.NotAfter.Equal(want.AddDate(2, 0, 0)) {
		t.Errorf("validity %s to %s", c.NotBefore, c.NotAfter)
	}
	if c.KeyUsage != x509.KeyUsageKeyEncipherment|x509.KeyUsageDigitalSignature {
		t.Errorf("key usage %b", c.KeyUsage)
	}
	if c.IsCA || !c.BasicConstraintsValid || c.SignatureAlgorithm != x509.SHA256WithRSA || len(c.SubjectKeyId) != 20 {
		t.Errorf("CA %v, constraints %v, %s, key id %x",
			c.IsCA, c.BasicConstraintsValid, c.SignatureAlgorithm, c.SubjectKeyId)
	}
	if got := c.Subject.String(); got != "CN=rdx.issuer.example,OU=Key Team,O=Issuer Bank,C=US" {
		t.Errorf("subject %s", got)
	}
	if len(c.EmailAddresses) != 1 || c.EmailAddresses[0] != "keys@issuer.example" {
		t.Errorf("email %q", c.EmailAddresses)
	}
	if n := c.SerialNumber.BitLen(); c.SerialNumber.Sign() <= 0 || n != 127 {
		t.Errorf("serial of %d bits", n)
	}
	critical := map[string]bool{}
	for _, e := range c.Extensions {
		critical[e.Id.String()] = e.Critical
	}
	for _, oid := range []asn1.ObjectIdentifier{{2, 5, 29, 15}, {2, 5, 29, 19}} {
		if !critical[oid.String()] {
			t.Errorf("extension %s is not critical", oid)
		}
	}
	again, err := cert.Create(testcert.Key(), req)
	must(t, err)
	if again.SerialNumber.Cmp(c.SerialNumber) == 0 {
		t.Error("two certificates with one serial number")
	}
}

func TestCreateRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(*cert.Template)
		says []string
	}{
		"no CN":   {func(r *cert.Template) { r.CommonName = "" }, []string{"common name", "empty"}},
		"blank O": {func(r *cert.Template) { r.Organization = " " }, []string{"organization (O)", "empty"}},
		"long CN": {
			func(r *cert.Template) { r.CommonName = strings.Repeat("x", 65) }, []string{"65 characters"},
		},
		"trailing": {func(r *cert.Template) { r.Unit = "x " }, []string{"blank"}},
		"newline": {
			func(r *cert.Template) { r.CommonName = "a\nb" }, []string{"cannot be printed", "position 2"},
		},
		"bad UTF-8":  {func(r *cert.Template) { r.CommonName = "a\xff" }, []string{"UTF-8"}},
		"not a mail": {func(r *cert.Template) { r.Email = "keys" }, []string{"not a bare mail address"}},
		"mail and name": {
			func(r *cert.Template) { r.Email = "Keys<keys@x.example>" }, []string{"not a bare mail address"},
		},
		"accent": {func(r *cert.Template) { r.Email = "clés@x.example" }, []string{"ASCII"}},
		"long mail": {
			func(r *cert.Template) { r.Email = strings.Repeat("x", 250) + "@x.example" }, []string{"at most 255"},
		},
		"country":  {func(r *cert.Template) { r.Country = "us" }, []string{"capital letters"}},
		"no start": {func(r *cert.Template) { r.NotBefore = time.Time{} }, []string{"NotBefore"}},
		"years":    {func(r *cert.Template) { r.Validity = 11 }, []string{"11 years"}},
		"negative": {func(r *cert.Template) { r.Validity = -1 }, []string{"-1 years"}},
		"no usage": {func(r *cert.Template) { r.Usages = nil }, []string{"no key usage"}},
		"CA usage": {func(r *cert.Template) { r.Usages = []string{"keyCertSign"} }, []string{"keyCertSign"}},
	} {
		t.Run(name, func(t *testing.T) {
			req := testcert.Template()
			tt.edit(&req)
			c, err := cert.Create(testcert.Key(), req)
			wantError(t, err, tt.says...)
			if c != nil {
				t.Error("a certificate with the error")
			}
		})
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	_, err = cert.Create(ec, testcert.Template())
	wantError(t, err, "only RSA")
	_, err = cert.Create(nil, testcert.Template())
	wantError(t, err, "no key")
}

func TestGenerateKeySizes(t *testing.T) {
	for _, bits := range []int{0, 1024, 2047, 2056, 8192} {
		if key, err := cert.GenerateKey(bits); err == nil || key != nil {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
	if testcert.Key().N.BitLen() != 2048 || testcert.Key().E != 65537 {
		t.Errorf("%d bits, e=%d", testcert.Key().N.BitLen(), testcert.Key().E)
	}
}
