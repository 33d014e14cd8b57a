package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/readlimit"
	"github.com/sealane/sealane/internal/strictyaml"
)

// State is what became of an attempt to send a mail.
type State string

// The states of an attempt.
const (
	// Accepted means that the server took the mail. It may still report that it can't deliver it.
	Accepted State = "accepted"
	// Deferred means that the server has not got the mail, and that a later attempt may succeed.
	Deferred State = "deferred"
	// Refused means that the server will not take this mail for this recipient.
	Refused State = "refused"
	// Unknown means that the whole mail was sent, and that the server's answer is not known: it may have been taken.
	// The caller may send the same bytes once more. The outbox calls it uncertain until the second time.
	Unknown State = "unknown"
)

// Envelope is a mail for one recipient.
type Envelope struct {
	// To is the recipient's address.
	To string
	// Tag is added to the sender's address, and names the mail in reports of failures: letters, digits, - and _.
	Tag string
	// Data is the mail, as [Message.Bytes] returns it. It is sent byte for byte.
	Data []byte
}

// Result says what became of an attempt.
type Result struct {
	State State
	// Code is the server's, as 250 or 550. Zero: it gave none.
	Code int
	// Words are what the server said: printable, and 500 characters at most.
	Words string
	// DSN reports whether the server offers reports of failure and delay, and was asked for them.
	DSN bool
	// ServerEnds is when the server's certificate ends. Zero: it showed none.
	ServerEnds time.Time
	// Stage is how far the attempt came.
	Stage Stage
	// Err is for operators. It is nil if the server took the mail.
	Err error
}

// Mailer sends mails by one server. Several goroutines may use it.
type Mailer struct {
	c       *MailConfig
	dir     string // where relative paths begin
	host    string
	tls     *tls.Config
	sender  string
	timeout time.Duration
}

// NewMailer returns a Mailer for the server of a configuration. It reads the files that it names.
func NewMailer(c *Config) (*Mailer, error) {
	if c.Mail == nil {
		return nil, errors.New("no mail server is configured: give mail in the notification file")
	}
	f := strictyaml.NewCheck(c.lines)
	c.Mail.check(f)
	if err := f.Err(c.file, nil); err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(c.Mail.Server)
	if err != nil {
		return nil, err
	}
	sender, _ := c.Mail.sender()
	m := &Mailer{
		c: c.Mail, dir: c.dir, host: host, sender: sender, timeout: c.Mail.Timeout.Or(time.Minute),
		tls: &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host},
	}
	if m.tls.RootCAs, err = readIssuers(c.in(c.Mail.CA)); err != nil {
		return nil, fmt.Errorf("mail.ca: %w", err)
	}
	if c.Mail.Username != "" {
		if _, err := c.Mail.Password.Read(context.Background(), m.dir); err != nil {
			return nil, fmt.Errorf("mail.password: %w", err)
		}
	}
	return m, nil
}

// readIssuers reads the certificates of issuers. Without a file it returns nil: the system's.
func readIssuers(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	data, err := readlimit.File(file, maxConfig)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s has no certificate in PEM", file)
	}
	return pool, nil
}

// Server returns HOST:PORT of the server.
func (m *Mailer) Server() string { return m.c.Server }

// tagForm is what a tag may be.
var tagForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`)

// from returns the sender of a mail with a tag.
func (m *Mailer) from(tag string) string {
	at := strings.LastIndexByte(m.sender, '@')
	return m.sender[:at] + "+" + tag + m.sender[at:]
}

// check refuses an envelope that no server would take, or that could have another meaning to one.
func (e Envelope) check() error {
	if err := checkAddress(e.To); err != nil {
		return fmt.Errorf("recipient %.80q: %w", e.To, err)
	}
	if !tagForm.MatchString(e.Tag) {
		return fmt.Errorf("tag %.80q: it has other characters than letters, digits, - and _, or more than %d",
			e.Tag, maxTag)
	}
	return checkData(e.Data)
}

// Send sends a mail. It calls sending after the recipient was accepted, and before any of the mail is sent; its error
// ends the attempt there, as deferred. The end of the context ends the attempt at once: as unknown if the whole mail
// was sent.
//
// What the server refuses before the recipient, such as the login or the sender, says nothing about the recipient:
// it is deferred, whatever the server's code is, and Err says what an operator must correct.
func (m *Mailer) Send(ctx context.Context, e Envelope, sending func(context.Context) error) Result {
	if err := e.check(); err != nil {
		return Result{State: Refused, Stage: StageEnvelope, Err: fmt.Errorf("the mail can't be sent: %w", err)}
	}
	s, err := m.open(ctx)
	defer s.close()
	if err == nil {
		err = s.transfer(ctx, e, sending)
	}
	if err == nil {
		s.quit()
	}
	return s.result(err)
}

// ServerFacts is what a mail server shows of itself.
type ServerFacts struct {
	// Name is how it names itself in the answer to our greeting.
	Name string
	// TLS is the version, such as "TLS 1.3". Empty: there is none.
	TLS string
	// Ends is when its certificate ends.
	Ends time.Time
	// DSN reports whether it offers reports of failure and delay.
	DSN bool
	// Login is the way in which we logged in, such as PLAIN. Empty: there is no login.
	Login string
}

// Look connects to the server, greets it, logs in, and ends the connection. It sends no mail. If the server's
// certificate is not accepted, for example because it has ended, the facts have its end, and there is an error.
func (m *Mailer) Look(ctx context.Context) (ServerFacts, error) {
	s, err := m.open(ctx)
	defer s.close()
	if err == nil {
		s.quit()
	}
	return s.facts, s.explain(err)
}
