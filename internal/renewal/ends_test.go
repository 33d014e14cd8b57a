package renewal_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
)

// retire ends the use of a key, with the partner's word where there is one.
func (h *company) retire(id, said string) error {
	return h.agreed(h.anna.WithReason("CHG-4713"), func(s *registry.Session) error {
		return exchange.New(s).End(h.t.Context(), exchange.Ending{ID: id, Said: said})
	})
}

func (h *company) next(key string) exchange.Next {
	h.t.Helper()
	shown, err := renewal.Show(h.t.Context(), &h.anna.Viewer, renewal.Name{ID: key})
	h.must(err)
	return shown.Next
}

// A pair of ours that is retired after the end of its certificate has expired. Nothing else is different: that is
// undone, or its private key is destroyed 30 days later.
func TestOurPairExpires(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *company) {
		ctx := t.Context()
		lane, first, _ := acme(t, h, registry.Rotation{Slots: 2})
		h.now = h.now.AddDate(1, 6, 0)
		second := h.pair(lane, "riskos", 2048, true)
		h.must(h.installed(lane, second))
		h.must(h.order(renewal.Name{ID: second}, time.Time{}))
		h.now = h.now.AddDate(0, 6, 2)
		h.must(h.retire(first, ""))
		h.wantStep(second, registry.RenewalDone)
		destroy := func() error {
			return h.agreed(h.anna.WithReason("CHG-4714"), func(s *registry.Session) error {
				return s.MovePair(ctx, first, registry.Destroyed, false)
			})
		}
		wantRefused(t, destroy(), "its private key can be destroyed from")
		if got := h.state(first); got != registry.Expired {
			t.Fatalf("it is %s", got)
		}
		h.must(only(exchange.New(h.anna.WithReason("a late message")).Undo(ctx, first, "")))
		if got := h.state(first); got != registry.Retiring {
			t.Errorf("it is %s", got)
		}
		h.must(h.retire(first, ""))
		h.now = h.now.AddDate(0, 0, registry.DestroyAfter+1)
		h.must(destroy())
		if got := h.state(first); got != registry.Destroyed {
			t.Errorf("it is %s", got)
		}
		h.must(only(h.VerifyRows(ctx)))
	})
}

// Until the partner has the mail that its new certificate is in use, it may use the old one. A person retires that
// with the partner's word only.
func TestPartnerIsToldFirst(t *testing.T) {
	t.Parallel()
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	first, second := h.renewed(registry.Rotation{Slots: 2})
	h.must(h.order(renewal.Name{ID: second}, time.Time{}))
	err := h.retire(first, "")
	wantRefused(t, err, "acme may still use certificate "+first+", because it was not told that "+second+" is in use")
	if a := registry.AdviceIn(err); len(a.Needs) != 1 || a.Needs[0] != registry.Word {
		t.Errorf("the advice is %+v", a)
	}
	h.node("one", h.head())
	h.pass()
	h.now = h.now.Add(renewal.DefaultDrain)
	h.node("one", h.head())
	h.pass()
	wantRefused(t, h.retire(first, ""), "its mail was planned on 2026-11-23, and nobody has sent it")
	if h.state(first) != registry.Retiring {
		t.Fatalf("it is %s", h.state(first))
	}
	h.must(only(renewal.New(h.anna).Sent(t.Context(), renewal.Name{ID: second})))
	h.must(h.retire(first, ""))

	h = newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	first, second = h.renewed(registry.Rotation{Slots: 2})
	h.must(h.order(renewal.Name{ID: second}, time.Time{}))
	h.must(h.retire(first, "Eva Lind by telephone: they have dropped it"))
}

// A third certificate follows the second, before the partner was told that the second is in use. Nothing that counts
// is forgotten: the first waits for a person, who is told so. One is active at each time.
func TestThirdCertificate(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *company) {
		lane := lanes.Name{Partner: "acme", Environment: "PROD"}
		first, second := h.renewed(registry.Rotation{Slots: 2})
		h.must(h.order(renewal.Name{ID: second}, time.Time{}))
		superseded := h.wantStep(second, registry.RenewalActive)
		third := h.approved(lane, h.certificate(2048, 725))
		for range 2 {
			h.node("one", h.head())
			h.pass()
		}
		if n := h.wantStep(third, registry.RenewalLoaded); n.Replaces != second {
			t.Errorf("%+v", n)
		}
		if got := h.next(third); !strings.Contains(got.Text, "order its activation") {
			t.Errorf("next is %+v", got)
		}
		h.must(h.order(renewal.Name{ID: third}, time.Time{}))
		if got := fmt.Sprint(h.state(first), h.state(second), h.state(third)); got != "retiringretiringactive" {
			t.Fatal(got)
		}
		h.must(h.Store.View(t.Context(), func(tx registry.Reader) (err error) {
			superseded, err = tx.Renewal(superseded.ID)
			return err
		}))
		if superseded.Step != registry.RenewalSuperseded {
			t.Errorf("it is %s", superseded.Step)
		}
		h.node("one", h.head())
		got := h.next(third)
		if got.Waits != exchange.WaitsForUs || got.Advice.ID != first ||
			!strings.HasPrefix(got.Text, first+" still counts from before "+second) {
			t.Errorf("next is %+v", got)
		}
		wantRefused(t, h.retire(first, ""), "was not told that "+second+" is in use")
		h.pass()
		h.now = h.now.Add(renewal.DefaultDrain)
		h.node("one", h.head())
		h.pass()
		h.must(only(renewal.New(h.anna).Sent(t.Context(), renewal.Name{ID: third})))
		if got := h.next(third); got.Advice.ID != first {
			t.Errorf("next is %+v", got)
		}
		h.must(h.retire(first, ""))
		if got := h.next(third); got.Waits != exchange.WaitsForNobody {
			t.Errorf("next is %+v", got)
		}
		h.must(h.retire(second, ""))
		h.wantStep(third, registry.RenewalDone)
	})
}

// counting counts how often the open requests are read.
type counting struct {
	registry.Reader
	requests *int
}

func (c counting) Requests(q registry.RequestQuery) ([]registry.Request, error) {
	*c.requests++
	return c.Reader.Requests(q)
}

// What comes next in many renewals takes one query of the requests that are open.
func TestRequestsAreReadOnce(t *testing.T) {
	t.Parallel()
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	_, second := h.renewed(registry.Rotation{Slots: 2})
	h.must(h.Store.View(t.Context(), func(tx registry.Reader) error {
		n, requests := h.renewal(second), 0
		_, err := renewal.Standings(counting{tx, &requests}, []registry.Renewal{n, n, n, n}, h.now)
		if requests != 1 {
			t.Errorf("the requests are read %d times", requests)
		}
		return err
	}))
}

// The successor of a pair that partners share is due as early as the one needs it who asks for most.
func TestLeadOfASharedPair(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *company) {
		shared := registry.NewPair{Profile: "riskos", Environment: "PROD", Bits: 2048, Subject: ourSubject}
		pair, _, err := h.anna.CreateKeyPair(t.Context(), shared)
		h.must(err)
		began := h.now
		for id, lead := range map[string]int{"most": 200, "less": 100, "none": 0} {
			h.partner(id, "riskos", sealane.ServerSide, "PROD", registry.Rotation{Lead: lead})
			lane := lanes.Name{Partner: id, Environment: "PROD"}
			h.must(h.offer(lane, pair.ID))
			h.must(h.installed(lane, pair.ID))
		}
		due := began.AddDate(2, 0, -200)
		h.now = due.Add(-2 * time.Hour)
		h.pass()
		if n := h.shared(); n.ID != "" {
			t.Errorf("a renewal has begun: %+v", n)
		}
		h.now = due.Add(2 * time.Hour)
		h.schedule.Operations = []string{operations}
		if report := h.pass(); report.Notices != 1 {
			t.Errorf("%d notices at the lead, want one to our own people", report.Notices)
		}
		n := h.shared()
		if n.Step != registry.RenewalDue || n.Due.Sub(due).Abs() > time.Hour {
			t.Errorf("%+v", n)
		}
	})
}

// shared returns the renewal of the pair that partners share.
func (h *company) shared() (n registry.Renewal) {
	h.t.Helper()
	h.must(h.Store.View(h.t.Context(), func(tx registry.Reader) error {
		all, err := tx.Renewals(registry.RenewalQuery{Shared: true})
		if len(all) > 0 {
			n = all[0]
		}
		return err
	}))
	return n
}
