package renewal_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/mail"
	"slices"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/notify"
	"github.com/sealane/sealane/internal/notify/smtptest"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
)

// pairOf is a company with two schedulers, of which one is ended in the middle of many passes.
type pairOf struct {
	*posts
	schedulers  [2]*renewal.Scheduler
	rand        *rand.Rand
	start       time.Time
	day         int
	born, ended int             // schedulers
	seen        map[string]bool // mails, by their Message-ID
	used        string          // the key that the partner uses, if any
}

func (h *company) schedulers(t testing.TB, seed uint64) *pairOf {
	t.Helper()
	d := &pairOf{
		posts: h.sends(t, smtptest.New(t, smtptest.Options{})), rand: rand.New(rand.NewPCG(seed, 0)), start: h.now,
		seen: map[string]bool{},
	}
	for i := range d.schedulers {
		d.schedulers[i] = d.scheduler()
	}
	return d
}

func (d *pairOf) scheduler() *renewal.Scheduler {
	d.born++
	outbox := *d.outbox
	outbox.Holder = fmt.Sprintf("scheduler %d", d.born)
	return &renewal.Scheduler{
		Registry: d.Registry, Holder: outbox.Holder, Operations: d.outbox.Config.Operations, Outbox: &outbox,
	}
}

// turn is a pass of one of them. Sometimes it is ended at a statement: then another process takes its place, and
// the other one works when the claim is over.
func (d *pairOf) turn() {
	d.t.Helper()
	first := d.rand.IntN(2)
	if d.rand.IntN(4) == 0 {
		ctx, end := context.WithCancel(d.t.Context())
		left := 1 + d.rand.IntN(30)
		d.traced = func(string) {
			if left--; left == 0 {
				end()
			}
		}
		_, err := d.schedulers[first].Pass(ctx)
		d.traced = nil
		end()
		if left > 0 {
			d.must(err)
			return
		}
		d.ended++
		d.schedulers[first] = d.scheduler()
		d.now = d.now.Add(renewal.Tick + time.Second)
		first = 1 - first
	}
	_, err := d.schedulers[first].Pass(d.t.Context())
	d.must(err)
}

// days runs both until some days before an instant, and returns the mails.
func (d *pairOf) days(end time.Time, left int) (lines []string) {
	d.t.Helper()
	for d.now.Before(registry.DaysBefore(end, left)) {
		d.day++
		d.now = d.start.AddDate(0, 0, d.day)
		if d.now.After(registry.DaysBefore(end, 90)) { // nothing depends on nodes before
			d.node("gw-1", d.head())
		}
		d.turn()
		lines = append(lines, d.new(end)...)
	}
	return lines
}

// observed lets days pass in hours, while a node counts that the partner uses a key.
func (d *pairOf) observed(days int, end time.Time) (lines []string) {
	d.t.Helper()
	for range days {
		for hour := range 24 {
			d.now = d.start.AddDate(0, 0, d.day).Add(time.Duration(hour+1) * time.Hour)
			d.node("gw-1", d.head())
			d.uses("gw-1", d.used, "acme", lanes.In)
			_, err := d.schedulers[hour%2].Pass(d.t.Context())
			d.must(err)
			d.must(d.schedulers[hour%2].Release(d.t.Context()))
		}
		d.day++
		lines = append(lines, d.new(end)...)
	}
	return lines
}

// new returns the mails that came since the last call. One that came twice has the same bytes, and counts once.
func (d *pairOf) new(end time.Time) (lines []string) {
	d.t.Helper()
	for _, m := range d.server.Mails()[d.told:] {
		d.told++
		read, err := mail.ReadMessage(bytes.NewReader(m.Data))
		d.must(err)
		if id := read.Header.Get("Message-ID"); !d.seen[id] {
			d.seen[id] = true
			l, err := m.Letter()
			d.must(err)
			lines = append(lines, d.line(end, m.To, l.Subject))
		}
	}
	slices.Sort(lines)
	return lines
}

// For two years, day by day, two schedulers work, of which one is ended in the middle of many passes. A
// partner's certificate ends: it is asked, a mail comes back, the partner answers late, the old certificate counts
// until nobody uses it, and is retired. Each mail comes on its day, and once.
func TestTwoYearsOfTheirs(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *company) {
		lane := lanes.Name{Partner: "acme", Environment: "SANDBOX"}
		h.partner("acme", "riskos", sealane.ServerSide, "SANDBOX",
			registry.Rotation{Slots: 2, Quiet: 3, Retire: registry.RetireDo})
		h.threeContacts(lane)
		first := h.approved(lane, h.certificate(2048, 729))
		h.must(exchange.New(h.anna).Activate(t.Context(), first))
		d, end := h.schedulers(t, 17), h.endOf(first)

		d.want(d.days(end, 60), "120 "+primary+" contacts", "75 "+primary+" send", "60 "+primary+" send")
		var asked registry.Mail
		h.must(h.Store.View(t.Context(), func(tx registry.Reader) error {
			all, err := tx.Mails(registry.MailQuery{Partner: "acme", To: primary})
			for _, m := range all {
				if m.Planned.After(asked.Planned) {
					asked = m
				}
			}
			return err
		}))
		_, err := renewal.Bounce(t.Context(), h.Program(), notify.Bounce{
			MessageID: asked.MessageID, Recipient: primary, Status: "5.1.1", Permanent: true,
		})
		h.must(err)
		d.want(d.days(end, 31), "59 "+alternate+" send, "+operations+" escalation")
		d.want(d.days(end, 20),
			"30 "+primary+" send, "+alternate+" send, "+support+" send, "+operations+" escalation")

		second := h.approved(lane, h.certificate(2048, 729))
		d.want(d.days(end, 13), "19 "+operations+" internal", "14 "+operations+" internal")
		h.must(h.order(renewal.Name{ID: second}, time.Time{}))
		d.want(d.days(end, 10), "10 "+primary+" in use")
		h.wantStep(second, registry.RenewalTold)
		d.used = first
		d.want(d.observed(4, end))
		h.wantStep(second, registry.RenewalTold) // the partner uses the old one
		d.used = second
		d.want(d.observed(5, end))
		n := h.wantStep(second, registry.RenewalDone)
		if got := h.states(first, second); got != "retired active" || !n.Mail.Sent.Before(n.Closed) {
			t.Errorf("%s, told on %s, and over on %s", got, n.Mail.Sent, n.Closed)
		}
		d.over()
	})
}

// over checks that the registry holds, and that schedulers were ended.
func (d *pairOf) over() {
	d.t.Helper()
	report, err := d.VerifyRows(d.t.Context())
	if err != nil || !report.Holds {
		d.t.Errorf("%v: %+v", err, report.Findings)
	}
	if d.ended < 50 {
		d.t.Errorf("only %d schedulers were ended in a pass", d.ended)
	}
	d.t.Logf("%d days, %d schedulers were ended in a pass", d.day, d.ended)
}

// The same with a key pair of ours, until its private key is destroyed.
func TestTwoYearsOfOurs(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *company) {
		lane := lanes.Name{Partner: "acme", Environment: "SANDBOX"}
		h.partner("acme", "riskos", sealane.ServerSide, "SANDBOX",
			registry.Rotation{Slots: 2, Quiet: 3, Retire: registry.RetireDo})
		h.threeContacts(lane)
		first := h.pair(lane, "riskos", 2048, false)
		h.must(h.installed(lane, first))
		d, end := h.schedulers(t, 18), h.endOf(first)

		d.want(d.days(end, 66), "120 "+primary+" contacts", "75 "+operations+" internal")
		second := h.pairLoadedBy(lane, "riskos", "gw-1")
		d.want(d.days(end, 29), "65 "+primary+" install", "60 "+primary+" install",
			"45 "+alternate+" install",
			"30 "+primary+" install, "+alternate+" install, "+support+" install, "+operations+" escalation")
		h.must(h.installed(lane, second))
		d.want(d.days(end, 20))
		h.wantStep(second, registry.RenewalActive)
		d.used = second
		d.want(d.observed(5, end))
		h.wantStep(second, registry.RenewalDone)
		if got := h.states(first, second); got != "retired active" {
			t.Errorf("the pairs are %s", got)
		}
		destroy := func() error {
			return h.anna.WithReason("nobody needs it").MovePair(t.Context(), first, registry.Destroyed, false)
		}
		wantRefused(t, destroy(), "its private key can be destroyed from")
		d.want(d.days(end, -20))
		h.must(destroy())
		d.want(d.days(end, -40))
		d.over()
	})
}
