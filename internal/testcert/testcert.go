// Package testcert makes certificates for tests, the wrong ones too. Only tests may
// import it.
package testcert

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
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane/cert"
)

// Now is when the certificates become valid.
var Now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// Key and OtherKey are made once: making keys is what takes the time.
var (
	Key      = sync.OnceValue(newKey)
	OtherKey = sync.OnceValue(newKey)
)

func newKey() *rsa.PrivateKey {
	key, err := cert.GenerateKey(2048)
	if err != nil {
		panic(err)
	}
	return key
}

// Template describes the certificate that Cert makes.
func Template() cert.Template {
	return cert.Template{
		CommonName: "rdx.issuer.example", Organization: "Issuer Bank", Unit: "Key Team", Email: "keys@issuer.example",
		Country: "US", NotBefore: Now, Validity: 2, Usages: []string{"keyEncipherment"},
	}
}

// Cert returns a certificate of Key that passes Policy.
func Cert(t testing.TB) *x509.Certificate {
	t.Helper()
	c, err := cert.Create(Key(), Template())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Issue makes certificates that Create would not, signed by parent or itself.
func Issue(
	t testing.TB, edit func(*x509.Certificate), parent *x509.Certificate, pub any, signer crypto.Signer,
) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(77),
		Subject: pkix.Name{
			CommonName:   "rdx.issuer.example",
			Organization: []string{"Issuer Bank"}, OrganizationalUnit: []string{"Key Team"},
		},
		NotBefore: Now, NotAfter: Now.AddDate(2, 0, 0),
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

// Authority returns a self-signed CA certificate of OtherKey.
func Authority(t testing.TB, name string) *x509.Certificate {
	t.Helper()
	return Issue(t, func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: name}
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign
	}, nil, OtherKey().Public(), OtherKey())
}

// WithSerial signs the certificate again under a serial number that
// x509.CreateCertificate would refuse.
func WithSerial(t testing.TB, c *x509.Certificate, serial *big.Int) []byte {
	t.Helper()
	var outer struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	var version, old asn1.RawValue
	_, err := asn1.Unmarshal(c.Raw, &outer)
	Must(t, err)
	rest, err := asn1.Unmarshal(outer.TBS.Bytes, &version)
	Must(t, err)
	rest, err = asn1.Unmarshal(rest, &old)
	Must(t, err)
	fresh, err := asn1.Marshal(serial)
	Must(t, err)
	tbs, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true,
		Bytes: bytes.Join([][]byte{version.FullBytes, fresh, rest}, nil)})
	Must(t, err)
	sum := sha256.Sum256(tbs)
	signature, err := rsa.SignPKCS1v15(nil, Key(), crypto.SHA256, sum[:])
	Must(t, err)
	outer.TBS = asn1.RawValue{FullBytes: tbs}
	outer.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	der, err := asn1.Marshal(outer)
	Must(t, err)
	return der
}

// Policy is that of VCAS RDX.
func Policy() cert.Policy {
	return cert.Policy{
		Bits: []int{2048, 3072, 4096}, PreferBits: 4096,
		KeyUsage:   cert.KeyUsagePolicy{Required: []string{"keyEncipherment"}, Allowed: []string{"dataEncipherment"}},
		CommonName: cert.PresenceRequired, Organization: cert.PresenceRequired,
		Unit: cert.PresenceRequired, Email: cert.PresenceRequired,
		Validity:    cert.ValidityPolicy{MaxYears: 2, WarnBelowYears: 2},
		KeyIDFormat: cert.KeyIDSixPart,
	}
}

// NotOK returns the rules that are not ok.
func NotOK(v cert.Verdict) map[string]cert.Level {
	out := map[string]cert.Level{}
	for _, r := range v {
		if r.Level != cert.OK {
			out[r.Code] = r.Level
		}
	}
	return out
}

// Finding returns the outcome of one rule.
func Finding(t *testing.T, v cert.Verdict, code string) cert.Finding {
	t.Helper()
	for _, r := range v {
		if r.Code == code {
			return r
		}
	}
	t.Fatalf("no rule %q in %v", code, v)
	return cert.Finding{}
}

// CheckAdvice fails unless each rule that does not hold says what to do, in one sentence.
func CheckAdvice(t *testing.T, v cert.Verdict) {
	t.Helper()
	for _, r := range v {
		if r.Found == "" || r.Wanted == "" || r.Name == "" || (r.Level == cert.OK) != (r.Remedy == "") ||
			r.Remedy != "" && !strings.HasSuffix(r.Remedy, ".") {
			t.Errorf("finding not complete: %+v", r)
		}
	}
}

// Must ends the test if there is an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// WantError fails unless the error says every one of the words.
func WantError(t testing.TB, err error, words ...string) {
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
