package registry_test

import (
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testkey"
)

// other adds a second partner of the same dialect, and acme's DEV.
func other(t *testing.T, s *registry.Session) {
	t.Helper()
	must(t, s.AddPartner(t.Context(), registry.Partner{ID: "other", Name: "Other", Profile: "riskos",
		Side: sealane.ServerSide}))
	for _, at := range [][2]string{{"other", "PROD"}, {"acme", "DEV"}} {
		must(t, s.AddEnvironment(t.Context(), registry.Environment{Partner: at[0], Name: at[1],
			Sealing: sealane.SealingRequired}))
	}
}

// A certificate that was received at a wrong place, and rejected there before its approval, is
// received at the right one. It can't come back where it was then.
func TestRejectedBeforeItsApproval(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	other(t, s)
	x := exchange.New(s.WithReason("wrong unit"))
	key := testkey.RSA(t, "registry rejected", 2048)
	leaf, _ := issued(t, key.Public(), nil)
	receive := func(partner, environment string) (registry.Certificate, error) {
		c, _, err := x.Receive(ctx, exchange.Incoming{Partner: partner, Environment: environment, Data: leaf.Raw})
		return c, err
	}
	first, err := receive("other", "PROD")
	must(t, err)
	must(t, x.Reject(ctx, first.ID))
	second, err := receive("acme", "DEV") // after a match, too
	must(t, err)
	must(t, only(x.MatchChecksum(ctx, exchange.Comparison{
		Certificate: second.ID, Checksum: fmt.Sprintf("%x", second.SHA256),
	})))
	must(t, x.Reject(ctx, second.ID))
	// A key of the partner's is none of ours.
	_, _, err = s.ImportKeyPair(ctx, registry.NewPair{Profile: "riskos", Partner: "acme", Environment: "PROD"}, key,
		[]*x509.Certificate{leaf})
	refused(t, "certificate "+first.ID+" (rejected) of other in PROD", err)
	right, err := receive("acme", "PROD")
	must(t, err)
	// What was not rejected is known at its own place, too.
	_, err = receive("acme", "PROD")
	refused(t, "certificate "+right.ID+" (received)", err)
	for _, c := range []registry.Certificate{first, second} {
		refused(t, "certificate "+right.ID+" (received) of acme in PROD", only(x.Undo(ctx, c.ID, "")))
	}
	must(t, x.Reject(ctx, right.ID))
	must(t, only(x.Undo(ctx, second.ID, "")))
}

// What is imported must be whole, and for the partner; what is refused leaves nothing.
func TestImportRefused(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	known, second := testkey.RSA(t, "registry import 1", 2048), testkey.RSA(t, "registry import 2", 2048)
	of := func(key *rsa.PrivateKey) []*x509.Certificate {
		leaf, _ := issued(t, key.Public(), nil)
		return []*x509.Certificate{leaf}
	}
	for _, c := range []struct {
		name, says string
		pair       registry.NewPair
		key        *rsa.PrivateKey
		chain      []*x509.Certificate
	}{
		{name: "good", pair: registry.NewPair{Profile: "riskos", Environment: "PROD"}, key: known, chain: of(known)},
		{"a shared prime", "[shared-factor]", registry.NewPair{Profile: "riskos", Partner: "acme",
			Environment: "PROD"}, testkey.Crossed(known, second), of(testkey.Crossed(known, second))},
		{"another key's certificate", "the certificate does not belong to the key", registry.NewPair{Profile: "riskos",
			Partner: "acme", Environment: "PROD"}, second, of(known)},
		{"no certificate", "has no certificate with it", registry.NewPair{Profile: "riskos", Partner: "acme",
			Environment: "PROD"}, second, nil},
		{"another dialect", "partner acme speaks riskos, not rdx", registry.NewPair{Profile: "rdx", Partner: "acme",
			Environment: "PROD"}, second, of(second)},
	} {
		_, _, err := s.ImportKeyPair(ctx, c.pair, c.key, c.chain)
		if c.says == "" {
			must(t, err)
			continue
		}
		if err == nil {
			t.Errorf("%s was taken", c.name)
		}
		refused(t, c.says, err)
	}
	must(t, s.View(ctx, func(tx registry.Reader) error {
		pairs, err := tx.KeyPairs(registry.KeyPairQuery{})
		if len(pairs) != 1 {
			t.Errorf("%d key pairs were kept", len(pairs))
		}
		return err
	}))
}
