package exchange_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

// The status says who has to act when a successor is due, until one is on its way.
func TestStatusWhenASuccessorIsDue(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	h.partner("beta", "riskos", sealane.ServerSide, "DEV")
	theirs := h.letIn("acme", "STAG", made(t, fresh(t, "due")), "")
	pair, ours := h.pair("riskos", "beta", "DEV")
	_, err := h.anna.Offer(ctx, pairWith(pair.ID, "beta"))
	h.must(err)
	h.must(h.anna.MarkInstalled(ctx, pairWith(pair.ID, "beta")))
	next := func(owner registry.Owner) (found exchange.Next) {
		t.Helper()
		lane := named("beta", "DEV")
		if owner == registry.Theirs {
			lane = named("acme", "STAG")
		}
		list, err := exchange.Status(ctx, h.viewer(), lane)
		h.must(err)
		for _, s := range list {
			if s.Owner == owner && s.State == registry.Active {
				found = s.Next
			}
		}
		return found
	}
	want := func(when string, owner registry.Owner, waits, text string, action registry.Action) {
		t.Helper()
		if got := next(owner); got.Waits != waits || !strings.Contains(got.Text, text) || got.Advice.Action != action {
			t.Errorf("%s: %+v", when, got)
		}
	}
	end := theirs.NotAfter
	if ours.NotAfter.Before(end) {
		end = ours.NotAfter
	}
	h.now = end.AddDate(0, 0, -100)
	for _, owner := range []registry.Owner{registry.Ours, registry.Theirs} {
		want("before", owner, exchange.WaitsForNobody, "nothing is left", "")
	}
	h.now = end.Add(-39 * 24 * time.Hour)
	want("39 days", registry.Theirs, "acme", "ask the partner", registry.ActionExchangeReceive)
	want("39 days", registry.Ours, exchange.WaitsForUs, "its successor is due since", registry.ActionExchangeOffer)
	_, _, err = h.anna.CreateKeyPair(ctx, registry.NewPair{Profile: "riskos", Partner: "beta", Environment: "DEV",
		Bits: 2048, Subject: subject, Renewal: true})
	h.must(err)
	want("a pair is on its way", registry.Ours, exchange.WaitsForUs, "go on with k-", "")
}
