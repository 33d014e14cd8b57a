package renewal_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
)

// A custodian who names the wrong key, or does an act twice, is told so, and nothing of another key
// changes.
func TestTheWrongKeyIsNamed(t *testing.T) {
	onBoth(t, func(t *testing.T, h *company) {
		ctx := t.Context()
		lane := lanes.Name{Partner: "acme", Environment: "PROD"}
		h.partner("acme", "riskos", sealane.ServerSide, "PROD", registry.Rotation{Slots: 2})
		first := h.approved(lane, h.certificate(2048, 700))
		h.must(exchange.New(h.anna).Activate(ctx, first))
		second := h.approved(lane, h.certificate(2048, 710))
		third := h.approved(lane, h.certificate(2048, 720))
		n := h.wantStep(second, registry.RenewalApproved)

		wantRefused(t, h.order(renewal.Name{ID: first}, time.Time{}), "is in use already: name "+second)
		wantRefused(t, h.order(renewal.Name{ID: third}, time.Time{}), third+" has no part in a renewal")
		wantRefused(t, exchange.New(h.anna).Activate(ctx, third), "is to lead to "+second)
		if n := h.renewal(second); n.Order != nil || h.state(second) != registry.Approved {
			t.Errorf("%s is %s, %+v", second, h.state(second), n.Order)
		}
		h.must(h.order(renewal.Name{ID: second}, time.Time{}))
		if h.state(second) != registry.Active {
			t.Fatalf("%s is %s", second, h.state(second))
		}
		wantRefused(t, h.order(renewal.Name{ID: second}, time.Time{}), "active already")
		wantRefused(t, h.order(renewal.Name{ID: first}, time.Time{}), "roll that back instead")
		hold := renewal.New(h.anna.WithReason("CHG-1"))
		_, err := hold.Hold(ctx, renewal.Name{ID: n.ID})
		h.must(err)
		_, err = hold.Hold(ctx, renewal.Name{ID: n.ID})
		wantRefused(t, err, "is held by anna already")
		_, err = hold.EndHold(ctx, renewal.Name{ID: n.ID})
		h.must(err)
		_, err = hold.EndHold(ctx, renewal.Name{ID: n.ID})
		wantRefused(t, err, "is not held")
	})
}

// A partner who was asked for a new certificate sends the one that is in use again.
func TestTheOldFileComesAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, h *company) {
		lane := lanes.Name{Partner: "acme", Environment: "PROD"}
		h.partner("acme", "riskos", sealane.ServerSide, "PROD", registry.Rotation{})
		der := h.certificate(2048, 100)
		first := h.approved(lane, der)
		h.must(exchange.New(h.anna).Activate(t.Context(), first))
		again := func() error {
			_, _, err := exchange.New(h.anna).Receive(t.Context(), exchange.Incoming{
				Partner: lane.Partner, Environment: lane.Environment, Data: der,
			})
			return err
		}
		wantRefused(t, again(), "it is in use already: nothing is left to do")
		h.now = h.now.AddDate(0, 0, 30)
		h.pass()
		n := h.wantStep(first, registry.RenewalDue)
		wantRefused(t, again(), "renewal "+n.ID+" replaces it: ask for a certificate with a new key")
	})
}

// The answer to the wrong mail: a custodian records that the partner has installed the pair that it
// had already.
func TestTheWrongPairIsInstalled(t *testing.T) {
	onBoth(t, func(t *testing.T, h *company) {
		lane := lanes.Name{Partner: "socure", Environment: "PROD"}
		h.partner("socure", "riskos", sealane.ClientSide, "PROD", registry.Rotation{Slots: 2})
		first := h.pair(lane, "riskos", 2048, false)
		h.must(h.installed(lane, first))
		wantRefused(t, h.installed(lane, first), "has said on 2026-11-23 that key pair "+first+" is installed")
		second := h.pair(lane, "riskos", 2048, true)
		wantRefused(t, h.installed(lane, first), "is the one before "+second)
		h.must(h.installed(lane, second))
		h.wantStep(second, registry.RenewalConfirmed)
		wantRefused(t, h.installed(lane, second), "has said on 2026-11-23 that key pair "+second+" is installed")
		h.must(h.order(renewal.Name{ID: second}, time.Time{}))
		h.wantStep(second, registry.RenewalActive)
		wantRefused(t, h.installed(lane, second), "is installed")
		wantRefused(t, h.installed(lane, first), "is the one before "+second)
	})
}

// Where one person decides, the word of a partner counts also while a node does not have the pair: it
// is recorded, and the pair is activated when every node has it.
func TestInstalledWhileANodeIsSilent(t *testing.T) {
	onBoth(t, func(t *testing.T, h *company) {
		lane := lanes.Name{Partner: "socure", Environment: "DEV"}
		h.partner("socure", "riskos", sealane.ClientSide, "DEV", registry.Rotation{Slots: 2})
		first := h.pair(lane, "riskos", 2048, false)
		h.must(h.installed(lane, first))
		h.node("one", h.head())
		second := h.pairLoadedBy(lane, "riskos", "one")
		h.now = h.now.Add(2 * time.Minute) // node one is silent since then
		h.must(h.installed(lane, second))
		n := h.wantStep(second, registry.RenewalConfirmed)
		if n.Order == nil || n.Order.By != "anna" {
			t.Fatalf("it is not ordered: %+v", n.Order)
		}
		h.pass()
		h.wantStep(second, registry.RenewalConfirmed)
		h.node("one", h.head())
		h.pass()
		h.node("one", h.head())
		h.pass()
		h.wantStep(second, registry.RenewalActive)
		if h.state(first) != registry.Retiring {
			t.Errorf("%s is %s", first, h.state(first))
		}
	})
}

// The file for a partner's Sealane has the certificate too: it leaves when every node has the pair, and
// not while the renewal is held.
func TestPartnerFileWaits(t *testing.T) {
	onBoth(t, func(t *testing.T, h *company) {
		ctx := t.Context()
		lane := lanes.Name{Partner: "socure", Environment: "DEV"}
		h.partner("socure", "riskos", sealane.ClientSide, "DEV", registry.Rotation{Slots: 2})
		h.must(h.installed(lane, h.pair(lane, "riskos", 2048, false)))
		h.node("one", h.head())
		second := h.pairLoadedBy(lane, "riskos", "one")
		export := func() error {
			o := exchange.PartnerFileOptions{
				Target: exchange.Target{KeyPair: second, Partner: "socure"}, Name: "Us",
			}
			return exchange.New(h.anna).Export(ctx, o, func([]byte) error { return nil })
		}
		h.node("one", h.head())
		h.must(export())
		h.now = h.now.Add(2 * time.Minute)
		if _, lacking := errors.AsType[*registry.NotLoadedError](export()); !lacking {
			t.Errorf("it left while a node is silent")
		}
		h.node("one", h.head())
		_, err := renewal.New(h.anna.WithReason("CHG-1")).Hold(ctx, renewal.Name{ID: second})
		h.must(err)
		h.node("one", h.head())
		wantRefused(t, export(), "is held by anna")
	})
}

// What comes next is what the guards ask for.
func TestWhatComesNext(t *testing.T) {
	onBoth(t, func(t *testing.T, h *company) {
		wants := func(key, text string) {
			t.Helper()
			shown, err := renewal.Show(t.Context(), &h.anna.Viewer, renewal.Name{ID: key})
			h.must(err)
			if !strings.Contains(shown.Next.Text, text) {
				t.Errorf("next is %q, want %q", shown.Next.Text, text)
			}
		}
		lane := lanes.Name{Partner: "bank", Environment: "PROD"}
		h.partner("bank", "rdx", sealane.ClientSide, "PROD", registry.Rotation{Slots: 1})
		withKeyID := func(days int) string {
			id := h.approved(lane, h.certificate(2048, days))
			h.must(exchange.New(h.anna).SetKeyID(t.Context(), exchange.KeyIDChange{
				ID: id, KeyID: "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-PROD",
			}))
			return id
		}
		first := withKeyID(700)
		h.must(exchange.New(h.anna).Activate(t.Context(), first))
		second := withKeyID(710)
		wants(second, "agree on a time with bank, who holds one certificate")
		wantRefused(t, h.order(renewal.Name{ID: second}, time.Time{}), "agree on a time with them")
		at := h.now.Add(time.Hour)
		h.must(h.order(renewal.Name{ID: second}, at))
		wants(second, "it is activated at 2026-11-23 13:00 UTC, as anna has ordered")
		h.now = at.Add(25 * time.Hour)
		wants(second, "agree on a time with bank")

		lane = lanes.Name{Partner: "acme", Environment: "PROD"}
		h.partner("acme", "riskos", sealane.ServerSide, "PROD", registry.Rotation{Slots: 2})
		first = h.approved(lane, h.certificate(2048, 700))
		h.must(exchange.New(h.anna).Activate(t.Context(), first))
		second = h.approved(lane, h.certificate(2048, 710))
		wants(second, "order its activation")
		at = h.now.Add(time.Hour)
		h.must(h.order(renewal.Name{ID: second}, at))
		h.now = at.Add(25 * time.Hour)
		wants(second, "the time of its order has passed: order its activation again")
	})
}
