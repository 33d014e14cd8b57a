package renewal_test

import (
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
)

// A partner's certificate is renewed in production: it is staged by the program, activated at the
// ordered time, confirmed by a mail, and the old one is retired when nobody uses it any more.
func TestTheirCertificateIsRenewed(t *testing.T) {
	onBoth(t, func(t *testing.T, h *company) {
		ctx := t.Context()
		lane := lanes.Name{Partner: "acme", Environment: "PROD"}
		h.partner("acme", "riskos", sealane.ServerSide, "PROD",
			registry.Rotation{Slots: 2, Quiet: 3, Retire: registry.RetireDo})
		first := h.approved(lane, h.certificate(2048, 100))
		h.must(exchange.New(h.anna).Activate(ctx, first))
		if report := h.pass(); report.Open != 0 {
			t.Errorf("%+v", report)
		}
		h.now = h.now.AddDate(0, 0, 25)
		h.pass()
		due := h.wantStep(first, registry.RenewalDue)
		if want := h.now.Add(-time.Hour); due.Due.After(h.now) || due.Due.Before(want.AddDate(0, 0, -1)) {
			t.Errorf("due %s", due.Due)
		}
		_, err := renewal.New(h.anna).Asked(ctx, renewal.Name{ID: due.ID})
		h.must(err)
		h.wantStep(first, registry.RenewalAsked)
		second := h.approved(lane, h.certificate(2048, 700))
		if n := h.wantStep(second, registry.RenewalApproved); n.ID != due.ID || n.Replaces != first {
			t.Errorf("it is another renewal: %+v", n)
		}
		wantRefused(t, exchange.New(h.anna).Activate(ctx, second), "is not ordered")
		h.node("one", h.head())
		h.node("two", h.head())
		h.pass()
		h.wantStep(second, registry.RenewalStaged)
		h.node("one", h.head())
		h.now = h.now.Add(20 * time.Second)
		h.pass()
		h.wantStep(second, registry.RenewalStaged) // node two does not have it
		h.node("two", h.head())
		h.node("one", h.head())
		h.pass()
		h.wantStep(second, registry.RenewalLoaded)
		at := h.now.Add(2 * time.Hour)
		h.must(h.order(renewal.Name{ID: second}, at))
		h.now = at.Add(-time.Second)
		h.node("one", h.head())
		h.node("two", h.head())
		h.pass()
		h.wantStep(second, registry.RenewalLoaded)
		h.now = at
		h.pass()
		n := h.wantStep(second, registry.RenewalActive)
		if h.state(first) != registry.Retiring || h.state(second) != registry.Active || n.Order.Released != "cora" {
			t.Errorf("%s and %s, %+v", h.state(first), h.state(second), n.Order)
		}
		// Until the mail is planned, it can be rolled back.
		back := renewal.New(h.anna.WithReason("answers can't be opened, INC-7"))
		_, err = back.RollBack(ctx, renewal.Rollback{Name: renewal.Name{ID: second}})
		h.must(err)
		if h.state(first) != registry.Active || h.state(second) != registry.Staged {
			t.Errorf("%s and %s", h.state(first), h.state(second))
		}
		h.pass()
		h.must(h.order(renewal.Name{ID: second}, time.Time{}))
		h.node("one", h.head())
		h.node("two", h.head())
		h.pass()
		h.node("one", h.head())
		h.node("two", h.head())
		h.pass()
		h.wantStep(second, registry.RenewalActive)
		h.now = h.now.Add(renewal.DefaultDrain)
		h.node("one", h.head())
		h.node("two", h.head())
		h.pass()
		n = h.wantStep(second, registry.RenewalTold)
		if n.Mail == nil || len(n.Mail.To) != 1 || n.Mail.To[0] != "keys@acme.example" {
			t.Fatalf("%+v", n.Mail)
		}
		_, err = back.RollBack(ctx, renewal.Rollback{Name: renewal.Name{ID: second}})
		wantRefused(t, err, "may have ended its old key")
		_, err = renewal.New(h.anna).Sent(ctx, renewal.Name{ID: n.ID})
		h.must(err)
		h.uses("one", second, "acme", lanes.In)
		for range 5 * 24 * 2 {
			h.now = h.now.Add(30 * time.Minute)
			h.node("one", h.head())
			h.node("two", h.head())
			h.pass()
		}
		n = h.wantStep(second, registry.RenewalDone)
		if h.state(first) != registry.Retired {
			t.Errorf("the old one is %s; %+v", h.state(first), n.Evidence)
		}
		h.must(only(h.VerifyRows(ctx)))
	})
}

func only[T any](_ T, err error) error { return err }
