package renewal_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/mailserver"
	"github.com/sealane/sealane/internal/notify/smtptest"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
)

// only1 returns the one mail that came since the last call to an address, with its lines joined.
func (p *posts) only1(address string) (found mailserver.Letter) {
	p.t.Helper()
	came := p.letters()
	count := 0
	for _, l := range came {
		if strings.Contains(l.To, "<"+address+">") {
			found = l
			count++
		}
	}
	if count != 1 {
		p.t.Fatalf("%d mails came to %s: %v", count, address, came)
	}
	found.Text = strings.Join(strings.Fields(found.Text), " ")
	return found
}

// says fails the test unless a mail has texts, and not those behind a "!".
func (p *posts) says(l mailserver.Letter, texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		if text, not := strings.CutPrefix(text, "!"); strings.Contains(l.Subject+"\n"+l.Text, text) == not {
			p.t.Errorf("the mail to %s: is %q in it? it should be %t\n%s\n%s", l.To, text, !not, l.Subject, l.Text)
		}
	}
}

// What the mails of a partner's renewal say is true at each step, and a custodian can do what they say.
func TestMailsAboutTheirs(t *testing.T) {
	t.Parallel()
	h := newCompany(t, "sqlite:"+t.TempDir()+"/registry.db")
	lane := lanes.Name{Partner: "acme", Environment: "SANDBOX"}
	h.partner("acme", "riskos", sealane.ServerSide, "SANDBOX", registry.Rotation{Slots: 2})
	h.threeContacts(lane)
	id := h.approved(lane, h.certificate(2048, 150))
	h.must(exchange.New(h.anna).Activate(t.Context(), id))
	p := h.sends(t, smtptest.New(t, smtptest.Options{}))
	end := h.endOf(id)
	at := func(left int) {
		t.Helper()
		h.now = registry.DaysBefore(end, left)
		h.node("gw-1", h.head())
		p.tick()
	}
	at(120)
	p.says(p.only1(primary), "SANDBOX, primary contact: Keys, "+primary, "SANDBOX, alternate contact: A, "+alternate,
		"SANDBOX, support contact: A, "+support)
	at(75)
	renews := h.renewal(id).ID
	p.says(p.only1(primary), "please send us the next", "!Reminder", "!"+renews, "!Step")
	at(60)
	p.says(p.only1(primary), "Reminder 1: SANDBOX")
	at(45)
	p.says(p.only1(alternate), "please send us the next", "!Reminder") // it is the first for this contact
	at(30)
	p.says(p.only1(operations), "No answer from Partner acme", "Renewal "+renews,
		"To do the partner must send its next certificate", "!wait for")
	next := h.approved(lane, h.certificate(2048, 700))
	report, _ := p.tick()
	p.says(p.only1(operations), "the next step is ours", "Renewal "+renews, "!done its part")
	h.now = h.now.Add(time.Hour)
	h.node("gw-1", h.head())
	if report, _ = p.tick(); !told(report.Alarms, "the next step is ours") || told(report.Alarms, "the answer of") {
		t.Errorf("the answer has come: %v", report.Alarms)
	}
	h.must(h.order(renewal.Name{ID: next}, time.Time{}))
	for range 3 {
		h.now = h.now.Add(10 * time.Minute)
		h.node("gw-1", h.head())
		p.tick()
	}
	sent := p.only1(primary)
	p.says(sent, "your new certificate", "It replaces the certificate with the serial number 0x1268",
		"which ends on "+end.Format("2 January 2006"))

	// Where a person sends it, the mail says the same.
	byHand, err := renewal.ConfirmationMail(t.Context(), &h.anna.Viewer, renewal.Name{ID: renews})
	h.must(err)
	again, err := renewal.ConfirmationMail(t.Context(), &h.anna.Viewer, renewal.Name{ID: renews})
	if err != nil || !bytes.Equal(byHand.Data, again.Data) {
		t.Errorf("it differs each time: %v", err)
	}
	l, err := mailserver.Mail{Data: byHand.Data}.Letter()
	h.must(err)
	if l.Subject != sent.Subject || !strings.Contains(l.To, primary) {
		t.Errorf("to %s: %q, and sent was %q", l.To, l.Subject, sent.Subject)
	}
	l.Text = strings.Join(strings.Fields(l.Text), " ")
	p.says(l, "It replaces the certificate with the serial number 0x1268", "Hello Keys,")
}

// What the mails of the renewal of our certificate say.
func TestMailsAboutOurs(t *testing.T) {
	t.Parallel()
	h := newCompany(t, "sqlite:"+t.TempDir()+"/registry.db")
	lane := lanes.Name{Partner: "acme", Environment: "SANDBOX"}
	h.partner("acme", "riskos", sealane.ServerSide, "SANDBOX", registry.Rotation{Slots: 2})
	h.threeContacts(lane)
	first := h.pair(lane, "riskos", 2048, false)
	h.must(h.installed(lane, first))
	p := h.sends(t, smtptest.New(t, smtptest.Options{}))
	end := h.endOf(first)
	at := func(left int) {
		t.Helper()
		h.now = registry.DaysBefore(end, left)
		h.node("gw-1", h.head())
		p.tick()
	}
	at(75)
	renews := h.renewal(first).ID
	p.says(p.only1(operations), "the next step is ours", "Renewal "+renews)
	next := h.pairLoadedBy(lane, "riskos", "gw-1")
	_, err := renewal.New(h.anna).SendLetter(t.Context(), renewal.SendLetter{Kind: registry.LetterOffer, ID: next})
	h.must(err)
	p.outbox.Send(t.Context())
	p.says(p.only1(primary), "This is our new certificate for RiskOS payload encryption")
	at(70)
	serial := ""
	h.must(h.Store.View(t.Context(), func(tx registry.Reader) error {
		k, err := tx.KeyPair(next)
		h.must(err)
		c, err := tx.Certificate(k.Certificate)
		serial = strings.ToUpper(c.Serial)
		return err
	}))
	p.says(p.only1(primary), "Install the certificate with the serial number 0x"+serial, "!Step", "!"+renews,
		"until it ends, or until we tell you")
	at(30)
	p.says(p.only1(operations), "No answer from Partner acme",
		"To do the partner must install the certificate with the serial number 0x"+serial+", and say so")
}

// The daily summary does not count itself, and says so where nothing is due.
func TestSummaryOfAQuietDay(t *testing.T) {
	t.Parallel()
	h := newCompany(t, "sqlite:"+t.TempDir()+"/registry.db")
	p := h.sends(t, smtptest.New(t, smtptest.Options{}))
	h.schedule.Summary = true
	p.tick()
	p.says(p.only1(operations), "nothing is due", "Nothing is due on 23 November 2026", "!Mails that wait")
	lane := lanes.Name{Partner: "acme", Environment: "SANDBOX"}
	h.partner("acme", "riskos", sealane.ServerSide, "SANDBOX", registry.Rotation{Slots: 2})
	id := h.approved(lane, h.certificate(2048, 70))
	h.must(exchange.New(h.anna).Activate(t.Context(), id))
	h.pass()
	h.now = h.now.AddDate(0, 0, 1)
	h.pass()
	p.outbox.Send(t.Context())
	var summary mailserver.Letter
	for _, l := range p.letters() {
		if strings.HasPrefix(l.Subject, "Certificates on") {
			summary = l
		}
	}
	p.says(summary, "Renewals that are open: 1.")
}
