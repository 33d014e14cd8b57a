package registry_test

import (
	"testing"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/registry"
)

// A key pair follows the one with its own partner, dialect and environment, and no
// other: one for all partners leaves their own in use, and theirs leave it. Those for
// all partners leave each other, because partners turn to the next one by one.
func TestActivationFollowsItsOwn(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	other(t, s)
	active := func(profileName, partner, environment string, renewal bool) string {
		k, _, err := s.CreateKeyPair(ctx, registry.NewPair{Profile: profileName, Partner: partner,
			Environment: environment, Bits: 2048, Renewal: renewal,
			Subject: cert.Template{CommonName: "keys.example", Organization: "Example", Unit: "Keys",
				Email: "keys@example.com", Validity: 2}})
		must(t, err)
		must(t, s.MovePair(ctx, k.ID, registry.Active, false))
		return k.ID
	}
	first := []string{
		active("riskos", "acme", "PROD", false), active("riskos", "acme", "DEV", false), active("riskos", "other",
			"PROD", false),
		active("riskos", "", "PROD", false), active("riskos", "", "DEV", false), active("rdx", "", "PROD", false),
	}
	const inUse, followed = "active active ", "retiring retiring "
	if got := statesOf(t, s, first...) + " "; got != inUse+inUse+inUse+inUse+inUse+inUse {
		t.Errorf("at first: %s", got)
	}
	shared := active("riskos", "", "PROD", true)
	if got := statesOf(t, s, append(first, shared)...) + " "; got != inUse+inUse+inUse+inUse+inUse+inUse+inUse {
		t.Errorf("after one for all partners: %s", got)
	}
	own := active("riskos", "acme", "PROD", true)
	if got := statesOf(t, s, append(first, shared, own)...) +
		" "; got != followed+inUse+inUse+inUse+inUse+inUse+inUse+inUse {
		t.Errorf("after one for acme: %s", got)
	}
}

// A retired pair is not activated again.
func TestRetiredPairStaysRetired(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	n := registry.NewPair{Profile: "riskos", Partner: "acme", Environment: "PROD", Subject: subject}
	k, _, err := s.CreateKeyPair(ctx, n)
	must(t, err)
	must(t, s.MovePair(ctx, k.ID, registry.Active, false))
	must(t, s.WithReason("the contract ends").MovePair(ctx, k.ID, registry.Retired, true))
	refused(t, "is retired, and can't become active; it can become destroyed", s.MovePair(ctx, k.ID, registry.Active,
		false))
	if got := statesOf(t, s, k.ID); got != "retired retired" {
		t.Errorf("states %s", got)
	}
}
