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

// A successor is as large as the key before it, and is valid for longer.
func TestSuccessorsThatAreNone(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	lane := lanes.Name{Partner: "acme", Environment: "DEV"}
	h.partner("acme", "riskos", sealane.ServerSide, "DEV", registry.Rotation{})
	first := h.approved(lane, h.certificate(3072, 500))
	h.must(exchange.New(h.anna).Activate(ctx, first))
	smaller := h.approved(lane, h.certificate(2048, 700))
	wantRefused(t, exchange.New(h.anna).Activate(ctx, smaller), "has 2048 bits, and the key that it replaces has 3072")
	h.must(exchange.New(h.anna.WithReason("it is too small")).Reject(ctx, smaller))
	h.wantStep(first, registry.RenewalDue)
	shorter := h.approved(lane, h.certificate(3072, 400))
	wantRefused(t, exchange.New(h.anna).Activate(ctx, shorter), "before the one that it replaces")
	h.must(exchange.New(h.anna.WithReason("it ends too soon")).Reject(ctx, shorter))
	good := h.approved(lane, h.certificate(3072, 700))
	h.must(exchange.New(h.anna).Activate(ctx, good))
	h.wantStep(good, registry.RenewalActive)
}

// Where the partner holds one certificate, and its refusals do not say why, both sides change at a time
// that is agreed on. The activation is ordered for it.
func TestAppointment(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	lane := lanes.Name{Partner: "bank", Environment: "STAG"}
	h.partner("bank", "rdx", sealane.ClientSide, "STAG", registry.Rotation{Slots: 1})
	named := func(id, key string) string {
		h.t.Helper()
		h.must(exchange.New(h.anna).SetKeyID(ctx, exchange.KeyIDChange{ID: id, KeyID: key}))
		return id
	}
	first := named(h.approved(lane, h.certificate(2048, 100)), "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG")
	h.must(exchange.New(h.anna).Activate(ctx, first))
	second := named(h.approved(lane, h.certificate(2048, 700)), "1234dadc1234b704c1f23dc4-PKE-ACS-New-2048SHA2-STAG")
	h.pass()
	wantRefused(t, h.order(renewal.Name{ID: second}, time.Time{}), "agree on a time with them")
	at := h.now.Add(90 * time.Second)
	h.must(h.order(renewal.Name{ID: second}, at))
	report := h.pass()
	if !report.Next.Equal(at) || renewal.Wake(report.Next, h.now) != renewal.Tick ||
		renewal.Wake(report.Next, h.now.Add(time.Minute)) != 30*time.Second {
		t.Errorf("the next pass is at %s, want %s", report.Next, at)
	}
	h.now = at
	h.pass()
	h.wantStep(second, registry.RenewalActive)
}

// An archived partner's renewal rests, and nothing begins for it.
func TestArchivedPartnersRest(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	lane := lanes.Name{Partner: "acme", Environment: "DEV"}
	h.partner("acme", "riskos", sealane.ServerSide, "DEV", registry.Rotation{})
	h.partner("other", "riskos", sealane.ServerSide, "DEV", registry.Rotation{})
	first := h.approved(lane, h.certificate(2048, 100))
	h.must(exchange.New(h.anna).Activate(ctx, first))
	other := h.approved(lanes.Name{Partner: "other", Environment: "DEV"}, h.certificate(2048, 100))
	h.must(exchange.New(h.anna).Activate(ctx, other))
	h.now = h.now.AddDate(0, 0, 30)
	h.pass()
	h.wantStep(first, registry.RenewalDue)
	h.must(exchange.New(h.anna.WithReason("the contract has ended")).Retire(ctx, first, true))
	h.wantStep(first, registry.RenewalLapsed)
	h.must(h.agreed(h.anna, func(s *registry.Session) error {
		return s.WithReason("the contract has ended").ArchivePartner(ctx, "acme")
	}))
	h.now = h.now.AddDate(0, 0, 20)
	for _, alarm := range h.pass().Alarms {
		if alarm.Partner == "acme" {
			t.Errorf("%+v", alarm)
		}
	}
	h.wantStep(other, registry.RenewalDue)
	h.wantStep(first, registry.RenewalLapsed)
}

// A certificate that ends on its way in has expired, unless only the clock was wrong.
func TestExpiredOnTheirWayIn(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	lane := lanes.Name{Partner: "acme", Environment: "DEV"}
	h.partner("acme", "riskos", sealane.ServerSide, "DEV", registry.Rotation{})
	c := h.approved(lane, h.certificate(2048, 700))
	h.pass()
	now := h.now
	h.now = h.now.AddDate(2, 0, 0) // the clock was set
	h.pass()
	h.now = now.Add(time.Minute)
	h.pass()
	if got := h.state(c); got != registry.Approved {
		t.Errorf("it is %s after the clock was wrong", got)
	}
	h.now = h.now.AddDate(0, 0, 701)
	for range 3 * 24 {
		h.now = h.now.Add(time.Hour)
		h.node("one", h.head()) // without a node nobody watches
		h.pass()
	}
	if got := h.state(c); got != registry.Expired {
		t.Errorf("it is %s, want expired", got)
	}
}
