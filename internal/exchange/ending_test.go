package exchange_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

// foundBy returns what preflight says of one thing, with what to do.
func (h *company) foundBy(partner, environment, name string) registry.Check {
	h.t.Helper()
	checks, _, err := exchange.Preflight(h.t.Context(), h.viewer(), named(partner, environment))
	h.must(err)
	for _, c := range checks {
		if c.Name == name {
			return c
		}
	}
	return registry.Check{}
}

// nextFor returns what status says comes next for a certificate or key pair.
func (h *company) nextFor(partner, environment, id string) exchange.Next {
	h.t.Helper()
	steps, err := exchange.Status(h.t.Context(), h.viewer(), named(partner, environment))
	h.must(err)
	for _, s := range steps {
		if s.Certificate == id || s.KeyPair == id {
			return s.Next
		}
	}
	return exchange.Next{}
}

// A shared pair does not end while a partner was offered it, and may have installed it. The offer
// can be withdrawn, or the pair be ended as the last.
func TestSharedPairOnOfferDoesNotEnd(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		h := newCompany(t, address())
		ctx := t.Context()
		for _, p := range []string{"p1", "p2", "p3"} {
			h.partner(p, "riskos", sealane.ServerSide, "PROD")
		}
		k, _ := h.pair("riskos", "", "PROD")
		for _, p := range []string{"p2", "p3"} {
			h.must(only(h.anna.Offer(ctx, pairWith(k.ID, p))))
		}
		retire := func(last bool) error { return h.anna.WithReason("it was renewed").Retire(ctx, k.ID, last) }
		wantRefused(t, "two", "was offered to p2, p3, who may have installed it", retire(false))
		wantRefused(t, "two", "needs last", retire(false))
		withdraw := func(partner string) error {
			return h.anna.WithReason("it was renewed").Withdraw(ctx, pairWith(k.ID, partner))
		}
		wantRefused(t, "whose", "needs partner", withdraw(""))
		wantRefused(t, "not offered", "is not on offer to p1", withdraw("p1"))
		wantRefused(t, "without a reason", "say why", h.anna.Withdraw(ctx, pairWith(k.ID, "p2")))
		h.must(withdraw("p2"))
		wantRefused(t, "withdrawn", "was not offered to p2", h.anna.MarkInstalled(ctx, pairWith(k.ID, "p2")))
		wantRefused(t, "one", "was offered to p3, who", retire(false))
		h.must(h.anna.MarkInstalled(ctx, pairWith(k.ID, "p3")))
		wantRefused(t, "installed", "p3 has installed key pair", withdraw("p3"))
		wantRefused(t, "in use", "the one that p3 use", retire(false))
		h.undone(k.ID, "p3", registry.Active)
		h.must(withdraw("p3"))
		h.must(retire(false))

		other := h.renewal("PROD")
		h.must(only(h.anna.Offer(ctx, pairWith(other.ID, "p1"))))
		h.must(h.anna.WithReason("the contract ends").Retire(ctx, other.ID, true))
	})
}

// From a pair of one's own to the shared one, and back: the last confirmed is active, and the
// other can be retired without more.
func TestFromAnOwnPairToTheSharedOne(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		h := newCompany(t, address())
		ctx := t.Context()
		h.partner("p1", "riskos", sealane.ServerSide, "PROD")
		own, _ := h.pair("riskos", "p1", "PROD")
		h.installed(own.ID, "p1")
		shared, _ := h.pair("riskos", "", "PROD")
		h.must(only(h.anna.Offer(ctx, pairWith(shared.ID, "p1"))))
		if a, b := h.stateFor("p1", own), h.stateFor("p1", shared); a != "active" || b != "staged" {
			t.Errorf("before: %s, %s", a, b)
		}
		said := func(pair, other registry.KeyPair, before string, act func() error) {
			t.Helper()
			h.must(act())
			state, _, err := exchange.StandingOf(ctx, h.viewer(), pair.ID, "p1")
			h.must(err)
			if a, b := h.stateFor("p1", pair), h.stateFor("p1", other); a != "active" || b != before ||
				state != registry.Active {
				t.Errorf("confirmed: %s and the other %s; it is said to be %s", a, b, state)
			}
			wantRefused(t, "the active one", "needs last",
				h.anna.WithReason("it was renewed").Retire(ctx, pair.ID, false))
		}
		installed := func() error { return h.anna.MarkInstalled(ctx, pairWith(shared.ID, "p1")) }
		said(shared, own, "retiring", installed)
		said(own, shared, "staged", func() error { return h.anna.rollBack(ctx, shared.ID, "p1") })
		said(shared, own, "retiring", installed)
		h.must(h.anna.WithReason("it was replaced").Retire(ctx, own.ID, false))
		if got := h.stateFor("p1", shared); got != "active" {
			t.Errorf("after: %s", got)
		}
	})
}

// The last pair of ours that a lane can use does not end unawares, though it is only retiring. What
// is missing is said by the answer, by status and by preflight.
func TestOurLastUsablePair(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		h := newCompany(t, address())
		ctx := t.Context()
		h.partner("p1", "riskos", sealane.ServerSide, "PROD")
		first, _ := h.pair("riskos", "p1", "PROD")
		h.installed(first.ID, "p1")
		second, _, err := h.anna.CreateKeyPair(ctx,
			registry.NewPair{Profile: "riskos", Partner: "p1", Environment: "PROD",
				Bits: 2048, Subject: subject, Renewal: true})
		h.must(err)
		h.installed(second.ID, "p1")
		h.must(h.anna.WithReason("it leaked").Revoke(ctx, second.ID))
		_, next, err := exchange.StandingOf(ctx, h.viewer(), second.ID, "")
		if err != nil || !strings.HasPrefix(next.Text, "no active key: go on with "+first.ID) {
			t.Errorf("the answer: %+v, %v", next, err)
		}
		next = h.nextFor("p1", "PROD", first.ID)
		if !strings.HasPrefix(next.Text, "no active key: ") || next.Advice.Action != registry.ActionKeyInstalled ||
			next.Advice.ID != first.ID {
			t.Errorf("status: %+v", next)
		}
		if c := h.foundBy("p1", "PROD", "our key pair"); c.Level != cert.Refused || !strings.HasPrefix(c.Found,
			"no active key: "+first.ID+" is retiring") || c.Next.Action != registry.ActionKeyInstalled {
			t.Errorf("preflight: %+v", c)
		}
		wantRefused(t, "the last", "is the last that p1 can use, because none is active",
			h.anna.WithReason("it was renewed").Retire(ctx, first.ID, false))
		h.must(h.anna.MarkInstalled(ctx, exchange.Target{KeyPair: first.ID}))
		if got := h.stateFor("p1", first); got != "active" {
			t.Errorf("again: %s", got)
		}
		h.now = h.now.Add(time.Minute)
		h.must(h.anna.WithReason("the contract ends").Retire(ctx, first.ID, true))
		_, next, err = exchange.StandingOf(ctx, h.viewer(), first.ID, "")
		if err != nil || next.Text != "no active key: offer a new one" ||
			next.Advice.Action != registry.ActionExchangeOffer {
			t.Errorf("the answer: %+v, %v", next, err)
		}
		if next := h.nextFor("p1", "PROD", first.ID); next.Text != "no active key: offer a new one" {
			t.Errorf("status: %+v", next)
		}
		if c := h.foundBy("p1", "PROD", "our key pair"); !strings.HasPrefix(c.Found,
			"no active key: the last one, "+first.ID) {
			t.Errorf("preflight: %+v", c)
		}
	})
}

// The same of a partner's certificates.
func TestTheirLastUsableCertificate(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		h := newCompany(t, address())
		ctx := t.Context()
		h.partner("acme", "riskos", sealane.ServerSide, "PROD")
		first := h.letIn("acme", "PROD", made(t, fresh(t, "r1"), signsToo), "")
		second := h.letIn("acme", "PROD", made(t, fresh(t, "r2"), signsToo), "")
		h.must(h.anna.WithReason("it leaked").Revoke(ctx, second.ID))
		_, next, err := exchange.StandingOf(ctx, h.viewer(), second.ID, "")
		if err != nil || next.Text != "no active certificate: go on with "+first.ID {
			t.Errorf("the answer: %+v, %v", next, err)
		}
		next = h.nextFor("acme", "PROD", first.ID)
		if !strings.HasPrefix(next.Text, "no active certificate: ") ||
			next.Advice.Action != registry.ActionExchangeActivate ||
			next.Advice.ID != first.ID {
			t.Errorf("status: %+v", next)
		}
		if c := h.foundBy("acme", "PROD", "their certificate"); c.Level != cert.Refused || !strings.HasPrefix(c.Found,
			"no active certificate: "+first.ID+" is retiring") || c.Next.Action != registry.ActionExchangeActivate {
			t.Errorf("preflight: %+v", c)
		}
		retire := func(last bool) error { return h.anna.WithReason("it was replaced").Retire(ctx, first.ID, last) }
		wantRefused(t, "the last", "is the last that acme can use in PROD", retire(false))
		wantRefused(t, "the last", "needs last", retire(false))
		h.must(h.anna.Activate(ctx, first.ID))
		wantRefused(t, "the active one", "is in use", retire(false))
		h.must(retire(true))
		_, next, err = exchange.StandingOf(ctx, h.viewer(), first.ID, "")
		if err != nil || !strings.HasPrefix(next.Text, "no active certificate: ask for a new one") {
			t.Errorf("the answer: %+v, %v", next, err)
		}
	})
}

// A staged certificate that has expired has a way out: it frees its place, and the lane can end.
func TestStagedCertificateThatExpired(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		h := newCompany(t, address())
		ctx := t.Context()
		h.partner("acme", "riskos", sealane.ServerSide, "PROD")
		staged := func(name string) registry.Certificate {
			c, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "PROD",
				Data: made(t, fresh(t, name), signsToo)})
			h.must(err)
			h.must(only(h.anna.MatchChecksum(ctx, checksumOf(c))))
			h.must(h.cora.Approve(ctx, c.ID, exchange.Approval{Change: "CHG-1", CallBack: called(c)}))
			h.must(h.anna.Stage(ctx, c.ID))
			return c
		}
		first, second := staged("pile 0"), staged("pile 1")
		active := h.letIn("acme", "PROD", made(t, fresh(t, "pile 2"), signsToo), "")
		h.now = first.NotAfter.Add(time.Second)
		wantRefused(t, "activate", "has expired on", h.anna.Activate(ctx, first.ID))
		h.must(h.anna.WithReason("it has expired").Retire(ctx, first.ID, false))
		if c := h.certificate(first.ID); c.State != registry.Expired {
			t.Errorf("it is %s", c.State)
		}
		h.must(h.anna.WithReason("the contract ends").Retire(ctx, active.ID, true))
		for _, id := range []string{second.ID, active.ID} {
			if c := h.certificate(id); c.State != registry.Expired {
				t.Errorf("%s is %s", id, c.State)
			}
		}
		h.wantLane("acme", "PROD", "")
	})
}
