package renewal_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/sealane/sealane/internal/notify"
	"github.com/sealane/sealane/internal/notify/smtptest"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
	"github.com/sealane/sealane/internal/secretplace"
)

// mailing is a company that has planned mails to our own people, and a mail server.
func mailing(t *testing.T, s *smtptest.Server, mails int) *posts {
	t.Helper()
	p := newCompany(t, databases["sqlite"](t)).sends(t, s)
	p.plan(mails)
	return p
}

// send sends what is due.
func (p *posts) send() renewal.Sent {
	p.t.Helper()
	sent, err := p.outbox.Send(p.t.Context())
	p.must(err)
	return sent
}

// A server that takes a mail and ends the connection has taken it once.
func TestAcceptedAndCut(t *testing.T) {
	t.Parallel()
	p := mailing(t, smtptest.Raw(t, smtptest.Answers{".": "250 2.0.0 queued" + smtptest.Cut}), 1)
	accepted := p.send().Accepted
	p.now = p.now.Add(24 * time.Hour)
	again := p.send()
	if got := len(p.server.Mails()); accepted != 1 || got != 1 || again.Accepted != 0 {
		t.Errorf("accepted %d, then %+v, and the server took %d", accepted, again, got)
	}
}

// A connection that ends after the last byte of a mail: it is sent once more, with the same bytes although the
// configuration has changed, and then nobody knows, which is an alarm.
func TestCutAfterMail(t *testing.T) {
	t.Parallel()
	p := mailing(t, smtptest.Raw(t, smtptest.Answers{".": smtptest.Cut}), 1)
	if sent := p.send(); sent.Uncertain != 1 || len(p.server.Mails()) != 1 {
		t.Errorf("%+v", sent)
	}
	p.outbox.Config.Answers.Telephone = "+1 555 0199"
	var alarms []string
	for range 3 {
		p.now = p.now.Add(24 * time.Hour)
		for _, a := range p.send().Alarms {
			alarms = append(alarms, a.Text)
		}
	}
	all := p.server.Mails()
	if len(all) != 2 || !bytes.Equal(all[0].Data, all[1].Data) {
		t.Errorf("the server took %d mails, want the same twice", len(all))
	}
	if _, unknown := p.taken(); unknown != 1 {
		t.Errorf("%d mails are unknown, want 1", unknown)
	}
	if !strings.Contains(strings.Join(alarms, "\n"), "unknown") {
		t.Errorf("alarms: %q", alarms)
	}
}

// A server that asks to come later is asked less and less often, and each mail waits for itself.
func TestComeLater(t *testing.T) {
	t.Parallel()
	p := mailing(t, smtptest.Raw(t, smtptest.Answers{"RCPT": "451 4.7.1 come later"}), 1)
	for end := p.now.AddDate(0, 0, 1); p.now.Before(end); p.now = p.now.Add(time.Minute) {
		p.send()
	}
	if got := p.server.Seen(); got < 8 || got > 16 {
		t.Errorf("the server was asked %d times in a day", got)
	}
}

// One recipient of three is refused: the others have their mails.
func TestOneOfThree(t *testing.T) {
	t.Parallel()
	p := mailing(t, smtptest.New(t, smtptest.Options{Rcpt: func(to string) error {
		if strings.HasPrefix(to, "p1@") {
			return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
		}
		return nil
	}}), 3)
	if sent := p.send(); sent.Accepted != 2 || sent.Refused != 1 || len(sent.Alarms) != 1 {
		t.Errorf("%+v", sent)
	}
}

// Two programs send the mails of one database: each mail once.
func TestTwoOutboxes(t *testing.T) {
	t.Parallel()
	p := mailing(t, smtptest.New(t, smtptest.Options{}), 30)
	other := *p.outbox
	other.Holder = "two"
	done := make(chan error)
	go func() {
		_, err := other.Send(t.Context())
		done <- err
	}()
	p.send()
	p.must(<-done)
	p.send() // an attempt to claim that met the other one's ends its call
	if twice, unknown := p.taken(); twice+unknown > 0 || len(p.server.Mails()) != 30 {
		t.Errorf("%d mails twice, %d unknown", twice, unknown)
	}
}

// A copied database, another host and a changed sender send nothing, and say so, until somebody arms them.
func TestNotArmed(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*posts){
		"database": func(p *posts) { p.outbox.Database = "sqlite:copy.db" },
		"host":     func(p *posts) { p.outbox.Config.Host = "elsewhere" },
		"sender":   func(p *posts) { p.outbox.Config.Mail.From = "test@company.example" },
		"restored": func(p *posts) {
			p.must(p.Store.Update(t.Context(), func(tx registry.Tx) error { return tx.SetInstallation("i-2", p.now) }))
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := mailing(t, smtptest.New(t, smtptest.Options{}), 1)
			change(p)
			sent := p.send()
			if p.server.Seen() != 0 || !sent.Stuck || len(sent.Alarms) != 1 {
				t.Errorf("%+v", sent)
			}
			var installation string
			p.must(p.Store.View(t.Context(), func(tx registry.Reader) (err error) {
				installation, err = tx.Installation()
				return err
			}))
			p.must(p.outbox.Config.Arm(p.outbox.Database, installation, p.now))
			mailer, err := notify.NewMailer(p.outbox.Config)
			p.must(err)
			p.outbox.Mailer = mailer
			if sent := p.send(); sent.Accepted != 1 {
				t.Errorf("armed: %+v", sent)
			}
		})
	}
}

// A server that refuses our login, or our sender, is asked once in a pass: an account may be locked after many tries.
func TestLoginIsRefused(t *testing.T) {
	t.Parallel()
	for command, answer := range map[string]string{
		"MAIL": "535 5.7.8 wrong password", "greeting": "421 4.3.2 later", "EHLO": "550 5.7.1 not you",
	} {
		p := mailing(t, smtptest.Raw(t, smtptest.Answers{command: answer, "HELO": answer}), 20)
		if sent := p.send(); sent.Deferred != 1 || p.server.Seen() > 2 {
			t.Errorf("%s: %d connections, %+v", command, p.server.Seen(), sent)
		}
	}
}

// A mail server that is away does not hold up the webhook, however many mails wait.
func TestServerAwayAndWebhook(t *testing.T) {
	t.Parallel()
	p := mailing(t, smtptest.Raw(t, smtptest.Answers{"greeting": smtptest.Cut}), 250)
	var got atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { got.Add(1) }))
	t.Cleanup(receiver.Close)
	file := filepath.Join(t.TempDir(), "secret")
	p.must(os.WriteFile(file, []byte("whsec_"+strings.Repeat("QUFB", 8)+"\n"), 0o600))
	c := *p.outbox.Config
	c.Webhook = &notify.WebhookConfig{URL: receiver.URL, Secret: secretplace.Place("file:" + file)}
	hook, err := notify.NewHook(&c)
	p.must(err)
	p.outbox.Hook = hook
	p.must(p.Store.Update(t.Context(), func(tx registry.Tx) error {
		return tx.AddMails([]registry.Mail{{
			ID: registry.NewMailID(), Kind: registry.NoticeSummary, To: registry.ToWebhook,
			State: registry.MailPlanned, Planned: p.now, Next: p.now,
		}})
	}))
	if sent := p.send(); got.Load() != 1 || sent.Accepted != 1 || sent.Deferred != 1 {
		t.Errorf("%d events came: %+v", got.Load(), sent)
	}
}
