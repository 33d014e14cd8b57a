package registry_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

// A block says why. It ends the use of our key pairs with that key, and says of which,
// but leaves those that are out of use as they are.
func TestBlockEndsOurPairs(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	n := registry.NewPair{Profile: "riskos", Partner: "acme", Environment: "PROD", Subject: subject}
	k, _, err := s.CreateKeyPair(ctx, n)
	must(t, err)
	for _, reason := range []string{"", " \n"} {
		refused(t, "say why", only(s.WithReason(reason).BlockKeys(ctx, [][]byte{k.SPKISHA256})))
	}
	refused(t, "no key is named", only(s.WithReason("why not").BlockKeys(ctx, nil)))
	must(t, s.View(ctx, func(tx registry.Reader) error {
		if b, err := tx.Blocked(k.SPKISHA256); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("blocked without a reason: %+v, %v", b, err)
		}
		return nil
	}))

	old, _, err := s.CreateKeyPair(ctx, registry.NewPair{Profile: "riskos", Environment: "PROD", Subject: subject})
	must(t, err)
	must(t, s.WithReason("a mistake").MovePair(ctx, old.ID, registry.Retired, false))
	must(t, s.MovePair(ctx, k.ID, registry.Active, false))
	must(t, only(s.WithReason("it was in a backup that is lost").BlockKeys(ctx,
		[][]byte{k.SPKISHA256, old.SPKISHA256})))
	if got := statesOf(t, s, k.ID, old.ID); got != "compromised compromised retired retired" {
		t.Errorf("states %s", got)
	}
	snapshot, err := s.Registry().Snapshot(ctx)
	must(t, err)
	lane, err := snapshot.Lane(lanes.Name{Partner: "acme", Environment: "PROD"})
	must(t, err)
	if ours := lane.Ours(); len(ours) != 0 {
		t.Errorf("the lane has %v", ours)
	}
	r := last(t, s)
	if r.Action != "key.block" || r.Reason != "it was in a backup that is lost" || !strings.Contains(string(r.After),
		"key pair "+k.ID) || strings.Contains(string(r.After), old.ID) {
		t.Errorf("%s %q: %s", r.Action, r.Reason, r.After)
	}
}

// A pair whose key was blocked since, by whatever way, is not put to use.
func TestBlockedPairIsNotActivated(t *testing.T) {
	meddled.Store(t.Name(), 1)
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	k, _, err := s.CreateKeyPair(ctx, registry.NewPair{Profile: "riskos", Partner: "acme", Environment: "PROD",
		Subject: subject})
	must(t, err)
	must(t, s.Registry().Store.Update(ctx, func(tx registry.Tx) error {
		return tx.PutBlocked(registry.Blocked{SPKISHA256: k.SPKISHA256, Reason: "a list of the group", By: "anna",
			At: k.Created})
	}))
	refused(t, fmt.Sprintf("key pair %s: its public key was blocked on %s: a list of the group", k.ID,
		k.Created.Format("2006-01-02")), s.MovePair(ctx, k.ID, registry.Active, false))
	if got := statesOf(t, s, k.ID); got != "staged staged" {
		t.Errorf("states %s", got)
	}
}

// A block ends the use of every pair with that key, also of one that only opens.
func TestBlockEndsPairsThatOnlyOpen(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	n := registry.NewPair{Profile: "riskos", Partner: "acme", Environment: "PROD", Subject: subject}
	retiring, _, err := s.CreateKeyPair(ctx, n)
	must(t, err)
	must(t, s.MovePair(ctx, retiring.ID, registry.Active, false))
	n.Renewal = true
	active, _, err := s.CreateKeyPair(ctx, n)
	must(t, err)
	must(t, s.MovePair(ctx, active.ID, registry.Active, false))
	staged, _, err := s.CreateKeyPair(ctx, n)
	must(t, err)
	ended, err := s.WithReason("they were in a backup that is lost").BlockKeys(ctx, [][]byte{retiring.SPKISHA256,
		staged.SPKISHA256})
	must(t, err)
	if want := []string{"key pair " + retiring.ID, "key pair " + staged.ID}; !slices.Equal(ended, want) {
		t.Errorf("ended %q, want %q", ended, want)
	}
	const out = "compromised compromised"
	if got := statesOf(t, s, retiring.ID, active.ID, staged.ID); got != out+" active active "+out {
		t.Errorf("states %s", got)
	}
}
