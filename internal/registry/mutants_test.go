package registry_test

import (
	"testing"

	"github.com/sealane/sealane/internal/registry"
)

// An administrator whose token was revoked is none who could help the others.
func TestLastAdministratorWithAToken(t *testing.T) {
	s := openSession(t)
	person(t, s, "zoe", registry.Administrator)
	revoke := func(id string) error { return s.WithReason("has left").RevokePerson(t.Context(), id) }
	must(t, revoke("zoe"))
	refused(t, "anna is the last administrator", revoke("anna"))
}

// Only environments that are known as such are for tests.
func TestProductionIsWhatIsNotForTests(t *testing.T) {
	for name, want := range map[string]bool{
		"DEV": false, "dev": false, "TEST": false, "STAG": false, "STAGING": false, "UAT": false, "SANDBOX": false,
		"PROD": true, "PRE": true, "PREPROD": true, "LIVE": true, "": true, "DEV2": true, "TESTS": true,
	} {
		if registry.Production(name) != want {
			t.Errorf("%q: %t, want %t", name, !want, want)
		}
	}
}

// A pair of ours leaves use when its key is blocked, whatever state of use it is in.
func TestBlockEndsPairsOfEachStateOfUse(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	n := registry.NewPair{Profile: "riskos", Partner: "acme", Environment: "PROD", Subject: subject, Renewal: true}
	var ids []string
	for i := range 3 { // activating one makes that before it retiring
		k, _, err := s.CreateKeyPair(ctx, n)
		must(t, err)
		ids = append(ids, k.ID)
		if i < 2 {
			must(t, s.MovePair(ctx, k.ID, registry.Active, false))
		}
	}
	for i, before := range []registry.State{registry.Retiring, registry.Active, registry.Staged} {
		var k registry.KeyPair
		read := func(tx registry.Reader) (err error) { k, err = tx.KeyPair(ids[i]); return err }
		must(t, s.View(ctx, read))
		if k.State != before {
			t.Fatalf("pair %d is %s", i, k.State)
		}
		ended, err := s.WithReason("seen elsewhere").BlockKeys(ctx, [][]byte{k.SPKISHA256})
		must(t, err)
		must(t, s.View(ctx, read))
		if k.State != registry.Compromised || len(ended) != 1 {
			t.Errorf("%s: it is %s, ended are %q", before, k.State, ended)
		}
	}
}
