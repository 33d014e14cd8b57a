package renewal_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/notify/smtptest"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
)

// endOf returns the end of use of a certificate, or of a key pair's.
func (h *company) endOf(id string) (end time.Time) {
	h.t.Helper()
	h.must(h.Store.View(h.t.Context(), func(tx registry.Reader) error {
		if k, err := tx.KeyPair(id); err == nil {
			id = k.Certificate
		}
		c, err := tx.Certificate(id)
		end = c.EndOfUse()
		return err
	}))
	return end
}

// until runs the schedule once a day until some days before an instant, and returns the mails: the days that
// are left, the recipient, and the kind.
func (p *posts) until(end time.Time, left int) (lines []string) {
	p.t.Helper()
	for p.now.Before(registry.DaysBefore(end, left)) {
		p.now = p.now.AddDate(0, 0, 1)
		p.node("gw-1", p.head())
		p.tick()
		lines = append(lines, p.came(end)...)
	}
	return lines
}

// came returns the mails that came since the last call, in the order of their recipients.
func (p *posts) came(end time.Time) (lines []string) {
	p.t.Helper()
	for _, m := range p.mails() {
		to, subject, _ := strings.Cut(m, ": ")
		lines = append(lines, p.line(end, to, subject))
	}
	slices.Sort(lines)
	return lines
}

// line returns how many days are left, and the recipient and the kind of a mail.
func (p *posts) line(end time.Time, to, subject string) string {
	kind := subject
	for text, name := range map[string]string{
		"confirm your contacts": "contacts", "please send us the next": "send", "No answer from": "escalation",
		"Telephone ": "call", "install our next": "install", "is known to all": "ready", "is in use": "in use",
		"its renewal is not finished": "internal", "our next must be made": "internal", "Certificates on": "summary",
	} {
		if strings.Contains(subject, text) {
			kind = name
		}
	}
	days := int(end.Sub(p.now).Round(time.Hour) / (24 * time.Hour))
	return fmt.Sprintf("%d %s %s", days, to, kind)
}

// want compares mails with those that are expected: one line a day, with several recipients.
func (p *posts) want(got []string, want ...string) {
	p.t.Helper()
	var lines []string
	for _, line := range want {
		days, rest, _ := strings.Cut(line, " ")
		var sorted []string
		for _, one := range strings.Split(rest, ", ") {
			sorted = append(sorted, days+" "+one)
		}
		slices.Sort(sorted)
		lines = append(lines, sorted...)
	}
	if diff := cmp.Diff(lines, got); diff != "" {
		p.t.Errorf("mails that were expected (-), and came (+):\n%s", diff)
	}
}

// threeContacts adds an alternate contact and a support contact to a partner.
func (h *company) threeContacts(lane lanes.Name) {
	h.t.Helper()
	for role, email := range map[registry.ContactRole]string{
		registry.Alternate: "alternate@acme.example", registry.Support: "support@acme.example",
	} {
		h.must(h.anna.SetContact(h.t.Context(), lane, registry.Contact{Role: role, Name: "A", Email: email}))
	}
}

const (
	primary, alternate, support = "keys@acme.example", "alternate@acme.example", "support@acme.example"
	operations                  = "operations@company.example"
)

// A partner who never answers: each of its contacts is written to, then our own people, day by day, and after
// the end each week. Then the partner answers, and our own people are told until it is confirmed.
func TestSilentPartner(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *company) {
		lane := lanes.Name{Partner: "acme", Environment: "SANDBOX"}
		h.partner("acme", "riskos", sealane.ServerSide, "SANDBOX", registry.Rotation{Slots: 2})
		h.threeContacts(lane)
		id := h.approved(lane, h.certificate(2048, 150))
		h.must(exchange.New(h.anna).Activate(t.Context(), id))
		p := h.sends(t, smtptest.New(t, smtptest.Options{}))
		end := h.endOf(id)
		h.now = end.AddDate(0, 0, -125)
		all := func(day int) string {
			return fmt.Sprintf("%d %s send, %s send, %s send", day, primary, alternate, support)
		}
		called := func(days ...int) (lines []string) {
			for _, day := range days {
				lines = append(lines, fmt.Sprintf("%d %s call", day, operations))
			}
			return lines
		}
		p.want(p.until(end, 31), "120 "+primary+" contacts", "75 "+primary+" send", "60 "+primary+" send",
			"45 "+alternate+" send")
		p.want(p.until(end, 15), all(30)+", "+operations+" escalation")
		p.want(p.until(end, 2), slices.Concat([]string{all(14) + ", " + operations + " call",
			all(7) + ", " + operations + " call"}, called(6, 5, 4, 3, 2))...)
		p.want(p.until(end, -20), all(1)+", "+operations+" call", all(0)+", "+operations+" call",
			all(-7)+", "+operations+" call", all(-14)+", "+operations+" call")

		// What waits for us is told to our own people, and not to the partner.
		next := h.approved(lane, h.certificate(2048, 700))
		p.want(p.until(end, -28), "-21 "+operations+" internal", "-28 "+operations+" internal")
		p.node("gw-1", p.head())
		h.must(h.order(renewal.Name{ID: next}, time.Time{}))
		for range 3 {
			h.now = h.now.Add(10 * time.Minute)
			p.node("gw-1", p.head())
			p.tick()
		}
		p.want(p.came(end), "-28 "+primary+" in use")
		if n := h.renewal(next); n.Mail == nil || n.Mail.Sent.IsZero() || n.AskedAt.IsZero() {
			t.Errorf("%+v", n)
		}
		p.want(p.until(end, -80))
	})
}

// Our key pair: our own people are told until it is offered, then the partner until it has installed it.
func TestOurNext(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *company) {
		lane := lanes.Name{Partner: "acme", Environment: "SANDBOX"}
		h.partner("acme", "riskos", sealane.ServerSide, "SANDBOX", registry.Rotation{Slots: 2})
		h.threeContacts(lane)
		first := h.pair(lane, "riskos", 2048, false)
		h.must(h.installed(lane, first))
		p := h.sends(t, smtptest.New(t, smtptest.Options{}))
		end := h.endOf(first)
		h.now = end.AddDate(0, 0, -125)
		p.want(p.until(end, 66), "120 "+primary+" contacts", "75 "+operations+" internal")
		next := h.pairLoadedBy(lane, "riskos", "gw-1")
		p.want(p.until(end, 40), "65 "+primary+" install", "60 "+primary+" install", "45 "+alternate+" install")
		h.must(h.installed(lane, next))
		p.want(p.until(end, -30))
		h.wantStep(next, registry.RenewalActive)
	})
}

// A mailbox that is full, or gone: the next contact is told at once, and our own people. A new contact begins
// anew, and is told what is nearest.
func TestRefusedContact(t *testing.T) {
	t.Parallel()
	h := newCompany(t, "sqlite:"+t.TempDir()+"/registry.db")
	lane := lanes.Name{Partner: "acme", Environment: "SANDBOX"}
	h.partner("acme", "riskos", sealane.ServerSide, "SANDBOX", registry.Rotation{})
	h.threeContacts(lane)
	id := h.approved(lane, h.certificate(2048, 110))
	h.must(exchange.New(h.anna).Activate(t.Context(), id))
	p := h.sends(t, smtptest.New(t, smtptest.Options{Rcpt: func(to string) error {
		if to == primary {
			return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
		}
		return nil
	}}))
	end := h.endOf(id)
	p.want(p.until(end, 61), "108 "+alternate+" contacts", "74 "+alternate+" send, "+operations+" escalation")
	p.want(p.until(end, 50), "59 "+alternate+" send, "+operations+" escalation")
	h.must(h.anna.SetContact(t.Context(), lane, registry.Contact{
		Role: registry.Primary, Name: "New", Email: "new@acme.example",
	}))
	p.tick()
	p.want(p.came(end), "50 new@acme.example send")
}
