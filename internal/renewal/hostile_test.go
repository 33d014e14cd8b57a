package renewal_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
)

// acme is a partner in production with an active key on both legs.
func acme(t testing.TB, h *company, r registry.Rotation) (lane lanes.Name, ours, theirs string) {
	t.Helper()
	lane = lanes.Name{Partner: "acme", Environment: "PROD"}
	h.partner("acme", "riskos", sealane.ServerSide, "PROD", r)
	theirs = h.approved(lane, h.certificate(2048, 100))
	h.must(exchange.New(h.anna).Activate(t.Context(), theirs))
	ours = h.pair(lane, "riskos", 2048, false)
	h.must(h.installed(lane, ours))
	return lane, ours, theirs
}

// A key from before does not come back by one person's word, when its renewal has ended.
func TestOldKeysDoNotComeBack(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	lane, first, x := acme(t, h, registry.Rotation{Slots: 2})
	second := h.pair(lane, "riskos", 2048, true)
	h.must(h.installed(lane, second))
	h.must(h.order(renewal.Name{ID: second}, time.Time{}))
	third := h.pair(lane, "riskos", 2048, true)
	h.must(exchange.New(h.anna.WithReason("it is not needed")).Reject(ctx, third))
	if err := h.installed(lane, first); err == nil {
		t.Error("the word about the old pair was taken")
	}
	a := h.approved(lane, h.certificate(2048, 700))
	h.must(exchange.New(h.anna).Stage(ctx, a))
	b := h.approved(lane, h.certificate(2048, 700))
	h.must(h.order(renewal.Name{ID: a}, time.Time{}))
	for _, id := range []string{b, x} {
		if err := exchange.New(h.anna).Activate(ctx, id); err == nil {
			t.Errorf("%s was activated by one person", id)
		}
	}
	for id, want := range map[string]registry.State{
		first: registry.Retiring, second: registry.Active, x: registry.Retiring, a: registry.Active,
		b: registry.Approved,
	} {
		if got := h.state(id); got != want {
			t.Errorf("%s is %s, want %s", id, got, want)
		}
	}
}

// An order counts for the night that people agreed to, and not after a rollback.
func TestOrdersLapse(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	lane, _, _ := acme(t, h, registry.Rotation{Slots: 2})
	next := h.approved(lane, h.certificate(2048, 700))
	h.pass()
	at := h.now.Add(time.Hour)
	h.must(h.order(renewal.Name{ID: next}, at))
	_, err := renewal.New(h.anna.WithReason("their data centre moves")).Hold(ctx, renewal.Name{ID: next})
	h.must(err)
	h.now = at.Add(25 * time.Hour)
	_, err = renewal.New(h.anna.WithReason("it has moved")).EndHold(ctx, renewal.Name{ID: next})
	h.must(err)
	report := h.pass()
	if h.state(next) != registry.Staged || len(report.Alarms) != 1 ||
		!strings.Contains(report.Alarms[0].Text, "that time has passed: order it again") {
		t.Errorf("%s, %+v", h.state(next), report.Alarms)
	}
	h.must(h.order(renewal.Name{ID: next}, time.Time{}))
	h.wantStep(next, registry.RenewalActive)
	back := renewal.New(h.anna.WithReason("it does not work there"))
	_, err = back.RollBack(ctx, renewal.Rollback{Name: renewal.Name{ID: next}})
	h.must(err)
	h.pass()
	if h.state(next) != registry.Staged {
		t.Error("it is active again, and nobody has ordered that")
	}
}

// What a partner has installed is not withdrawn, and the pair before is not undone.
func TestWordsThatStand(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	lane, first, _ := acme(t, h, registry.Rotation{Slots: 2})
	next := h.pair(lane, "riskos", 2048, true)
	wrong := exchange.New(h.anna.WithReason("it was the wrong one"))
	_, err := wrong.Undo(ctx, first, "")
	wantRefused(t, err, "is the one that "+next+" follows")
	h.must(h.installed(lane, next))
	wantRefused(t, wrong.Reject(ctx, next), "take that back, before the offer is withdrawn")
	h.must(only(wrong.Undo(ctx, next, "")))
	h.must(wrong.Reject(ctx, next))
	if h.state(first) != registry.Active || h.state(next) != registry.Retired {
		t.Errorf("%s and %s", h.state(first), h.state(next))
	}
}

// Where all nodes are silent, the clock may be wrong: none of them is passed over. One among others that
// has served nothing for long is.
func TestSilentNodes(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	lane, _, _ := acme(t, h, registry.Rotation{Slots: 2})
	h.node("one", h.head())
	h.node("two", h.head())
	next := h.approved(lane, h.certificate(2048, 700))
	h.pass()
	now := h.now
	h.now = now.Add(3 * time.Hour) // beyond what the nodes serve
	h.pass()
	h.wantStep(next, registry.RenewalStaged)
	h.now = now.Add(time.Minute)
	h.node("one", h.head())
	h.pass()
	h.wantStep(next, registry.RenewalStaged) // two may serve
	h.now = now.Add(3 * time.Hour)
	h.node("one", h.head())
	h.pass()
	h.wantStep(next, registry.RenewalLoaded)
}

// The successor must be valid when it is activated, also if the order came long before.
func TestExpiredSuccessor(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	lane, first, _ := acme(t, h, registry.Rotation{Slots: 2})
	next := h.pair(lane, "riskos", 2048, true)
	h.must(h.order(renewal.Name{ID: next}, time.Time{}))
	h.must(h.installed(lane, next))
	h.now = h.now.AddDate(2, 0, 1)
	report := h.pass()
	if h.state(next) != registry.Staged || h.state(first) != registry.Active {
		t.Errorf("%s and %s", h.state(first), h.state(next))
	}
	if !slices.ContainsFunc(append(report.Alarms, report.Wait...), func(w renewal.Wait) bool {
		return strings.Contains(w.Text, "has expired")
	}) {
		t.Errorf("%+v", report)
	}
}

// What the partner knows is one key ID, and no other.
func TestToldIsOfOneKeyID(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	lane := lanes.Name{Partner: "bank", Environment: "DEV"}
	h.partner("bank", "rdx", sealane.ClientSide, "DEV", registry.Rotation{})
	const small, large = "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-DEV", "-PKE-ACS-Client-4096SHA2-DEV"
	named := func(id, keyID, replace string) {
		t.Helper()
		h.must(exchange.New(h.anna.WithReason("they have written another")).SetKeyID(ctx,
			exchange.KeyIDChange{ID: id, KeyID: keyID, Replace: replace}))
	}
	first := h.approved(lane, h.certificate(2048, 100))
	named(first, small, "")
	h.must(exchange.New(h.anna).Activate(ctx, first))
	second := h.approved(lane, h.certificate(4096, 700))
	said := renewal.Word{Name: renewal.Name{ID: second}, Said: "Jane of the bank by telephone"}
	_, err := renewal.New(h.anna).KeyIDTold(ctx, said)
	wantRefused(t, err, "has no key ID yet")
	named(second, "1234dadc1234b704c1f23dc4"+large, "")
	wantRefused(t, exchange.New(h.anna).Activate(ctx, second), "record that they know it")
	_, err = renewal.New(h.anna).KeyIDTold(ctx, said)
	h.must(err)
	named(second, "5678dadc1234b704c1f23dc4"+large,
		"1234dadc1234b704c1f23dc4"+large)
	wantRefused(t, exchange.New(h.anna).Activate(ctx, second), "record that they know it")
	_, err = renewal.New(h.anna).KeyIDTold(ctx, said)
	h.must(err)
	h.must(exchange.New(h.anna).Activate(ctx, second))
}
