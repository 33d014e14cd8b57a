package registry_test

import (
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testkey"
)

// A key ID is one environment's and one partner's. A renewal may have it again if its
// key has the same size; whose it is not, or was rejected, does not hold it.
func TestKeyIDIsTaken(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	other(t, s)
	must(t, s.AddPartner(ctx, registry.Partner{ID: "vcas", Name: "VCAS", Profile: "rdx", Side: sealane.ClientSide}))
	must(t, s.AddEnvironment(ctx, registry.Environment{Partner: "vcas", Name: "DEV",
		Sealing: sealane.SealingRequired}))
	whole := cert.Template{CommonName: "keys.example", Organization: "Example", Unit: "Keys",
		Email: "keys@example.com", Validity: 2}
	for _, c := range []struct {
		name, profile, partner, environment string
		bits                                int
		renewal                             bool
		says                                string
	}{
		{name: "the first", profile: "riskos", partner: "acme", environment: "PROD", bits: 2048},
		{"another environment", "riskos", "acme", "DEV", 2048, false,
			`of ours for acme in PROD, which is active: key IDs are unique`},
		{"another partner", "riskos", "other", "PROD", 2048, false, `of ours for acme in PROD, which is active`},
		{"all partners", "riskos", "", "PROD", 2048, false, `of ours for acme in PROD, which is active`},
		{"a renewal of another size", "riskos", "acme", "PROD", 3072, true,
			`key ID "name" names a key of 2048 bits, and this one has 3072`},
		{"a renewal of that size", "riskos", "acme", "PROD", 2048, true, ""},
		{"another dialect", "rdx", "vcas", "DEV", 2048, false, ""},
	} {
		n := registry.NewPair{Profile: c.profile, Partner: c.partner, Environment: c.environment, Bits: c.bits,
			Renewal: c.renewal, Subject: whole, KeyID: "name"}
		k, _, err := s.CreateKeyPair(ctx, n)
		if c.says != "" {
			if err == nil {
				t.Errorf("%s was let in", c.name)
			}
			refused(t, c.says, err)
			continue
		}
		must(t, err)
		must(t, s.MovePair(ctx, k.ID, registry.Active, false))
	}

	// A partner's own names are apart from ours.
	x := exchange.New(s)
	receive := func(key, partner, environment string) (registry.Certificate, error) {
		leaf, _ := issued(t, testkey.RSA(t, "registry key ID "+key, 2048).Public(), nil)
		c, _, err := x.Receive(ctx, exchange.Incoming{Partner: partner, Environment: environment, Data: leaf.Raw,
			KeyID: "name"})
		return c, err
	}
	theirs, err := receive("1", "acme", "DEV")
	must(t, err)
	_, err = receive("2", "acme", "PROD")
	refused(t, `key ID "name" is that of certificate `+theirs.ID+` of acme in DEV, which is received: key IDs`, err)
	must(t, exchange.New(s.WithReason("sent by mistake")).Reject(ctx, theirs.ID))
	_, err = receive("2", "acme", "PROD")
	must(t, err)
}

// The key ID of a retired key stays with its partner, and a renewal under it has the
// same size.
func TestKeyIDOfARetiredKey(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	other(t, s)
	create := func(partner string, bits int) (registry.KeyPair, error) {
		k, _, err := s.CreateKeyPair(ctx, registry.NewPair{Profile: "riskos", Partner: partner, Environment: "PROD",
			Bits: bits, Subject: subject, KeyID: "name"})
		return k, err
	}
	k, err := create("acme", 2048)
	must(t, err)
	must(t, s.MovePair(ctx, k.ID, registry.Active, false))
	must(t, s.WithReason("the contract ends").MovePair(ctx, k.ID, registry.Retired, true))
	_, err = create("other", 2048)
	refused(t, `key ID "name" is that of key pair `+k.ID+` of ours for acme in PROD, which is retired`, err)
	_, _, err = s.CreateKeyPair(ctx, registry.NewPair{Profile: "riskos", Partner: "acme", Environment: "DEV",
		Bits: 2048, Subject: subject, KeyID: "name"})
	refused(t, `key ID "name" is that of key pair `+k.ID+` of ours for acme in PROD, which is retired: key IDs`, err)
	_, err = create("acme", 3072)
	refused(t, `key ID "name" names a key of 2048 bits, and this one has 3072`, err)
	_, err = create("acme", 2048)
	must(t, err)
}

// Refusals of another pair say for whom there is one.
func TestPairIsForAPartner(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	n := registry.NewPair{Profile: "riskos", Partner: "acme", Environment: "PROD", Bits: 2048, Subject: subject}
	create := func() error {
		k, _, err := s.CreateKeyPair(ctx, n)
		if err == nil {
			must(t, s.MovePair(ctx, k.ID, registry.Active, false))
		}
		return err
	}
	k, _, err := s.CreateKeyPair(ctx, n)
	must(t, err)
	refused(t, "key pair "+k.ID+" is staged for acme in PROD: finish", create())
	must(t, s.MovePair(ctx, k.ID, registry.Active, false))
	refused(t, "key pair "+k.ID+" is in use for acme in PROD: there is one", create())
	n.Renewal = true
	for range registry.MaxOverlap - 1 {
		must(t, create())
	}
	refused(t, "4 key pairs are in use for acme in PROD already: retire the oldest", create())
	n.Partner, n.Renewal = "", false
	must(t, create())
	refused(t, "is in use for all of riskos in PROD: there is one", create())
}
