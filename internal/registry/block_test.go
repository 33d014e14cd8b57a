package registry_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/registry"
)

// A block says why. It ends the use of our key pairs with that key, and says of which,
// but leaves those that are out of use as they are.
func TestBlockEndsOurPairs(t *testing.T) {
	d, ctx := desk(t), t.Context()
	acme(t, d)
	n := registry.NewPair{Profile: "riskos", Partner: "acme", Environment: "PROD", Subject: subject}
	k, _, err := d.CreateKeyPair(ctx, n, "")
	must(t, err)
	for _, reason := range []string{"", " \n"} {
		refused(t, "say why", only(d.BlockKeys(ctx, [][]byte{k.SPKISHA256}, reason)))
	}
	refused(t, "no key is named", only(d.BlockKeys(ctx, nil, "why not")))
	must(t, d.Store.View(ctx, func(tx registry.Tx) error {
		if b, err := tx.Blocked(k.SPKISHA256); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("blocked without a reason: %+v, %v", b, err)
		}
		return nil
	}))

	old, _, err := d.CreateKeyPair(ctx, registry.NewPair{Profile: "riskos", Environment: "PROD", Subject: subject}, "")
	must(t, err)
	must(t, d.MovePair(ctx, old.ID, registry.Retired, false, "a mistake"))
	must(t, d.MovePair(ctx, k.ID, registry.Active, false, ""))
	must(t, only(d.BlockKeys(ctx, [][]byte{k.SPKISHA256, old.SPKISHA256}, "it was in a backup that is lost")))
	if got := statesOf(t, d, k.ID, old.ID); got != "compromised compromised retired retired" {
		t.Errorf("states %s", got)
	}
	s, err := d.Snapshot(ctx)
	must(t, err)
	lane, err := s.Lane("acme", "PROD")
	must(t, err)
	if ours := lane.Ours(); len(ours) != 0 {
		t.Errorf("the lane has %v", ours)
	}
	r := last(t, d)
	if r.Action != "key.block" || r.Reason != "it was in a backup that is lost" || !strings.Contains(string(r.After), "key pair "+k.ID) || strings.Contains(string(r.After), old.ID) {
		t.Errorf("%s %q: %s", r.Action, r.Reason, r.After)
	}
}

// A pair whose key was blocked since, by whatever way, is not put to use.
func TestBlockedPairIsNotActivated(t *testing.T) {
	d, ctx := desk(t), t.Context()
	acme(t, d)
	k, _, err := d.CreateKeyPair(ctx, registry.NewPair{Profile: "riskos", Partner: "acme", Environment: "PROD", Subject: subject}, "")
	must(t, err)
	must(t, d.Store.Update(ctx, func(tx registry.Tx) error {
		return tx.PutBlocked(registry.Blocked{SPKISHA256: k.SPKISHA256, Reason: "a list of the group", By: "anna", At: k.Created})
	}))
	refused(t, fmt.Sprintf("key pair %s: its public key was blocked on %s: a list of the group", k.ID, k.Created.Format("2006-01-02")), d.MovePair(ctx, k.ID, registry.Active, false, ""))
	if got := statesOf(t, d, k.ID); got != "staged staged" {
		t.Errorf("states %s", got)
	}
}

// A block ends the use of every pair with that key, also of one that only opens.
func TestBlockEndsPairsThatOnlyOpen(t *testing.T) {
	d, ctx := desk(t), t.Context()
	acme(t, d)
	n := registry.NewPair{Profile: "riskos", Partner: "acme", Environment: "PROD", Subject: subject}
	retiring, _, err := d.CreateKeyPair(ctx, n, "")
	must(t, err)
	must(t, d.MovePair(ctx, retiring.ID, registry.Active, false, ""))
	n.Renewal = true
	active, _, err := d.CreateKeyPair(ctx, n, "")
	must(t, err)
	must(t, d.MovePair(ctx, active.ID, registry.Active, false, ""))
	staged, _, err := d.CreateKeyPair(ctx, n, "")
	must(t, err)
	ended, err := d.BlockKeys(ctx, [][]byte{retiring.SPKISHA256, staged.SPKISHA256}, "they were in a backup that is lost")
	must(t, err)
	if want := []string{"key pair " + retiring.ID, "key pair " + staged.ID}; !slices.Equal(ended, want) {
		t.Errorf("ended %q, want %q", ended, want)
	}
	const out = "compromised compromised"
	if got := statesOf(t, d, retiring.ID, active.ID, staged.ID); got != out+" active active "+out {
		t.Errorf("states %s", got)
	}
}
