package renewal_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
	"github.com/sealane/sealane/internal/store"
)

// For twenty days after it was told, a partner signs with its old key on one machine. Its messages are accepted and
// counted, a warning says so, and the old key is not quiet until twenty days and those that the environment asks for
// have gone by.
func TestLateMessages(t *testing.T) {
	t.Parallel()
	l := newLooking(t, "riskos", sealane.ServerSide, registry.Theirs)
	l.next(720)
	l.pass()
	l.nodePass()
	l.must(l.order(l.last(), time.Time{}))
	l.confirmed()
	l.after(time.Hour)
	old, usage := l.ids[0], &lanes.UsageRecorder{}
	snap, err := l.Lanes().Read(t.Context(), l.now)
	l.must(err)
	lane, err := snap.Lane(l.lane)
	l.must(err)
	for day := range 20 {
		for _, by := range []int{0, 1} {
			m, err := lane.OpenMessage(t.Context(), l.sealed(0, by))
			if err != nil {
				t.Fatalf("day %d, key %d: %v", day, by+1, err)
			}
			usage.Opened(m, snap.Keys(l.lane), l.now)
		}
		l.must(only(usage.WriteKeys(t.Context(), l.Store, "one", "p-one", l.now, true)))
		report := l.hours(24)
		if n := l.renewal(old); n.Step != registry.RenewalTold || !n.QuietAt.IsZero() {
			t.Fatalf("day %d: it is %s", day, n.Step)
		}
		if !told(report.Wait, old+" is still used, last at ") {
			t.Errorf("day %d: %+v", day, report.Wait)
		}
	}
	l.must(l.Store.View(t.Context(), func(tx registry.Reader) error {
		uses, err := tx.KeyUsage(old, "acme")
		if len(uses) != 1 || uses[0].Count != 20 || uses[0].Direction != lanes.In {
			t.Errorf("%+v", uses)
		}
		return err
	}))
	l.hours(3 * 24)
	l.wantStep(old, registry.RenewalQuiet)
}

// Five times in ten years a partner's certificate is renewed. Never more than two count, and none is forgotten. The
// old ones are ended by a person to whom it is proposed, by the program, or by a person whom only the end of the
// overlap reminds.
func TestFiveRenewals(t *testing.T) {
	t.Parallel()
	for _, policy := range []registry.Retire{registry.RetirePropose, registry.RetireDo, registry.RetireNever} {
		t.Run(string(policy), func(t *testing.T) {
			h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
			lane := lanes.Name{Partner: "acme", Environment: "PROD"}
			h.partner("acme", "riskos", sealane.ServerSide, "PROD",
				registry.Rotation{Slots: 2, Quiet: 2, Overlap: 10, Retire: policy})
			old := h.approved(lane, h.certificate(2048, 728))
			h.must(exchange.New(h.anna).Activate(t.Context(), old))
			began := h.now
			for range 5 {
				h.now = h.now.AddDate(2, 0, -75) // the lead
				h.hours(2)
				h.wantStep(old, registry.RenewalDue)
				next := h.approved(lane, h.certificate(2048, 728))
				h.hours(2)
				h.must(h.order(renewal.Name{ID: next}, time.Time{}))
				h.hours(2)
				h.must(only(renewal.New(h.anna).Sent(t.Context(), renewal.Name{ID: next})))
				h.uses("one", next, "acme", lanes.In)
				h.counts(2)
				report := h.hours(4 * 24)
				switch policy {
				case registry.RetirePropose:
					if !told(report.Wait, old+" can be retired: nobody uses it") {
						t.Errorf("it is not proposed: %+v", report.Wait)
					}
					h.must(h.retire(old, ""))
				case registry.RetireNever:
					if told(report.Wait, "can be retired") || !told(report.Alarms, "the overlap ends on") {
						t.Errorf("%+v", report)
					}
					if report = h.hours(8 * 24); !told(report.Alarms, old+" still counts") {
						t.Errorf("%+v", report)
					}
					h.must(h.retire(old, ""))
				}
				h.wantStep(next, registry.RenewalDone)
				h.counts(1)
				old = next
			}
			if years := h.now.Sub(began).Hours() / 24 / 365; years < 8 {
				t.Errorf("%.1f years", years)
			}
			h.must(only(h.VerifyRows(t.Context())))
		})
	}
}

// counts fails the test if another number of the partner's certificates counts, or if not one of them is active.
func (h *company) counts(want int) {
	h.t.Helper()
	h.must(h.Store.View(h.t.Context(), func(tx registry.Reader) error {
		all, err := tx.Certificates(registry.CertificateQuery{
			Owner: registry.Theirs, Partner: "acme", States: registry.StatesInUse,
		})
		active := 0
		for _, c := range all {
			if c.State == registry.Active {
				active++
			}
		}
		if len(all) != want || active != 1 {
			h.t.Errorf("%d certificates count, %d of them active", len(all), active)
		}
		return err
	}))
}

// A backup of last month is restored while nodes have what came after it. Nothing is activated again, also not what
// was ordered then. What counts is what counted then, so both keys are accepted. A node that has a later record than
// the database does not count as one that has the key, until it has read the restored registry.
func TestRestoredBackupOfLastMonth(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *company) {
		ctx := t.Context()
		first, second := h.renewed(registry.Rotation{Slots: 2, Quiet: 2})
		h.must(h.order(renewal.Name{ID: second}, h.now.Add(time.Hour)))
		backup := filepath.Join(t.TempDir(), "backup")
		h.must(h.Store.(*store.Store).Backup(ctx, backup))
		h.now = h.now.Add(time.Hour)
		h.hours(4)
		if got := h.states(first, second); got != "retiring active" {
			t.Fatal(got)
		}
		h.must(only(renewal.New(h.anna).Sent(ctx, renewal.Name{ID: second})))
		h.now = h.now.AddDate(0, 1, 0)
		h.must(h.retire(first, ""))
		later := h.head()

		address := "sqlite:" + filepath.Join(t.TempDir(), "restored.db")
		h.must(only(store.Restore(ctx, address, backup, store.Options{})))
		s, err := store.Open(ctx, address, store.Options{})
		h.must(err)
		t.Cleanup(func() { s.Close() })
		root := h.Root
		h.Registry = &registry.Registry{Store: s, Root: root, Now: func() time.Time { return h.now }}
		h.schedule = &renewal.Scheduler{Registry: h.Registry, Holder: "two"}
		h.anna, h.cora = h.login(h.tokens["anna"]), h.login(h.tokens["cora"])
		h.node("one", later)
		unchanged := func(why string) {
			t.Helper()
			if report := h.pass(); !told(report.Alarms, why) {
				t.Errorf("%+v", report)
			}
			if got := h.states(first, second); got != "active staged" {
				t.Errorf("%s: %s", why, got)
			}
		}
		unchanged(`is not loaded by node "one"`)
		h.node("one", h.head())
		unchanged("that time has passed: order it again")
		snap, err := h.Lanes().Read(ctx, h.now)
		h.must(err)
		lane, err := snap.Lane(lanes.Name{Partner: "acme", Environment: "PROD"})
		h.must(err)
		if len(lane.Theirs()) != 2 {
			t.Errorf("%d certificates verify", len(lane.Theirs()))
		}
		h.must(h.order(renewal.Name{ID: second}, time.Time{}))
		if got := h.states(first, second); got != "retiring active" {
			t.Errorf("after another order: %s", got)
		}
		h.must(only(h.VerifyRows(ctx)))
	})
}
