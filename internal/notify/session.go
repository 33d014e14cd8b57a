package notify

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"github.com/sealane/sealane/internal/loopback"
)

// Stage is a part of the conversation with a mail server.
type Stage string

// The stages, in their order.
const (
	StageEnvelope  Stage = "envelope"  // before the server is called
	StageConnect   Stage = "connect"   // connection and greeting
	StageHello     Stage = "hello"     // EHLO
	StageTLS       Stage = "tls"       // STARTTLS, or TLS from the start
	StageLogin     Stage = "login"     // AUTH
	StageSender    Stage = "sender"    // MAIL
	StageRecipient Stage = "recipient" // RCPT
	StageSending   Stage = "sending"   // the caller's function
	StageData      Stage = "data"      // DATA, and the mail
	StageEnd       Stage = "end"       // the whole mail was sent, and its answer is waited for
)

// session is one connection to a mail server.
type session struct {
	m       *Mailer
	ctx     context.Context
	conn    *boundedConn
	client  *smtp.Client
	stop    func() bool // of the function that closes the connection when the context ends
	stage   Stage
	facts   ServerFacts
	asked   bool     // for reports of failure and delay
	words   string   // of the answer that accepted the mail
	secrets []string // forms of the password that a server may repeat
}

// open connects to the server, greets it, and logs in. The session must be closed, after an error too.
func (m *Mailer) open(ctx context.Context) (*session, error) {
	s := &session{m: m, ctx: ctx, stage: StageConnect}
	dialer := net.Dialer{Timeout: m.timeout}
	conn, err := dialer.DialContext(ctx, "tcp", m.c.Server)
	if err != nil {
		return s, err
	}
	s.conn = &boundedConn{Conn: conn, left: maxServer}
	s.stop = context.AfterFunc(ctx, func() { s.conn.Close() })
	if host, _, err := net.SplitHostPort(conn.RemoteAddr().String()); m.c.TLS == tlsNone &&
		(err != nil || !loopback.Is(host)) {
		return s, errors.New("mail.tls is none, and the server is not on this machine")
	}
	config := m.tls.Clone()
	config.VerifyConnection = func(state tls.ConnectionState) error {
		s.facts.TLS, s.facts.Ends = tls.VersionName(state.Version), state.PeerCertificates[0].NotAfter
		return nil
	}
	secured, err := s.secure(config)
	if err != nil {
		return s, err
	}
	if s.client, err = smtp.NewClient(secured, m.host); err != nil {
		return s, err
	}
	s.client.SkipSMTPUTF8(true)
	return s, s.greet(config)
}

// secure returns the connection, by TLS if the server speaks it from the start.
func (s *session) secure(config *tls.Config) (net.Conn, error) {
	s.within(s.m.timeout)
	if s.m.c.TLS != tlsOnly {
		return s.conn, nil
	}
	s.stage = StageTLS
	t := tls.Client(s.conn, config)
	if err := t.HandshakeContext(s.ctx); err != nil {
		return nil, err
	}
	s.stage = StageConnect
	return t, nil
}

// greet greets the server, starts TLS where it has not begun, and logs in.
func (s *session) greet(config *tls.Config) error {
	s.begin(StageHello)
	if err := s.client.Hello(s.m.hello(s.conn)); err != nil {
		return err
	}
	if c := s.m.c.TLS; c == "" || c == tlsStart {
		s.begin(StageTLS)
		if offered, _ := s.client.Extension("STARTTLS"); !offered {
			return errors.New("the server does not offer STARTTLS, and nothing is sent without TLS: ask its " +
				"operators, or give mail.tls: tls and its port for TLS from the start, which mostly is 465")
		}
		if err := s.client.StartTLS(config); err != nil {
			return err
		}
	}
	s.facts.Name = printable(s.client.HelloResponse())
	s.facts.DSN, _ = s.client.Extension("DSN")
	if s.m.c.Username == "" {
		return nil
	}
	return s.login()
}

// hello returns the name by which we greet: the configured one, the system's if it is one of DNS, or the address.
func (m *Mailer) hello(conn net.Conn) string {
	if m.c.Hello != "" {
		return m.c.Hello
	}
	if name, err := os.Hostname(); err == nil && strings.Contains(name, ".") &&
		!strings.ContainsFunc(name, unprintable) {
		return name
	}
	host, _, err := net.SplitHostPort(conn.LocalAddr().String())
	switch {
	case err != nil:
		return "localhost"
	case strings.Contains(host, ":"):
		return "[IPv6:" + host + "]"
	}
	return "[" + host + "]"
}

func (s *session) login() error {
	s.begin(StageLogin)
	password, err := s.m.c.Password.Read(s.ctx, s.m.dir)
	if err != nil {
		return fmt.Errorf("mail.password: %w", err)
	}
	user := s.m.c.Username
	for _, form := range []string{password, user + "\x00" + password, "\x00" + user + "\x00" + password} {
		s.secrets = append(s.secrets, base64.StdEncoding.EncodeToString([]byte(form)))
	}
	s.secrets = append(s.secrets, password)
	_, offered := s.client.Extension("AUTH")
	ways := strings.Fields(strings.ToUpper(offered))
	plainly := s.m.c.TLS == tlsNone
	var auth smtp.Auth
	switch {
	case slices.Contains(ways, "PLAIN"):
		s.facts.Login, auth = "PLAIN", smtp.PlainAuth("", user, password, s.m.host, plainly)
	case slices.Contains(ways, "LOGIN"):
		s.facts.Login, auth = "LOGIN", smtp.LoginAuth(user, password, s.m.host, plainly)
	default:
		return fmt.Errorf("the server offers no login by PLAIN or LOGIN, but %q", printable(offered))
	}
	if err := s.client.Auth(auth); err != nil {
		s.facts.Login = ""
		return err
	}
	return nil
}

// transfer sends a mail.
func (s *session) transfer(ctx context.Context, e Envelope, sending func(context.Context) error) error {
	from, to := "<"+s.m.from(e.Tag)+">", "<"+e.To+">"
	if s.asked = s.facts.DSN; s.asked { // RFC 3461; no character of a tag or an address needs another form
		from += " RET=HDRS ENVID=" + e.Tag
		to += " NOTIFY=FAILURE,DELAY ORCPT=rfc822;" + xtext(e.To)
	}
	s.begin(StageSender)
	if err := s.client.Mail(from); err != nil {
		return err
	}
	s.begin(StageRecipient)
	if err := s.client.Rcpt(to); err != nil {
		return err
	}
	s.stage = StageSending
	if sending != nil {
		if err := sending(ctx); err != nil {
			s.quit()
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.begin(StageData)
	w, err := s.client.Data()
	if err != nil {
		return err
	}
	s.within(answerFactor * s.m.timeout)
	if _, err := w.Write(e.Data); err != nil {
		return s.early(err)
	}
	s.stage = StageEnd
	if err := w.Close(); err != nil {
		return err
	}
	if d, ok := w.(*smtp.DataCloser); ok {
		s.words = d.ServerResponse()
	}
	return nil
}

// answerFactor is how many times longer than others the answer to a mail may take: servers look for spam before it.
const answerFactor = 5

// early returns the answer of a server that did not read the whole mail, or the error.
func (s *session) early(err error) error {
	s.within(min(s.m.timeout, quitTime))
	if _, _, answer := s.client.Text.ReadResponse(250); answer != nil {
		if refusal, ok := errors.AsType[*textproto.Error](answer); ok {
			return refusal
		}
	}
	return err
}

// begin begins a stage, which has its own time.
func (s *session) begin(stage Stage) {
	s.stage = stage
	s.within(s.m.timeout)
}

// within limits the time until the server has answered. Bytes that come slowly do not prolong it.
func (s *session) within(d time.Duration) {
	_ = s.conn.SetDeadline(time.Now().Add(d)) // a connection that is closed says so when it is read
}

// quitTime is how long a server may take to say goodbye.
const quitTime = 5 * time.Second

// quit ends the conversation. What the server says to that does not matter.
func (s *session) quit() {
	s.within(min(s.m.timeout, quitTime))
	_ = s.client.Quit()
}

func (s *session) close() {
	if s.conn != nil {
		s.stop()
		s.conn.Close()
	}
}

// xtext writes an address as a value of RFC 3461, section 4.
func xtext(address string) string {
	var b strings.Builder
	for _, c := range []byte(address) {
		if c == '+' || c == '=' {
			fmt.Fprintf(&b, "+%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// boundedConn is a connection that reads a limited number of bytes.
type boundedConn struct {
	net.Conn
	left int
}

func (c *boundedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, fmt.Errorf("the server sent more than %d bytes", maxServer)
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}
