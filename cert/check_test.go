package cert_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testcert"
)

func TestCheckPassesOurOwn(t *testing.T) {
	must(t, testcert.Policy().Validate())
	must(t, cert.Policy{}.Validate())
	for _, d := range []cert.Policy{testcert.Policy(), {}} {
		v := cert.Check(testcert.Cert(t), d, testcert.Now.Add(time.Hour))
		if v.Refused() || v.Warned() || len(v) != 18 {
			t.Errorf("%d rules: %+v", len(v), testcert.NotOK(v))
		}
	}
	v := cert.Check(testcert.Cert(t), testcert.Policy(), testcert.Now)
	if r := testcert.Finding(t, v, "key-size"); !strings.Contains(r.Found, "not the preferred size") {
		t.Errorf("no note on the size: %+v", r)
	}
	if r := testcert.Finding(t, v, "issuer"); r.Found != "self-signed" {
		t.Errorf("%+v", r)
	}
}

func TestCheckRules(t *testing.T) {
	refused := func(codes ...string) map[string]cert.Level {
		out := map[string]cert.Level{}
		for _, c := range codes {
			out[c] = cert.Refused
		}
		return out
	}
	warning := func(code string) map[string]cert.Level { return map[string]cert.Level{code: cert.Warning} }
	none := map[string]cert.Level{}
	now := testcert.Now
	feb29 := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		edit func(*x509.Certificate)
		at   time.Time
		want map[string]cert.Level
	}{
		"good":          {func(*x509.Certificate) {}, now, none},
		"allowed usage": {func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageDataEncipherment }, now, none},
		"CA": {func(c *x509.Certificate) {
			c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageKeyEncipherment
		}, now,
			refused("not-ca", "key-usage")},
		"CA by openssl's default": {func(c *x509.Certificate) { c.IsCA = true }, now, warning("not-ca")},
		"no usage":                {func(c *x509.Certificate) { c.KeyUsage = 0 }, now, refused("key-usage")},
		"missing usage": {
			func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDataEncipherment }, now, refused("key-usage"),
		},
		"extra usage": {
			func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageDigitalSignature }, now, warning("key-usage"),
		},
		"extra usage of a CA": {
			func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCertSign }, now, refused("key-usage"),
		},
		"usages of both kinds": {
			func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageDigitalSignature | x509.KeyUsageCRLSign }, now,
			refused("key-usage"),
		},
		"code signing": {
			func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} }, now,
			warning("extended-key-usage"),
		},
		"code signing and client": {func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning, x509.ExtKeyUsageClientAuth}
		}, now, none},
		"unknown EKU": {
			func(c *x509.Certificate) { c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 3, 6, 1, 9}} }, now,
			warning("extended-key-usage"),
		},
		"no CN": {func(c *x509.Certificate) { c.Subject.CommonName = "" }, now, refused("common-name")},
		"no O":  {func(c *x509.Certificate) { c.Subject.Organization = nil }, now, refused("organization")},
		"blank OU": {
			func(c *x509.Certificate) { c.Subject.OrganizationalUnit = []string{" "} }, now, refused("unit"),
		},
		"no email":        {func(c *x509.Certificate) { c.EmailAddresses = nil }, now, refused("email")},
		"no mail address": {func(c *x509.Certificate) { c.EmailAddresses = []string{"none"} }, now, refused("email")},
		"email in subject": {func(c *x509.Certificate) {
			c.EmailAddresses = nil
			emailAddress := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}
			c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: emailAddress, Value: "keys@issuer.example"}}
		}, now, none},
		"two years and a second": {
			func(c *x509.Certificate) { c.NotAfter = c.NotAfter.Add(time.Second) }, now, refused("validity-length"),
		},
		"730 days of 731": {
			func(c *x509.Certificate) { c.NotAfter = c.NotBefore.AddDate(0, 0, 730) }, now, none,
		},
		"one year": {
			func(c *x509.Certificate) { c.NotAfter = c.NotBefore.AddDate(1, 0, 0) }, now, warning("validity-length"),
		},
		"728 days": {
			func(c *x509.Certificate) { c.NotAfter = c.NotBefore.AddDate(0, 0, 728) }, now, warning("validity-length"),
		},
		"from a leap day": {
			func(c *x509.Certificate) { c.NotBefore, c.NotAfter = feb29, feb29.AddDate(2, 0, 0) }, feb29, none,
		},
		"730 days over a leap day": {
			func(c *x509.Certificate) { c.NotBefore, c.NotAfter = feb29.AddDate(0, 0, -1), feb29.AddDate(0, 0, 729) },
			feb29, none,
		},
		"last second": {func(*x509.Certificate) {}, now.AddDate(2, 0, 0), none},
		"expired": {
			func(*x509.Certificate) {}, now.AddDate(2, 0, 0).Add(time.Second), refused("validity-now"),
		},
		"30 days early": {func(*x509.Certificate) {}, now.AddDate(0, 0, -30), warning("validity-now")},
		"31 days early": {func(*x509.Certificate) {}, now.AddDate(0, 0, -31), refused("validity-now")},
		"a name backwards": {
			func(c *x509.Certificate) { c.Subject.CommonName = "bank\u202eelpmaxe" }, now, warning("name-characters"),
		},
		"a unit with a line": {
			func(c *x509.Certificate) { c.Subject.OrganizationalUnit = []string{"Payments\nApproved"} }, now,
			warning("name-characters"),
		},
		"an invisible space": {
			func(c *x509.Certificate) { c.Subject.Organization = []string{"Example\u200bBank"} }, now,
			warning("name-characters"),
		},
		"letters of others": {func(c *x509.Certificate) { c.Subject.CommonName = "Zoë Ærø 銀行" }, now, none},
		"100 names":         {func(c *x509.Certificate) { c.DNSNames = hosts(99) }, now, none},
		"101 names":         {func(c *x509.Certificate) { c.DNSNames = hosts(100) }, now, refused("names")},
		"10,000 names":      {func(c *x509.Certificate) { c.DNSNames = hosts(10_000) }, now, refused("names")},
	} {
		t.Run(name, func(t *testing.T) {
			c := testcert.Issue(t, tt.edit, nil, testcert.Key().Public(), testcert.Key())
			v := cert.Check(c, testcert.Policy(), tt.at)
			if diff := cmp.Diff(tt.want, testcert.NotOK(v)); diff != "" {
				t.Error(diff)
			}
			testcert.CheckAdvice(t, v)
		})
	}
}

func hosts(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("h%d.example", i)
	}
	return out
}

func TestCheckKeysAndSignatures(t *testing.T) {
	d, key, other := testcert.Policy(), testcert.Key(), testcert.OtherKey()
	c := testcert.Cert(t)
	parse := func(der []byte) *x509.Certificate {
		t.Helper()
		c, err := x509.ParseCertificate(der)
		must(t, err)
		return c
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	root := testcert.Authority(t, "Root")
	namesake := testcert.Issue(t, nil, nil, other.Public(), other)
	forged := testcert.Issue(t, nil, namesake, key.Public(), other)
	long := new(big.Int).Lsh(big.NewInt(1), 160)
	for name, tt := range map[string]struct {
		c    *x509.Certificate
		code string
		want cert.Level
		says string
	}{
		"EC key":    {testcert.Issue(t, nil, nil, ec.Public(), ec), "key-type", cert.Refused, "ECDSA"},
		"1024 bits": {testcert.Issue(t, nil, nil, small.Public(), small), "key-size", cert.Refused, "1024"},
		"ROCA": {
			testcert.Issue(t, nil, root, &rsa.PublicKey{N: rocaModulus(t), E: 65537}, other), "weak-key", cert.Refused,
			"ROCA",
		},
		"e = 3": {
			testcert.Issue(t, nil, root, &rsa.PublicKey{N: key.N, E: 3}, other), "exponent", cert.Refused, "3",
		},
		"zero serial": {parse(testcert.WithSerial(t, c, new(big.Int))), "serial", cert.Refused, "0"},
		"21 octets":   {parse(testcert.WithSerial(t, c, long)), "serial", cert.Refused, "21 octets"},
		"20 octets": {
			parse(testcert.WithSerial(t, c, new(big.Int).Rsh(long, 2))), "serial", cert.OK, "4000000000",
		},
		"signed by a CA": {
			testcert.Issue(t, nil, root, key.Public(), other), "issuer", cert.OK, "signed by a CA: \"CN=Root\"",
		},
		"self-signed": {c, "issuer", cert.OK, "self-signed"},
		"altered":     {parse(flipLast(c.Raw)), "issuer", cert.Refused, "not by its own key"},
		"forged":      {forged, "issuer", cert.Refused, "not by its own key"},
	} {
		t.Run(name, func(t *testing.T) {
			v := cert.Check(tt.c, d, testcert.Now)
			r := testcert.Finding(t, v, tt.code)
			if r.Level != tt.want || !strings.Contains(r.Found, tt.says) {
				t.Errorf("%+v", r)
			}
			testcert.CheckAdvice(t, v)
		})
	}
	// Text from outside must not reach a terminal raw.
	red := testcert.Issue(t, func(c *x509.Certificate) {
		c.Subject.CommonName = "\x1b[31mred" + strings.Repeat("x", 500)
	}, nil, key.Public(), key)
	found := testcert.Finding(t, cert.Check(red, d, testcert.Now), "common-name").Found
	if strings.ContainsRune(found, 0x1b) || len(found) > 150 {
		t.Errorf("found %q", found)
	}
}

func flipLast(der []byte) []byte {
	out := append([]byte(nil), der...)
	out[len(out)-1] ^= 1
	return out
}

func TestDemandValidate(t *testing.T) {
	for says, edit := range map[string]func(*cert.Policy){
		"bits: 1024":           func(d *cert.Policy) { d.Bits = []int{1024} },
		"prefer_bits: 4096":    func(d *cert.Policy) { d.Bits = []int{2048} },
		"bits: 5":              func(d *cert.Policy) { d.PreferBits = 5 },
		"\"encrypt\"":          func(d *cert.Policy) { d.KeyUsage.Allowed = []string{"encrypt"} },
		"unit: \"maybe\"":      func(d *cert.Policy) { d.Unit = "maybe" },
		"max_years -1":         func(d *cert.Policy) { d.Validity.MaxYears = -1 },
		"warn_below_years 3":   func(d *cert.Policy) { d.Validity.WarnBelowYears = 3 },
		"key_id_format: \"x\"": func(d *cert.Policy) { d.KeyIDFormat = "x" },
	} {
		d := testcert.Policy()
		edit(&d)
		wantError(t, d.Validate(), says)
	}
	if err := testcert.Policy().CheckKeyID("partner-7"); err == nil {
		t.Error("a key ID of two parts passed where six are due")
	}
	must(t, cert.Policy{}.CheckKeyID("partner-7"))
}
