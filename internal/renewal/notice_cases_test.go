package renewal_test

import (
	"fmt"
	"slices"
	"strings"
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

// sealed makes a partner whose certificate ends after some days, and returns the certificate's identity.
func (h *company) sealed(partner, environment string, days int) string {
	h.t.Helper()
	lane := lanes.Name{Partner: partner, Environment: environment}
	h.partner(partner, "riskos", sealane.ServerSide, environment, registry.Rotation{})
	id := h.approved(lane, h.certificate(2048, days))
	h.must(exchange.New(h.anna).Activate(h.t.Context(), id))
	return id
}

// Notices that were acknowledged stop, with the escalation, until the day that was said; but never the last two.
func TestAcknowledged(t *testing.T) {
	t.Parallel()
	h := newCompany(t, "sqlite:"+t.TempDir()+"/registry.db")
	id := h.sealed("acme", "SANDBOX", 76)
	p := h.sends(t, smtptest.New(t, smtptest.Options{}))
	end := h.endOf(id)
	p.want(p.until(end, 70), "75 "+primary+" send")
	r := renewal.New(h.anna.WithReason("they install it next week"))
	_, err := r.Ack(t.Context(), renewal.Ack{Name: renewal.Name{ID: id}, Until: h.now.AddDate(0, 0, 91)})
	wantRefused(t, err, "90 days at most")
	_, err = r.Ack(t.Context(), renewal.Ack{Name: renewal.Name{ID: id}, Until: h.now})
	wantRefused(t, err, "is over")
	_, err = r.Ack(t.Context(), renewal.Ack{Name: renewal.Name{ID: id}, Until: end.AddDate(0, 0, 10)})
	h.must(err)
	p.want(p.until(end, 8))
	p.want(p.until(end, -1), "7 "+primary+" send, "+operations+" call", "6 "+operations+" call",
		"5 "+operations+" call", "4 "+operations+" call", "3 "+operations+" call", "2 "+operations+" call",
		"1 "+primary+" send, "+operations+" call", "0 "+primary+" send, "+operations+" call")
}

// alsoDev adds an environment to acme, whose certificate ends in 75 days.
func (h *company) alsoDev() lanes.Name {
	h.t.Helper()
	dev := lanes.Name{Partner: "acme", Environment: "DEV"}
	h.must(h.agreed(h.anna, func(s *registry.Session) error {
		return s.AddEnvironment(h.t.Context(), registry.Environment{
			Partner: "acme", Name: "DEV", Sealing: sealane.SealingRequired, MailFrom: "keys@us.example",
			Contacts: []registry.Contact{{Role: registry.Primary, Name: "Keys", Email: primary}},
		})
	}))
	h.must(exchange.New(h.anna).Activate(h.t.Context(), h.approved(dev, h.certificate(2048, 75))))
	return dev
}

// One of two answers comes when the mail that asks for both is written, and about to be sent: it is written again.
func TestAnswerAtTheLastMoment(t *testing.T) {
	t.Parallel()
	h := newCompany(t, "sqlite:"+t.TempDir()+"/registry.db")
	h.sealed("acme", "SANDBOX", 75)
	dev := h.alsoDev()
	p := h.sends(t, smtptest.New(t, smtptest.Options{}))
	answered := false
	p.outbox.Sending = func(stage string) {
		if stage == "sending" && !answered {
			answered = true
			h.approved(dev, h.certificate(2048, 700))
			h.pass()
		}
	}
	for range 3 {
		h.now = h.now.Add(time.Minute)
		p.tick()
	}
	asked := 0
	for _, l := range p.letters() {
		if strings.Contains(l.To, primary) {
			if asked++; strings.Contains(l.Text, "DEV") || !strings.Contains(l.Text, "SANDBOX") {
				t.Errorf("the mail asks for what has come:\n%s", l.Text)
			}
		}
	}
	if !answered || asked != 1 {
		t.Errorf("%d mails ask", asked)
	}
}

// One address at two partners has a mail of each, and never one that names both. One partner's environments are
// in one mail.
func TestSharedConsultant(t *testing.T) {
	t.Parallel()
	h := newCompany(t, "sqlite:"+t.TempDir()+"/registry.db")
	h.sealed("acme", "SANDBOX", 75)
	h.sealed("other", "SANDBOX", 75)
	dev := h.alsoDev()
	for _, lane := range []lanes.Name{{Partner: "acme", Environment: "SANDBOX"}, dev,
		{Partner: "other", Environment: "SANDBOX"}} {
		h.must(h.anna.RemoveContact(t.Context(), lane,
			registry.ContactName{Email: "keys@" + lane.Partner + ".example"}))
		for _, role := range []registry.ContactRole{registry.Primary, registry.Support} {
			h.must(h.anna.SetContact(t.Context(), lane, registry.Contact{
				Role: role, Name: "Consultant", Email: "pki@consultant.example",
			}))
		}
	}
	p := h.sends(t, smtptest.New(t, smtptest.Options{}))
	p.tick()
	mails := p.server.Mails()
	if len(mails) != 2 {
		t.Fatalf("%d mails, want one of each partner", len(mails))
	}
	for _, m := range mails {
		text := string(m.Data)
		if strings.Contains(text, "Partner acme") && strings.Contains(text, "Partner other") {
			t.Errorf("a mail names both partners:\n%s", text)
		}
	}
	if !slices.ContainsFunc(mails, func(m smtptest.Mail) bool {
		return strings.Contains(string(m.Data), "DEV") && strings.Contains(string(m.Data), "SANDBOX")
	}) {
		t.Error("no mail has both environments of the partner")
	}
}

// A schedule that did not run for weeks sends the nearest notice, and no other.
func TestNearestOnly(t *testing.T) {
	t.Parallel()
	h := newCompany(t, "sqlite:"+t.TempDir()+"/registry.db")
	id := h.sealed("acme", "SANDBOX", 76)
	p := h.sends(t, smtptest.New(t, smtptest.Options{}))
	end := h.endOf(id)
	p.want(p.until(end, 75), "75 "+primary+" send")
	h.now = registry.DaysBefore(end, 10)
	report, _ := p.tick()
	p.want(p.came(end), "10 "+primary+" send, "+operations+" call")
	if report.Late != 0 {
		t.Errorf("%d partners were told late, and it was in time", report.Late)
	}
}

// A partner that is told later than the vendor's specification asks is an alarm, until it is told.
func TestLateNotice(t *testing.T) {
	t.Parallel()
	h := newCompany(t, "sqlite:"+t.TempDir()+"/registry.db")
	id := h.sealed("acme", "SANDBOX", 76)
	h.now = registry.DaysBefore(h.endOf(id), 60)
	for range 2 {
		if report := h.pass(); report.Late != 0 {
			t.Errorf("late at 60 days: %+v", report.Alarms)
		}
	}
	h.now = h.now.Add(time.Second)
	for range 2 {
		report := h.pass()
		if report.Late != 1 || !strings.Contains(fmt.Sprint(report.Alarms), "acme was not told") {
			t.Errorf("%d late: %+v", report.Late, report.Alarms)
		}
	}
	p := h.sends(t, smtptest.New(t, smtptest.Options{}))
	p.tick()
	if report, _ := p.tick(); report.Late != 0 {
		t.Errorf("%+v", report.Alarms)
	}
}

// A mail that came back counts as one that nobody has: the next contact is told at once. A report of a delay, and
// one that is about another address, change nothing.
func TestBounce(t *testing.T) {
	t.Parallel()
	h := newCompany(t, "sqlite:"+t.TempDir()+"/registry.db")
	id := h.sealed("acme", "SANDBOX", 76)
	lane := lanes.Name{Partner: "acme", Environment: "SANDBOX"}
	h.threeContacts(lane)
	p := h.sends(t, smtptest.New(t, smtptest.Options{}))
	end := h.endOf(id)
	p.want(p.until(end, 74), "75 "+primary+" send")
	var mail registry.Mail
	h.must(h.Store.View(t.Context(), func(tx registry.Reader) error {
		all, err := tx.Mails(registry.MailQuery{Partner: "acme"})
		mail = all[0]
		return err
	}))
	program := h.Program()
	report := notify.Bounce{Tag: mail.ID, Recipient: primary, Status: "4.2.2"}
	out, err := renewal.Bounce(t.Context(), program, report)
	if err != nil || !out.Ignored {
		t.Errorf("a delay: %+v, %v", out, err)
	}
	report.Permanent, report.Status = true, "5.1.1"
	other := report
	other.Recipient = "somebody@else.example"
	_, err = renewal.Bounce(t.Context(), program, other)
	wantRefused(t, err, "was to "+primary)
	_, err = renewal.Bounce(t.Context(), program, notify.Bounce{Tag: "m-aaaaaaaaaa", Permanent: true})
	wantRefused(t, err, "not found")
	p.tick()
	p.want(p.came(end))
	report.Tag, report.MessageID = "", mail.MessageID
	out, err = renewal.Bounce(t.Context(), program, report)
	if err != nil || out.Ignored || out.Mail.Bounced != "5.1.1" {
		t.Errorf("%+v, %v", out, err)
	}
	p.tick()
	p.want(p.came(end), "74 "+alternate+" send, "+operations+" escalation")
	if out, err = renewal.Bounce(t.Context(), program, report); err != nil || !out.Ignored {
		t.Errorf("a second report: %+v, %v", out, err)
	}
}

// An address that is named twice has one mail, and one damaged mail holds no other up.
func TestOperationsTwice(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *company) {
		id := h.sealed("acme", "SANDBOX", 76)
		p := h.sends(t, smtptest.New(t, smtptest.Options{}))
		h.schedule.Operations = []string{operations, operations, "Operations@company.example"}
		h.schedule.Summary = true
		end := h.endOf(id)
		h.now = registry.DaysBefore(end, 20)
		p.tick()
		p.want(p.came(end), "20 "+primary+" send, "+operations+" escalation, "+operations+" summary")
	})
}

// Each primary contact has the mail that confirms a certificate, unless it is no contact any more. If all of them
// come back, the partner was not told.
func TestConfirmingLetters(t *testing.T) {
	t.Parallel()
	h := newCompany(t, "sqlite:"+t.TempDir()+"/registry.db")
	lane := lanes.Name{Partner: "acme", Environment: "SANDBOX"}
	first := h.sealed("acme", "SANDBOX", 76)
	for _, email := range []string{"second@acme.example", "third@acme.example"} {
		h.must(h.anna.SetContact(t.Context(), lane, registry.Contact{
			Role: registry.Primary, Name: "B", Email: email,
		}))
	}
	p := h.sends(t, smtptest.New(t, smtptest.Options{}))
	next := h.approved(lane, h.certificate(2048, 700))
	h.must(h.agreed(h.anna, func(s *registry.Session) error {
		return s.ChangeEnvironment(t.Context(), registry.Environment{Partner: "acme", Name: "SANDBOX"},
			func(env *registry.Environment) error { env.Rotation.Slots = 2; return nil })
	}))
	p.node("gw-1", p.head())
	h.must(h.order(renewal.Name{ID: next}, time.Time{}))
	ordered := func(minutes int) {
		h.now = h.now.Add(time.Duration(minutes) * time.Minute)
		p.node("gw-1", p.head())
		p.pass()
	}
	for range 4 {
		ordered(6)
	}
	h.must(h.anna.RemoveContact(t.Context(), lane, registry.ContactName{Email: "third@acme.example"}))
	p.tick()
	p.want(p.came(h.now), "0 "+primary+" in use, second@acme.example in use")
	n := h.renewal(first)
	if n.Mail.Sent.IsZero() || len(n.Mail.To) != 2 {
		t.Errorf("%+v", n.Mail)
	}
	for i, to := range []string{primary, "second@acme.example"} {
		var mail registry.Mail
		h.must(h.Store.View(t.Context(), func(tx registry.Reader) error {
			all, err := tx.Mails(registry.MailQuery{To: to})
			mail = all[len(all)-1]
			return err
		}))
		_, err := renewal.Bounce(t.Context(), h.Program(), notify.Bounce{
			Tag: mail.ID, Recipient: to, Permanent: true, Status: "5.1.1",
		})
		h.must(err)
		if n = h.renewal(first); n.Mail.Sent.IsZero() != (i == 1) {
			t.Errorf("after %d mails came back: %+v", i+1, n.Mail)
		}
	}
	report, _ := p.tick()
	if !strings.Contains(fmt.Sprint(report.Alarms), "has reached no contact") {
		t.Errorf("%+v", report.Alarms)
	}
}
