package registry_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testkey"
)

// issued is a partner's certificate for a public key, signed by an authority, so that
// the key needs no private part that works.
func issued(t testing.TB, pub crypto.PublicKey, change func(*x509.Certificate)) (leaf, authority *x509.Certificate) {
	t.Helper()
	signer, now := testkey.RSA(t, "registry authority", 2048), time.Now()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "An authority"},
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(5, 0, 0),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true}
	c := &x509.Certificate{SerialNumber: big.NewInt(4711), Subject: pkix.Name{CommonName: "partner.example"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature, BasicConstraintsValid: true}
	if change != nil {
		change(c)
	}
	for _, one := range []struct {
		to            **x509.Certificate
		template      *x509.Certificate
		certification crypto.PublicKey
	}{{&authority, ca, signer.Public()}, {&leaf, c, pub}} {
		der, err := x509.CreateCertificate(rand.Reader, one.template, ca, one.certification, signer)
		must(t, err)
		*one.to, err = x509.ParseCertificate(der)
		must(t, err)
	}
	return leaf, authority
}

// No reason outweighs a key that is not fit, nor a signature that proves nothing; a
// rule of form may be waived.
func TestNotWaivable(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	good := testkey.RSA(t, "registry waivable", 2048).N
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	divisible := new(big.Int).Sub(good, new(big.Int).Mod(good, big.NewInt(21))) // by 3 and 7
	if divisible.Bit(0) == 0 {
		divisible.Sub(divisible, big.NewInt(21))
	}
	blocked := testkey.RSA(t, "registry waivable blocked", 2048)
	sum, err := registry.SPKISum(&blocked.PublicKey)
	must(t, err)
	must(t, only(s.WithReason("another product's").BlockKeys(ctx, [][]byte{sum})))
	for _, c := range []struct {
		rule     string
		key      crypto.PublicKey
		change   func(*x509.Certificate)
		waivable bool
	}{
		{rule: "weak-key", key: &rsa.PublicKey{N: divisible, E: 65537}},
		{rule: "key-type", key: curve.Public()},
		{rule: "key-size", key: &rsa.PublicKey{N: new(big.Int).SetBit(new(big.Int).Rsh(good, 1024), 0, 1), E: 65537}},
		{rule: "exponent", key: &rsa.PublicKey{N: good, E: 3}},
		{rule: "signature-algorithm", key: &rsa.PublicKey{N: good, E: 65537},
			change: func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA1WithRSA }},
		{rule: registry.RuleKeyBlocked, key: blocked.Public()},
		{rule: "validity-length", key: &rsa.PublicKey{N: good, E: 65537},
			change: func(c *x509.Certificate) { c.NotAfter = c.NotAfter.AddDate(3, 0, 0) }, waivable: true},
	} {
		leaf, _ := issued(t, c.key, c.change)
		row := registry.NewCertificate(registry.Certificate{Owner: registry.Theirs, Partner: "acme", Profile: "riskos",
			Environment: "PROD"}, []*x509.Certificate{leaf})
		var found []cert.Finding
		must(t, s.View(ctx, func(tx registry.Reader) error {
			prof, err := registry.LoadProfile(tx, "riskos")
			must(t, err)
			found, err = s.Registry().CheckCertificate(tx, &row, leaf, prof)
			return err
		}))
		waived := []registry.Waiver{{Rule: c.rule, Reason: "please", Asked: "anna", Granted: "ben"}}
		refused(t, "["+c.rule+"]", registry.Refusal(found, nil))
		if c.waivable {
			must(t, registry.Refusal(found, waived))
			continue
		}
		refused(t, "["+c.rule+"]", registry.Refusal(found, waived))
		for _, f := range found {
			if f.Code == c.rule && f.Waivable {
				t.Errorf("%s is offered for a waiver", c.rule)
			}
		}
	}
}
