package sealane_test

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyring"
)

// TestCheckKeys: the lane reports the problems of its keys, although it would use them.
func TestCheckKeys(t *testing.T) {
	now := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	key := testkey.RSA(t, "provider", 2048)
	both := x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	for name, c := range map[string]struct {
		change func(*x509.Certificate)
		rules  string
	}{
		"fine": {func(*x509.Certificate) {}, ""},
		"ended": {func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = now.AddDate(-25, 0, 0), now.AddDate(-24, 0, 0)
		}, "validity-now"},
		"not begun": {func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = now.AddDate(60, 0, 0), now.AddDate(61, 0, 0)
		}, "validity-now"},
		"signature only": {func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }, "key-usage"},
		"CA": {func(c *x509.Certificate) {
			c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, both|x509.KeyUsageCertSign
		}, "key-usage not-ca"},
	} {
		template := &x509.Certificate{SerialNumber: big.NewInt(1 << 62),
			Subject:   pkix.Name{CommonName: "provider.example"},
			NotBefore: now.AddDate(0, -1, 0), NotAfter: now.AddDate(1, 0, 0), KeyUsage: both,
			BasicConstraintsValid: true}
		c.change(template)
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		config := customerConfig(t)
		config.Theirs = testlane.Ring(t, keyring.Key{State: keyring.Active, ID: "p1", Certificate: certificate})
		config.Expired = sealane.ExpiredWarn
		l := testlane.New(t, config)
		if got := rules(l.CheckKeys(now)); got != c.rules {
			t.Errorf("%s: %q, want %q: %v", name, got, c.rules, l.CheckKeys(now))
		}
		if _, err := l.Seal(t.Context(), nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCheckKeysByUseAndState: a key for one use needs the usage of that use only, and a
// retiring key may have ended.
func TestCheckKeysByUseAndState(t *testing.T) {
	now := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	certified := func(name string, usage x509.KeyUsage, end time.Time) *x509.Certificate {
		key := testkey.RSA(t, name, 2048)
		template := &x509.Certificate{SerialNumber: big.NewInt(1 << 62),
			Subject:   pkix.Name{CommonName: "provider.example"},
			NotBefore: end.AddDate(-1, 0, 0), NotAfter: end, KeyUsage: usage, BasicConstraintsValid: true}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return certificate
	}
	fresh, ended := now.AddDate(0, 6, 0), now.AddDate(0, -1, 0)
	sign := keyring.Key{
		State:       keyring.Active,
		ID:          "s",
		Use:         keyring.UseSig,
		Certificate: certified("sign", x509.KeyUsageDigitalSignature, fresh),
	}
	enc := keyring.Key{
		State:       keyring.Active,
		ID:          "e",
		Use:         keyring.UseEnc,
		Certificate: certified("enc", x509.KeyUsageKeyEncipherment, fresh),
	}
	old := keyring.Key{
		State:       keyring.Retiring,
		ID:          "o",
		Certificate: certified("old", x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment, ended),
	}
	for name, c := range map[string]struct {
		keys  []keyring.Key
		rules string
	}{
		"one use each":    {[]keyring.Key{sign, enc}, ""},
		"retiring, ended": {[]keyring.Key{sign, enc, old}, ""},
		"the other way about": {[]keyring.Key{func() keyring.Key { k := sign; k.Use = keyring.UseEnc; return k }()},
			"key-usage"},
	} {
		config := customerConfig(t)
		config.Theirs = testlane.Ring(t, c.keys...)
		if got := rules(testlane.New(t, config).CheckKeys(now)); got != c.rules {
			t.Errorf("%s: %q, want %q", name, got, c.rules)
		}
	}
}

// TestCheckKeyIDs: an alias that names another environment or size than the key's.
func TestCheckKeyIDs(t *testing.T) {
	for id, want := range map[string]string{
		alias: "",
		strings.Replace(alias, "STAG", "PROD", 1): "key-id",
		strings.Replace(alias, "2048", "4096", 1): "key-id",
		"not-six-parts": "key-id",
	} {
		l := issuer(t, keyring.Key{State: keyring.Active, ID: id, Private: testkey.RSA(t, "issuer", 2048)})
		problems := l.CheckKeys(time.Now())
		if got := rules(problems); got != want {
			t.Errorf("%s: %q", id, got)
		}
		for _, p := range problems {
			if !p.Ours || !strings.Contains(p.Error(), fmt.Sprintf("our key %q", id)) {
				t.Errorf("%v", p)
			}
		}
	}
}

func rules(problems []sealane.KeyProblem) string {
	var list []string
	for _, p := range problems {
		list = append(list, p.Rule)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}
