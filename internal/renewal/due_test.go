package renewal_test

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testkey"
)

// The schedule begins a renewal when the status says that a successor is due: two years after the key
// was there, less the lead, although its certificate is for three and came in late.
func TestDueAsTheStatusSays(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/registry.db")
	ctx, lane := t.Context(), lanes.Name{Partner: "acme", Environment: "SANDBOX"}
	h.partner("acme", "riskos", sealane.ServerSide, "SANDBOX", registry.Rotation{Lead: 30})
	h.now = h.now.Truncate(time.Second)
	began := h.now.AddDate(-1, 0, 0)
	template, err := x509.ParseCertificate(h.certificate(2048, 100))
	h.must(err)
	template.NotBefore, template.NotAfter, template.PublicKey = began, began.AddDate(3, 0, 0), nil
	key := testkey.RSA(t, "renewal of three years", 2048)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	h.must(err)
	e := exchange.New(h.anna)
	c, _, err := e.Receive(ctx, exchange.Incoming{Partner: lane.Partner, Environment: lane.Environment, Data: der,
		Waive: map[string]string{"validity-length": "their CA issues for three years"}})
	h.must(err)
	sum := sha256.Sum256(der)
	_, err = e.MatchChecksum(ctx, exchange.Comparison{Certificate: c.ID, Checksum: hex.EncodeToString(sum[:])})
	h.must(err)
	h.must(exchange.New(h.cora).Approve(ctx, c.ID, exchange.Approval{Grant: []string{"validity-length"}}))
	h.must(e.Activate(ctx, c.ID))
	steps, err := exchange.Status(ctx, &h.anna.Viewer, lane)
	h.must(err)
	due := steps[0].Due
	if want := began.AddDate(2, 0, -30); !due.Equal(want) {
		t.Fatalf("the status says %s, want %s", due, want)
	}
	h.now = due.Add(-time.Second)
	h.pass()
	if n := h.renewal(c.ID); n.ID != "" {
		t.Errorf("a renewal has begun a second before: %+v", n)
	}
	h.now = due
	h.pass()
	if n := h.wantStep(c.ID, registry.RenewalDue); !n.Due.Equal(due) {
		t.Errorf("the renewal says %s", n.Due)
	}
}

// One pass begins all renewals that are due, also of a schedule that was just started, as a timer does.
func TestDueOfMany(t *testing.T) {
	t.Parallel()
	const many = 1_010 // more than two pages
	h := newCompany(t, "sqlite:"+t.TempDir()+"/registry.db")
	h.must(h.Store.Update(t.Context(), func(tx registry.Tx) (err error) {
		for i := 0; i < many && err == nil; i++ {
			err = h.filled(tx, i, 60, true)
		}
		return err
	}))
	if report := h.pass(); len(report.Done) != 1_000 || !report.More {
		t.Errorf("%d steps: %v", len(report.Done), report.Alarms)
	}
	if report := h.pass(); report.Open != many || report.Steps["due"] != many || report.Notices != 0 {
		t.Errorf("%d are open: %v", report.Open, report.Steps)
	}
}

// An environment may begin to look for a successor earlier than contacts are asked, and may change that.
func TestLongLead(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *company) {
		h.partner("early", "riskos", sealane.ServerSide, "SANDBOX", registry.Rotation{Lead: 200})
		early := lanes.Name{Partner: "early", Environment: "SANDBOX"}
		first := h.approved(early, h.certificate(2048, 300))
		h.must(exchange.New(h.anna).Activate(t.Context(), first))
		changed := h.sealed("changed", "SANDBOX", 300)
		for _, days := range []int{201, 200} {
			h.now = registry.DaysBefore(h.endOf(first), days)
			h.pass()
			if open := h.renewal(first).ID != ""; open != (days == 200) {
				t.Errorf("%d days before the end, open: %v", days, open)
			}
		}
		if h.renewal(changed).ID != "" {
			t.Error("the other one is open")
		}
		var seen registry.Environment
		h.must(h.Store.View(t.Context(), func(tx registry.Reader) (err error) {
			seen, err = tx.Environment("changed", "SANDBOX")
			return err
		}))
		h.must(h.agreed(h.anna, func(s *registry.Session) error {
			return s.ChangeEnvironment(t.Context(), seen, func(e *registry.Environment) error {
				e.Rotation.Lead = 250
				return nil
			})
		}))
		h.pass()
		h.wantStep(changed, registry.RenewalDue)
	})
}
