package notify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/sealane/sealane/internal/notify"
	"github.com/sealane/sealane/internal/notify/smtptest"
	"github.com/sealane/sealane/internal/strictyaml"
)

// mailer returns a Mailer for a server, whose configuration may be changed before.
func mailer(t *testing.T, s *smtptest.Server, change ...func(*notify.MailConfig)) *notify.Mailer {
	t.Helper()
	c := s.Config(t)
	for _, f := range change {
		f(c.Mail)
	}
	m, err := notify.NewMailer(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// envelope returns a mail to an address.
func envelope(t testing.TB, to string) notify.Envelope {
	t.Helper()
	data, err := message(to).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return notify.Envelope{To: to, Tag: "n-7k2m4q", Data: data}
}

func message(to string) notify.Message {
	return notify.Message{
		From: "notices@company.example", FromName: "Company", To: to, ToName: "Ann Lee",
		ReplyTo: "keys@company.example",
		Subject: "Your certificate ends", ID: "n-7k2m4q.1@company.example",
		Date: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC), Text: ".dot\nand more\n.\n", HTML: "<p>text</p>\n",
	}
}

// TestSend: a real server has the bytes of the mail, by each form of TLS and of the login.
func TestSend(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]smtptest.Options{
		"plain":              {},
		"plain, login":       {User: "sealane", Password: "hunter2 €"},
		"starttls":           {TLS: "starttls"},
		"starttls, login":    {TLS: "starttls", User: "sealane", Password: "hunter2 €"},
		"starttls, DSN":      {TLS: "starttls", DSN: true},
		"tls":                {TLS: "tls", DSN: true},
		"tls, login":         {TLS: "tls", User: "sealane", Password: "hunter2 €"},
		"tls, only by LOGIN": {TLS: "tls", User: "sealane", Password: "hunter2 €", OnlyLogin: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := smtptest.New(t, o)
			e := envelope(t, "ann+keys@bank.example")
			asked := 0
			r := mailer(t, s).Send(t.Context(), e, func(context.Context) error {
				if asked++; len(s.Mails()) > 0 {
					t.Error("the server has the mail before the caller was asked")
				}
				return nil
			})
			if r.State != notify.Accepted || r.Code != 250 || r.Err != nil || r.Words == "" || r.DSN != o.DSN ||
				asked != 1 || r.ServerEnds.IsZero() != (o.TLS == "") {
				t.Errorf("%+v, asked %d times", r, asked)
			}
			got := s.Mails()
			if len(got) != 1 {
				t.Fatalf("%d mails", len(got))
			}
			m := got[0]
			if m.From != "notices+n-7k2m4q@company.example" || m.To != e.To || !bytes.Equal(m.Data, e.Data) {
				t.Errorf("%q %q\n%s\nwant\n%s", m.From, m.To, m.Data, e.Data)
			}
			if !o.DSN {
				if m.Envelope.Return != "" || m.Envelope.EnvelopeID != "" || m.Notify != nil {
					t.Errorf("%+v %v", m.Envelope, m.Notify)
				}
				return
			}
			if m.Envelope.Return != smtp.DSNReturnHeaders || m.Envelope.EnvelopeID != e.Tag || m.Original != e.To ||
				!slices.Equal(m.Notify, []smtp.DSNNotify{smtp.DSNNotifyFailure, smtp.DSNNotifyDelayed}) {
				t.Errorf("%+v %v %s", m.Envelope, m.Notify, m.Original)
			}
		})
	}
}

// TestLook: what a server shows of itself, without a mail.
func TestLook(t *testing.T) {
	t.Parallel()
	ends := time.Now().AddDate(0, 0, 20).Truncate(time.Second).UTC()
	s := smtptest.New(t, smtptest.Options{TLS: "starttls", DSN: true, User: "u", Password: "p", Ends: ends})
	got, err := mailer(t, s).Look(t.Context())
	want := notify.ServerFacts{Name: "Hello sealane.example", TLS: "TLS 1.3", Ends: ends, DSN: true, Login: "PLAIN"}
	if err != nil || got != want || len(s.Mails()) > 0 {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}

// TestServerIsNotTrusted: nothing is sent to a server whose name or certificate is not right, or without TLS. The mail
// waits, and the end of a certificate is known all the same.
func TestServerIsNotTrusted(t *testing.T) {
	t.Parallel()
	ended := time.Now().AddDate(0, 0, -1).Truncate(time.Second).UTC()
	for name, c := range map[string]struct {
		o    smtptest.Options
		says string
	}{
		"another name, STARTTLS": {smtptest.Options{TLS: "starttls", Names: []string{"other.example"}}, "127.0.0.1"},
		"another name, TLS":      {smtptest.Options{TLS: "tls", Names: []string{"other.example"}}, "127.0.0.1"},
		"ended, STARTTLS":        {smtptest.Options{TLS: "starttls", Ends: ended}, "expired"},
		"ended, TLS":             {smtptest.Options{TLS: "tls", Ends: ended}, "expired"},
		"TLS 1.1":                {smtptest.Options{TLS: "tls", MaxTLS: 0x0302}, "version"},
		"no STARTTLS":            {smtptest.Options{TLS: "starttls", NoStartTLS: true}, "does not offer STARTTLS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.o.User, c.o.Password = "sealane", "hunter2"
			s := smtptest.New(t, c.o)
			r := mailer(t, s).Send(t.Context(), envelope(t, "ann@bank.example"), func(context.Context) error {
				t.Error("the caller was asked")
				return nil
			})
			if r.State != notify.Deferred || r.Code != 0 || r.Err == nil || !strings.Contains(r.Err.Error(), c.says) ||
				len(s.Mails()) > 0 || !c.o.Ends.IsZero() && !r.ServerEnds.Equal(ended) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestPasswordStaysOut: a server that repeats the login does not bring it into a result.
func TestPasswordStaysOut(t *testing.T) {
	t.Parallel()
	for _, only := range []bool{false, true} {
		s := smtptest.New(t, smtptest.Options{TLS: "tls", User: "sealane", Password: "right", OnlyLogin: only})
		c := s.Config(t)
		other := smtptest.New(t, smtptest.Options{User: "u", Password: "hunter2-is-wrong"}).Config(t)
		c.Mail.Password = other.Mail.Password
		m, err := notify.NewMailer(c)
		if err != nil {
			t.Fatal(err)
		}
		r := m.Send(t.Context(), envelope(t, "ann@bank.example"), nil)
		said := fmt.Sprintf("%+v %v", r, r.Err)
		if r.State != notify.Deferred || r.Code != 535 || strings.Contains(said, "hunter2") ||
			!strings.Contains(r.Words, "is wrong for sealane") || r.Stage != notify.StageLogin {
			t.Errorf("%s", said)
		}
	}
}

// TestOneRefused (pitfall 11): each recipient has an envelope, so one that is refused does not hold up the others.
func TestOneRefused(t *testing.T) {
	t.Parallel()
	s := smtptest.New(t, smtptest.Options{TLS: "starttls", Rcpt: func(to string) error {
		if to == "bob@bank.example" {
			return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no\x1b[2J such user"}
		}
		return nil
	}})
	m := mailer(t, s)
	for to, want := range map[string]notify.State{
		"ann@bank.example": notify.Accepted, "bob@bank.example": notify.Refused, "cyd@bank.example": notify.Accepted,
	} {
		r := m.Send(t.Context(), envelope(t, to), nil)
		if r.State != want || want == notify.Refused && (r.Code != 550 || r.Words != `5.1.1 no\x1b[2J such user`) {
			t.Errorf("%s: %+v", to, r)
		}
	}
	if n := len(s.Mails()); n != 2 {
		t.Errorf("%d mails", n)
	}
}

// TestCallerEndsAttempt: an error of the caller's function ends the attempt before any of the mail is sent.
func TestCallerEndsAttempt(t *testing.T) {
	t.Parallel()
	s := smtptest.Raw(t, nil)
	withdrawn := errors.New("it was withdrawn")
	r := mailer(t, s).Send(t.Context(), envelope(t, "ann@bank.example"),
		func(context.Context) error { return withdrawn })
	if r.State != notify.Deferred || !errors.Is(r.Err, withdrawn) || r.Stage != notify.StageSending ||
		len(s.Mails()) > 0 {
		t.Errorf("%+v", r)
	}
}

// TestAnswers (pitfalls 9 and 10): what becomes of a mail for each answer at each stage.
func TestAnswers(t *testing.T) {
	t.Parallel()
	const deferred, refused, unknown, accepted = notify.Deferred, notify.Refused, notify.Unknown, notify.Accepted
	for _, c := range []struct {
		at, says string
		want     notify.State
		code     int
	}{
		{"greeting", "421 busy", deferred, 421},
		{"greeting", "554 go away", deferred, 554},
		{"greeting", smtptest.Cut, deferred, 0},
		{"greeting", "hello", deferred, 0},
		{"greeting", "220 raw.example" + smtptest.Cut, deferred, 0},
		{"EHLO", "421 busy" + smtptest.Cut, deferred, 421},
		{"EHLO", "550 unknown name" + smtptest.Cut, deferred, 550},
		{"EHLO", smtptest.Cut, deferred, 0},
		{"EHLO", "250 raw.example" + smtptest.Cut, deferred, 0},
		{"EHLO", "500 not known", accepted, 250}, // HELO follows
		{"MAIL", "451 later", deferred, 451},
		{"MAIL", "550 sender not allowed", deferred, 550},
		{"MAIL", smtptest.Cut, deferred, 0},
		{"MAIL", "250 OK" + smtptest.Cut, deferred, 0},
		{"RCPT", "450 later", deferred, 450},
		{"RCPT", "452 mailbox full", deferred, 452},
		{"RCPT", "530 log in first", deferred, 530},
		{"RCPT", "550 no such user", refused, 550},
		{"RCPT", "552 mailbox full", refused, 552},
		{"RCPT", "251 forwarded", accepted, 250},
		{"RCPT", smtptest.Cut, deferred, 0},
		{"RCPT", "250 OK" + smtptest.Cut, deferred, 0},
		{"DATA", "451 later", deferred, 451},
		{"DATA", "554 no", refused, 554},
		{"DATA", "250 what", deferred, 250},
		{"DATA", smtptest.Cut, deferred, 0},
		{".", "451 later", deferred, 451},
		{".", "421 shutting down" + smtptest.Cut, deferred, 421},
		{".", "552 too large", refused, 552},
		{".", "554 looks like spam", refused, 554},
		{".", smtptest.Cut, unknown, 0},
		{".", "hm", unknown, 0},
		{".", "354 go on", unknown, 354},
		{".", "250 queued as R1" + smtptest.Cut, accepted, 250},
		{".", "252 taken", accepted, 252},
		{"QUIT", smtptest.Cut, accepted, 250},
		{"QUIT", "500 what", accepted, 250},
	} {
		t.Run(strings.ReplaceAll(c.at+" "+c.says, "\x00", ", "), func(t *testing.T) {
			t.Parallel()
			s := smtptest.Raw(t, smtptest.Answers{c.at: c.says})
			asked := 0
			r := mailer(t, s).Send(t.Context(), envelope(t, "ann@bank.example"), func(context.Context) error {
				asked++
				return nil
			})
			early := slices.Contains([]string{"greeting", "MAIL"}, c.at) || c.at == "RCPT" && c.want != accepted &&
				c.says != "250 OK"+smtptest.Cut || c.at == "EHLO" && c.want != accepted
			if r.State != c.want || r.Code != c.code || (r.Err == nil) != (c.want == accepted) || asked > 0 == early {
				t.Errorf("%+v, asked %d times", r, asked)
			}
			if c.want == unknown && len(s.Mails()) != 1 {
				t.Error("the server has not got the mail")
			}
		})
	}
}

// TestSlow: a server that does not answer, or answers without an end, ends the attempt. After the whole mail was sent
// it is not known whether it was taken.
func TestSlow(t *testing.T) {
	t.Parallel()
	short := func(m *notify.MailConfig) { m.Timeout = strictyaml.Duration(100 * time.Millisecond) }
	for _, says := range []string{smtptest.Hang, smtptest.Endless} {
		for at, want := range map[string]notify.State{
			"greeting": notify.Deferred, "EHLO": notify.Deferred, "MAIL": notify.Deferred, "RCPT": notify.Deferred,
			"DATA": notify.Deferred, ".": notify.Unknown, "QUIT": notify.Accepted,
		} {
			t.Run(strings.TrimLeft(says, "\x00")+" "+at, func(t *testing.T) {
				t.Parallel()
				r := mailer(t, smtptest.Raw(t, smtptest.Answers{at: says}), short).
					Send(t.Context(), envelope(t, "ann@bank.example"), nil)
				if r.State != want || (r.Err == nil) != (want == notify.Accepted) || len(r.Words) > 2000 {
					t.Errorf("%+v", r)
				}
			})
		}
	}
}

// TestContextEnds: the end of the context ends the attempt at once, at each stage.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	for at, want := range map[string]notify.State{
		"greeting": notify.Deferred, "EHLO": notify.Deferred, "MAIL": notify.Deferred, "RCPT": notify.Deferred,
		"DATA": notify.Deferred, ".": notify.Unknown,
	} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			s := smtptest.Raw(t, smtptest.Answers{at: smtptest.Hang})
			m := mailer(t, s, func(m *notify.MailConfig) { m.Timeout = strictyaml.Duration(time.Hour) })
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			r := m.Send(ctx, envelope(t, "ann@bank.example"), nil)
			if r.State != want || !errors.Is(r.Err, context.DeadlineExceeded) {
				t.Errorf("%+v", r)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := smtptest.Raw(t, nil)
	if r := mailer(t, s).Send(ctx, envelope(t, "ann@bank.example"), nil); r.State != notify.Deferred ||
		!errors.Is(r.Err, context.Canceled) || s.Seen() > 0 {
		t.Errorf("%+v", r)
	}
}

// TestEnvelopeIsRefused: what could be read as another command, or as another mail, is not sent to any server.
func TestEnvelopeIsRefused(t *testing.T) {
	t.Parallel()
	s := smtptest.Raw(t, nil)
	m := mailer(t, s)
	good := envelope(t, "ann@bank.example")
	for name, change := range map[string]func(*notify.Envelope){
		"recipient with a line":   func(e *notify.Envelope) { e.To = "a@b.example>\r\nRCPT TO:<eve@evil.example" },
		"two recipients":          func(e *notify.Envelope) { e.To = "ann@bank.example,eve@evil.example" },
		"recipient with a blank":  func(e *notify.Envelope) { e.To = `"ann lee"@bank.example` },
		"recipient not ASCII":     func(e *notify.Envelope) { e.To = "ann@b\u0430nk.example" },
		"recipient with a name":   func(e *notify.Envelope) { e.To = "Ann <ann@bank.example>" },
		"no recipient":            func(e *notify.Envelope) { e.To = "" },
		"long recipient":          func(e *notify.Envelope) { e.To = strings.Repeat("a", 300) + "@bank.example" },
		"no tag":                  func(e *notify.Envelope) { e.Tag = "" },
		"tag with a line":         func(e *notify.Envelope) { e.Tag = "a\r\nRCPT" },
		"tag with a blank":        func(e *notify.Envelope) { e.Tag = "a NOTIFY=NEVER" },
		"long tag":                func(e *notify.Envelope) { e.Tag = strings.Repeat("a", 41) },
		"no mail":                 func(e *notify.Envelope) { e.Data = nil },
		"line feed alone":         func(e *notify.Envelope) { e.Data = []byte("A: b\r\n\r\na\n.\nMAIL FROM:<x>\r\n") },
		"carriage return alone":   func(e *notify.Envelope) { e.Data = []byte("A: b\r\n\r\na\r.\rMAIL FROM:<x>\r\n") },
		"no end":                  func(e *notify.Envelope) { e.Data = []byte("A: b\r\n\r\na") },
		"eight bits":              func(e *notify.Envelope) { e.Data = []byte("A: b\r\n\r\n\xe9\r\n") },
		"a line that is too long": func(e *notify.Envelope) { e.Data = []byte(strings.Repeat("a", 999) + "\r\n") },
		"too large":               func(e *notify.Envelope) { e.Data = bytes.Repeat([]byte("a\r\n"), 1<<20) },
	} {
		e := good
		change(&e)
		if r := m.Send(t.Context(), e, nil); r.State != notify.Refused || r.Err == nil || r.Code != 0 ||
			r.Stage != notify.StageEnvelope {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if s.Seen() > 0 {
		t.Error("the server was called")
	}
}

// TestLoginAndTLSAnswers: a server that can't do now what it has offered, or says it in a form of its own, has no mail
// and no password.
func TestLoginAndTLSAnswers(t *testing.T) {
	t.Parallel()
	password := smtptest.New(t, smtptest.Options{User: "u", Password: "hunter2"}).Config(t).Mail.Password
	login := func(m *notify.MailConfig) { m.Username, m.Password = "sealane", password }
	start := func(m *notify.MailConfig) { m.TLS = "starttls" }
	fromStart := func(m *notify.MailConfig) { m.TLS = "tls" }
	const offersLogin, offersTLS = "250-raw.example\n250 AUTH PLAIN LOGIN", "250-raw.example\n250 STARTTLS"
	for name, c := range map[string]struct {
		hello, to, says string
		change          func(*notify.MailConfig)
		stage           notify.Stage
		code            int
	}{
		"login later":           {offersLogin, "AUTH", "454 later", login, notify.StageLogin, 454},
		"login refused":         {offersLogin, "AUTH", "535 no", login, notify.StageLogin, 535},
		"login cut":             {offersLogin, "AUTH", smtptest.Cut, login, notify.StageLogin, 0},
		"login asks again":      {offersLogin, "AUTH", "334 aHVudGVyMg==", login, notify.StageLogin, 0},
		"no login":              {"250 raw.example", "AUTH", "", login, notify.StageLogin, 0},
		"other logins":          {"250-raw\n250 AUTH GSSAPI", "AUTH", "", login, notify.StageLogin, 0},
		"TLS later":             {offersTLS, "STARTTLS", "454 later", start, notify.StageTLS, 454},
		"TLS refused":           {offersTLS, "STARTTLS", "502 no", start, notify.StageTLS, 502},
		"TLS cut":               {offersTLS, "STARTTLS", "220 go" + smtptest.Cut, start, notify.StageTLS, 0},
		"TLS in plain":          {offersTLS, "STARTTLS", "220 go\n" + offersLogin, start, notify.StageTLS, 0},
		"TLS hangs":             {offersTLS, "STARTTLS", "220 go", start, notify.StageTLS, 0},
		"no TLS from the start": {"250 raw.example", "STARTTLS", "", fromStart, notify.StageTLS, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := smtptest.Raw(t, smtptest.Answers{"EHLO": c.hello, c.to: c.says})
			short := func(m *notify.MailConfig) { m.Timeout = strictyaml.Duration(500 * time.Millisecond) }
			r := mailer(t, s, c.change, short).Send(t.Context(), envelope(t, "ann@bank.example"), nil)
			said := fmt.Sprintf("%+v %v", r, r.Err)
			if r.State != notify.Deferred || r.Stage != c.stage || r.Code != c.code || len(s.Mails()) > 0 ||
				strings.Contains(said, "hunter2") || strings.Contains(said, "aHVudGVyMg") {
				t.Error(said)
			}
		})
	}
}
