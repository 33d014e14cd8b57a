package renewal_test

import (
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

// A mail server is away for three weeks. Then each recipient has one mail, which says what is true by then. What the
// partner has answered meanwhile, it is not asked for.
func TestServerAway(t *testing.T) {
	t.Parallel()
	for name, answers := range map[string]bool{"no answer": false, "the partner answers": true} {
		t.Run(name, func(t *testing.T) {
			h := newCompany(t, "sqlite:"+t.TempDir()+"/registry.db")
			id := h.sealed("acme", "SANDBOX", 100)
			lane := lanes.Name{Partner: "acme", Environment: "SANDBOX"}
			h.threeContacts(lane)
			p := h.sends(t, smtptest.New(t, smtptest.Options{}))
			end, there := h.endOf(id), p.outbox.Mailer
			p.want(p.until(end, 62), "99 "+primary+" contacts", "75 "+primary+" send")
			away := *p.outbox.Config
			mail := *away.Mail
			mail.Server, away.Mail = "127.0.0.1:1", &mail
			mailer, err := notify.NewMailer(&away)
			h.must(err)
			p.outbox.Mailer = mailer
			p.want(p.until(end, 42))
			if answers {
				h.approved(lane, h.certificate(2048, 700))
			}
			p.want(p.until(end, 41))
			p.outbox.Mailer = there
			if answers {
				p.want(p.until(end, 31), "40 "+operations+" internal", "39 "+primary+" ready")
				return
			}
			h.now = registry.DaysBefore(end, 40)
			p.tick()
			came := p.letters()
			for _, l := range came {
				if !strings.Contains(l.Text, "40 days left") && !strings.Contains(l.Text, "in 40 days") {
					t.Errorf("to %s: %s", l.To, l.Text)
				}
			}
			if len(came) != 2 || came[0].To == came[1].To {
				t.Errorf("%d mails came: %v", len(came), came)
			}
			p.want(p.until(end, 31))
		})
	}
}

// A clock was a year ahead for one pass. When it is right again, each notice comes on its day.
func TestNoticesAfterAWrongClock(t *testing.T) {
	t.Parallel()
	h := newCompany(t, "sqlite:"+t.TempDir()+"/registry.db")
	id := h.sealed("acme", "SANDBOX", 130)
	p := h.sends(t, smtptest.New(t, smtptest.Options{}))
	end := h.endOf(id)
	p.want(p.until(end, 80), "120 "+primary+" contacts")
	right := h.now
	h.now = h.now.AddDate(1, 0, 0)
	p.tick()
	p.letters()
	h.now = right
	p.want(p.until(end, 59), "75 "+primary+" send", "60 "+primary+" send")
}

// A partner is archived while one more thing waits for it, and comes back: it is told as before.
func TestNoticesAfterTheArchive(t *testing.T) {
	t.Parallel()
	h := newCompany(t, "sqlite:"+t.TempDir()+"/registry.db")
	id := h.sealed("acme", "SANDBOX", 76)
	p := h.sends(t, smtptest.New(t, smtptest.Options{}))
	end := h.endOf(id)
	archive := func(at time.Time) {
		h.must(h.Store.Update(t.Context(), func(tx registry.Tx) error {
			one, err := tx.Partner("acme")
			if err != nil {
				return err
			}
			one.Archived = at
			return tx.PutPartner(&one)
		}))
	}
	p.want(p.until(end, 75), "75 "+primary+" send")
	archive(h.now)
	p.want(p.until(end, 59))
	archive(time.Time{})
	p.want(p.until(end, 40), "58 "+primary+" send")
}

// The mail that asks for the contacts comes back: our own people see it in each pass, and the next contact is asked.
// The one that asks for the next certificate comes back: the partner was not told.
func TestBounceOfTheFirstMails(t *testing.T) {
	t.Parallel()
	h := newCompany(t, "sqlite:"+t.TempDir()+"/registry.db")
	id := h.sealed("acme", "SANDBOX", 130)
	h.threeContacts(lanes.Name{Partner: "acme", Environment: "SANDBOX"})
	p := h.sends(t, smtptest.New(t, smtptest.Options{}))
	end := h.endOf(id)
	bounce := func() {
		var newest registry.Mail
		h.must(h.Store.View(t.Context(), func(tx registry.Reader) error {
			all, err := tx.Mails(registry.MailQuery{Partner: "acme"})
			for _, m := range all {
				if m.Planned.After(newest.Planned) {
					newest = m
				}
			}
			return err
		}))
		_, err := renewal.Bounce(t.Context(), h.Program(), notify.Bounce{
			Tag: newest.ID, Recipient: newest.To, Status: "5.1.1", Permanent: true,
		})
		h.must(err)
	}
	p.want(p.until(end, 119), "120 "+primary+" contacts")
	bounce()
	for range 2 {
		if report, _ := p.tick(); !told(report.Alarms, "acme has a contact to whom a mail could not be delivered") {
			t.Errorf("%+v", report.Alarms)
		}
	}
	p.want(p.came(end), "119 "+alternate+" contacts")
	p.want(p.until(end, 74), "75 "+primary+" send")
	h.wantStep(id, registry.RenewalAsked)
	bounce()
	h.wantStep(id, registry.RenewalDue)
	p.want(p.until(end, 73), "73 "+alternate+" send, "+operations+" escalation")
	if n := h.wantStep(id, registry.RenewalAsked); len(n.Notices) != 2 {
		t.Errorf("%+v", n.Notices)
	}
}

// What is left out of a mail, because its recipient is no contact for it any more, does not count as told.
func TestLeftOut(t *testing.T) {
	t.Parallel()
	h := newCompany(t, "sqlite:"+t.TempDir()+"/registry.db")
	h.sealed("acme", "SANDBOX", 75)
	dev := h.alsoDev()
	p := h.sends(t, smtptest.New(t, smtptest.Options{}))
	h.pass()
	removed := false
	p.outbox.Sending = func(stage string) {
		if stage == "claim" && !removed {
			removed = true
			h.must(h.anna.RemoveContact(t.Context(), dev, registry.ContactName{Email: primary}))
		}
	}
	_, err := p.outbox.Send(t.Context())
	h.must(err)
	if l := p.only1(primary); strings.Contains(l.Text, "DEV") {
		t.Errorf("DEV is in the mail:\n%s", l.Text)
	}
	h.must(h.Store.View(t.Context(), func(tx registry.Reader) error {
		all, err := tx.Renewals(registry.RenewalQuery{Open: true})
		for _, n := range all {
			if told := len(n.Notices) == 1 && !n.AskedAt.IsZero(); told != (n.Environment == "SANDBOX") {
				t.Errorf("%s: %+v, asked %v", n.Environment, n.Notices, n.AskedAt)
			}
		}
		return err
	}))
}

// Nobody ends the old certificate: our own people are told each week when its overlap is over. While it counts, the
// renewal of its successor can't begin, which is an alarm.
func TestOldOneIsForgotten(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *company) {
		lane := lanes.Name{Partner: "acme", Environment: "SANDBOX"}
		h.partner("acme", "riskos", sealane.ServerSide, "SANDBOX", registry.Rotation{Slots: 2, Overlap: 30})
		first := h.approved(lane, h.certificate(2048, 70))
		h.must(exchange.New(h.anna).Activate(t.Context(), first))
		p := h.sends(t, smtptest.New(t, smtptest.Options{}))
		end := h.endOf(first)
		p.want(p.until(end, 69), "69 "+primary+" send")
		second := h.approved(lane, h.certificate(2048, 180))
		h.must(h.order(renewal.Name{ID: second}, time.Time{}))
		p.want(p.until(end, 65), "68 "+operations+" internal", "67 "+primary+" in use")
		n := h.wantStep(second, registry.RenewalTold)
		p.want(p.until(end, 7), "38 "+operations+" internal", "30 "+operations+" internal",
			"14 "+operations+" internal", "9 "+primary+" contacts", "7 "+operations+" internal")
		l, err := p.server.Mails()[len(p.server.Mails())-1].Letter()
		if text := strings.Join(strings.Fields(l.Text), " "); err != nil ||
			!strings.Contains(text, "To do end it: its overlap is over, and the next renewal can't begin before") {
			t.Errorf("until %s, the mail says (%v):\n%s", n.OverlapUntil, err, l.Text)
		}
		p.want(p.until(end, -14), "1 "+operations+" internal", "0 "+operations+" internal",
			"-7 "+operations+" internal", "-14 "+operations+" internal")
		h.now = registry.DaysBefore(h.endOf(second), 75)
		p.node("gw-1", p.head())
		report, _ := p.tick()
		if !told(report.Alarms, "so that of "+second+" can't begin, which is due since ") {
			t.Errorf("%+v", report.Alarms)
		}
		h.must(h.retire(first, ""))
		p.tick()
		h.wantStep(second, registry.RenewalAsked)
	})
}
