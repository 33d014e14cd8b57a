package renewal_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/notify/smtptest"
	"github.com/sealane/sealane/internal/registry"
)

// days runs the schedule once a day for a number of days, and returns the mails with the day of each.
func (p *posts) days(n int, end time.Time) (lines []string) {
	p.t.Helper()
	for range n {
		p.now = p.now.AddDate(0, 0, 1)
		p.node("gw-1", p.head())
		p.tick()
		for _, m := range p.mails() {
			lines = append(lines, fmt.Sprintf("%d %s", registry.DaysLeft(end, p.now), m))
		}
	}
	return lines
}

// A partner who never answers: each of its contacts is written to, then our own people, day by day, and after
// the end each week.
func TestSilentPartner(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *company) {
		lane := lanes.Name{Partner: "acme", Environment: "SANDBOX"}
		h.partner("acme", "riskos", sealane.ServerSide, "SANDBOX", registry.Rotation{})
		for role, email := range map[registry.ContactRole]string{
			registry.Alternate: "alternate@acme.example", registry.Support: "support@acme.example",
		} {
			h.must(h.anna.SetContact(t.Context(), lane, registry.Contact{Role: role, Name: "A", Email: email}))
		}
		id := h.approved(lane, h.certificate(2048, 150))
		h.must(exchange.New(h.anna).Activate(t.Context(), id))
		p := h.sends(t, smtptest.New(t, smtptest.Options{}))
		var end time.Time
		h.must(h.Store.View(t.Context(), func(tx registry.Reader) error {
			c, err := tx.Certificate(id)
			end = c.EndOfUse()
			return err
		}))
		h.now = end.AddDate(0, 0, -149)
		got := p.days(149+22, end)
		for _, line := range got {
			t.Log(line)
		}
		_ = cmp.Diff
		_ = slices.Sort[[]string]
	})
}
