package renewal_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
)

var ourSubject = cert.Template{CommonName: "us.example", Organization: "Us", Unit: "Keys", Email: "keys@us.example",
	Validity: 2}

// campaignOf makes a company with n partners who share a pair, and the successor of that pair.
func campaignOf(t *testing.T, h *company, n int) (before, after registry.KeyPair, partners []string) {
	t.Helper()
	ctx := t.Context()
	shared := registry.NewPair{Profile: "riskos", Environment: "PROD", Bits: 2048, Subject: ourSubject}
	before, _, err := h.anna.CreateKeyPair(ctx, shared)
	h.must(err)
	for i := range n {
		id := fmt.Sprintf("p%02d", i)
		h.partner(id, "riskos", sealane.ServerSide, "PROD", registry.Rotation{})
		lane := lanes.Name{Partner: id, Environment: "PROD"}
		h.must(h.offer(lane, before.ID))
		h.must(h.installed(lane, before.ID))
		partners = append(partners, id)
	}
	h.now = h.now.AddDate(1, 9, 15)
	shared.Renewal = true
	after, _, err = h.anna.CreateKeyPair(ctx, shared)
	h.must(err)
	return before, after, partners
}

func (h *company) batch(in renewal.Campaign) (renewal.Batch, error) {
	in.Profile, in.Environment = "riskos", "PROD"
	in.Deliver = func(string, exchange.OfferPackage) error { return nil }
	return renewal.New(h.anna).OfferAll(h.t.Context(), in)
}

// A shared pair is renewed in batches. One order is for all, each partner changes when it has said that
// the certificate is installed, and three who do not move stop it, by name.
func TestCampaign(t *testing.T) {
	onBoth(t, func(t *testing.T, h *company) {
		before, after, partners := campaignOf(t, h, 10)
		got, err := h.batch(renewal.Campaign{Batch: 4, PerDay: 6})
		h.must(err)
		if !slices.Equal(got.Offered, partners[:4]) || got.KeyPair != after.ID || !got.Progress.Left {
			t.Errorf("%+v", got)
		}
		all := h.renewal(after.ID)
		if all = h.only(all.Campaign, all); all.Partner != "" {
			t.Fatalf("no campaign: %+v", all)
		}
		h.must(h.order(renewal.Name{ID: all.ID}, time.Time{}))
		for _, p := range partners[:2] {
			h.must(h.installed(lanes.Name{Partner: p, Environment: "PROD"}, after.ID))
		}
		h.pass()
		for i, p := range partners[:5] {
			want := registry.Active
			if i < 2 {
				want = registry.Retiring
			}
			if got := h.stateFor(p, before.ID); got != want {
				t.Errorf("%s: the pair before is %s, want %s", p, got, want)
			}
		}
		got, err = h.batch(renewal.Campaign{Batch: 4, PerDay: 6})
		h.must(err)
		if !slices.Equal(got.Offered, partners[4:6]) {
			t.Errorf("%+v", got)
		}
		_, err = h.batch(renewal.Campaign{Batch: 4, PerDay: 6})
		wantRefused(t, err, "offered to 6 partners within 24 hours")

		h.now = h.now.AddDate(0, 0, renewal.AnswerDays).Add(time.Hour)
		_, err = h.batch(renewal.Campaign{Batch: 4})
		wantRefused(t, err, "p02, p03, p04, p05; call them")
		// One is rolled back, alone.
		_, err = renewal.New(h.anna.WithReason("their new key ring is broken")).RollBack(t.Context(),
			renewal.Rollback{Name: renewal.Name{ID: after.ID, Partner: "p00"}, Word: "Jane of p00 by telephone"})
		h.must(err)
		if a, b := h.stateFor("p00", before.ID), h.stateFor("p01", before.ID); a != registry.Active ||
			b != registry.Retiring {
			t.Errorf("p00 %s, p01 %s", a, b)
		}
		h.pass() // the order of the campaign does not activate it again: it is held
		for _, p := range partners[2:6] {
			h.must(h.installed(lanes.Name{Partner: p, Environment: "PROD"}, after.ID))
		}
		h.pass()
		if a, b := h.stateFor("p00", before.ID), h.stateFor("p05", before.ID); a != registry.Active ||
			b != registry.Retiring {
			t.Errorf("p00 %s, p05 %s", a, b)
		}
		got, err = h.batch(renewal.Campaign{Batch: 100})
		h.must(err)
		if len(got.Offered) != 4 || got.Progress.Left {
			t.Errorf("%+v", got)
		}
		// The old pair can't end while partners use it.
		err = exchange.New(h.anna.WithReason("it was renewed")).Retire(t.Context(), before.ID, false)
		wantRefused(t, err, "p00, p06, p07, others")
		h.must(only(h.VerifyRows(t.Context())))
	})
}

// only returns the renewal of an identity, or another one if there is none.
func (h *company) only(id string, other registry.Renewal) (n registry.Renewal) {
	h.t.Helper()
	if n = other; id != "" {
		h.must(h.Store.View(h.t.Context(), func(tx registry.Reader) (err error) {
			n, err = tx.Renewal(id)
			return err
		}))
	}
	return n
}

// stateFor returns the state of a key pair for a partner.
func (h *company) stateFor(partner, pair string) (state registry.State) {
	h.t.Helper()
	h.must(h.Store.View(h.t.Context(), func(tx registry.Reader) (err error) {
		state, err = registry.StateOf(tx, registry.Leg{
			Owner: registry.Ours, Partner: partner, Profile: "riskos", Environment: "PROD",
		}, pair)
		return err
	}))
	return state
}

// A revoked key is out at once, without a window, an order or an overlap. A successor that the partner
// surely accepts is used from then on, and nodes that may not know it are an alarm.
func TestRevokedKeysAreFollowed(t *testing.T) {
	onBoth(t, func(t *testing.T, h *company) {
		ctx := t.Context()
		lane := lanes.Name{Partner: "acme", Environment: "PROD"}
		h.partner("acme", "riskos", sealane.ServerSide, "PROD", registry.Rotation{
			Slots: 2, Window: registry.Window{Days: []string{"Sat"}},
		})
		theirs := h.approved(lane, h.certificate(2048, 100))
		h.must(exchange.New(h.anna).Activate(ctx, theirs))
		ours := h.pair(lane, "riskos", 2048, false)
		h.must(h.installed(lane, ours))
		nextOurs := h.pair(lane, "riskos", 2048, true)
		h.must(h.installed(lane, nextOurs))
		nextTheirs := h.approved(lane, h.certificate(2048, 700))
		h.pass()
		h.wantStep(nextOurs, registry.RenewalConfirmed)
		h.node("one", h.head())

		leaked := exchange.New(h.cora.WithReason("it was in a backup that is lost"))
		h.must(leaked.Revoke(ctx, ours))
		h.must(leaked.Revoke(ctx, theirs))
		for id, want := range map[string]registry.State{
			ours: registry.Compromised, theirs: registry.Compromised, nextOurs: registry.Active,
			nextTheirs: registry.Active,
		} {
			if got := h.state(id); got != want {
				t.Errorf("%s is %s, want %s", id, got, want)
			}
		}
		h.wantStep(nextOurs, registry.RenewalActive) // until every node has it
		if alarms := h.pass().Alarms; len(alarms) != 2 {
			t.Errorf("%+v", alarms)
		}
		h.node("one", h.head())
		h.pass()
		h.wantStep(nextOurs, registry.RenewalDone)
		h.wantStep(nextTheirs, registry.RenewalDone)

		// Without a successor the renewal is due at once, and nodes that lack the record are named.
		h.must(leaked.Revoke(ctx, nextTheirs))
		if n := h.wantStep(nextTheirs, registry.RenewalDue); n.Revoked != h.head() {
			t.Errorf("%+v", n)
		}
		alarms := h.pass().Alarms
		if !slices.ContainsFunc(alarms, func(w renewal.Wait) bool {
			return w.Text == nextTheirs+
				" was revoked, and may still be used on one"
		}) {
			t.Errorf("%+v", alarms)
		}
		third := h.approved(lane, h.certificate(2048, 700))
		h.pass()
		h.pass()
		if got := h.state(third); got != registry.Active {
			t.Errorf("the next one is %s", got)
		}
		h.must(only(h.VerifyRows(context.Background())))
	})
}

// The successor is revoked while the key before it still counts: that one can be used again at once, by
// the partner's word or by ours, and the next renewal is due.
func TestRevokedSuccessor(t *testing.T) {
	onBoth(t, func(t *testing.T, h *company) {
		ctx := t.Context()
		lane := lanes.Name{Partner: "acme", Environment: "PROD"}
		h.partner("acme", "riskos", sealane.ServerSide, "PROD", registry.Rotation{Slots: 2})
		theirs := h.approved(lane, h.certificate(2048, 100))
		h.must(exchange.New(h.anna).Activate(ctx, theirs))
		ours := h.pair(lane, "riskos", 2048, false)
		h.must(h.installed(lane, ours))
		nextOurs := h.pair(lane, "riskos", 2048, true)
		h.must(h.installed(lane, nextOurs))
		nextTheirs := h.approved(lane, h.certificate(2048, 700))
		h.must(h.order(renewal.Name{ID: nextOurs}, time.Time{}))
		h.must(h.order(renewal.Name{ID: nextTheirs}, time.Time{}))
		h.wantStep(nextOurs, registry.RenewalActive)
		h.wantStep(nextTheirs, registry.RenewalActive)

		h.now = h.now.Add(time.Hour)
		leaked := exchange.New(h.cora.WithReason("it was in a backup that is lost"))
		h.must(leaked.Revoke(ctx, nextOurs))
		h.must(leaked.Revoke(ctx, nextTheirs))
		for _, revoked := range []string{nextOurs, nextTheirs} {
			if n := h.wantStep(revoked, registry.RenewalDue); n.Replaces != revoked {
				t.Errorf("%+v", n)
			}
		}
		h.must(h.installed(lane, ours))
		h.must(exchange.New(h.anna).Activate(ctx, theirs))
		for _, id := range []string{ours, theirs} {
			if got := h.state(id); got != registry.Active {
				t.Errorf("%s is %s", id, got)
			}
		}
		h.pass()
		h.wantStep(nextOurs, registry.RenewalDone)
		h.wantStep(nextTheirs, registry.RenewalDone)
		h.must(only(h.VerifyRows(ctx)))
	})
}

// A retirement that is undone opens the renewal again, so that the key is not forgotten.
func TestUndoneRetirementIsFollowed(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	lane := lanes.Name{Partner: "acme", Environment: "DEV"}
	h.partner("acme", "riskos", sealane.ServerSide, "DEV", registry.Rotation{})
	ours := h.pair(lane, "riskos", 2048, false)
	h.must(h.installed(lane, ours))
	next := h.pair(lane, "riskos", 2048, true)
	h.must(h.installed(lane, next))
	n := h.wantStep(next, registry.RenewalActive)
	h.must(exchange.New(h.anna.WithReason("nobody uses it")).Retire(ctx, ours, false))
	h.wantStep(next, registry.RenewalDone)
	h.must(only(exchange.New(h.anna.WithReason("a late message came")).Undo(ctx, ours, "")))
	if again := h.wantStep(next, registry.RenewalActive); again.ID != n.ID {
		t.Errorf("it is another renewal: %+v", again)
	}
}

// An order is for one successor: another key can't be activated by it.
func TestOrderIsForItsSuccessor(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	lane := lanes.Name{Partner: "acme", Environment: "PROD"}
	h.partner("acme", "riskos", sealane.ServerSide, "PROD", registry.Rotation{Slots: 2})
	first := h.approved(lane, h.certificate(2048, 100))
	h.must(exchange.New(h.anna).Activate(ctx, first))
	second := h.approved(lane, h.certificate(2048, 700))
	h.must(exchange.New(h.anna).Stage(ctx, second))
	third := h.approved(lane, h.certificate(2048, 700))
	h.must(h.order(renewal.Name{ID: second}, h.now.Add(time.Hour)))
	h.now = h.now.Add(2 * time.Hour)
	wantRefused(t, exchange.New(h.anna).Activate(ctx, third), "is to lead to "+second)
	h.pass()
	if a, b := h.state(second), h.state(third); a != registry.Active || b != registry.Approved {
		t.Errorf("%s and %s", a, b)
	}
}
