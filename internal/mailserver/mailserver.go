// Package mailserver is a mail server in this process, on loopback, which keeps the mails that it takes and delivers
// none: for the demo, and for tests.
package mailserver

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Options say what a server does. The zero value takes all mails, without TLS and without a login.
type Options struct {
	// TLS has it speak TLS: from the start of each connection or, with StartTLS, when a client asks for it.
	TLS      *tls.Config
	StartTLS bool
	// DSN has it offer reports of failure and delay.
	DSN bool
	// User and Password are those that it asks for.
	User, Password string
	// OnlyLogin has it offer LOGIN, and not PLAIN.
	OnlyLogin bool
	// Rcpt and Data return the error with which it refuses a recipient or a mail. They may be nil.
	Rcpt func(to string) error
	Data func(m Mail) error
}

// Server is a mail server.
type Server struct {
	address string
	options Options
	smtp    *smtp.Server
	served  chan struct{}

	Taken
}

// Start runs a server on a free port of loopback until Close is called.
func Start(o Options) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{address: l.Addr().String(), options: o, served: make(chan struct{})}
	s.smtp = smtp.NewServer(smtp.BackendFunc(s.connected))
	s.smtp.Domain, s.smtp.EnableDSN, s.smtp.AllowInsecureAuth = "mail.example", o.DSN, true
	s.smtp.ReadTimeout, s.smtp.WriteTimeout = 10*time.Second, 10*time.Second
	s.smtp.MaxMessageBytes = maxMail
	s.smtp.ErrorLog = log.New(io.Discard, "", 0)
	switch {
	case o.StartTLS:
		s.smtp.TLSConfig = o.TLS
	case o.TLS != nil:
		l = tls.NewListener(l, o.TLS)
	}
	go func() {
		defer close(s.served)
		s.smtp.Serve(l)
	}()
	return s, nil
}

// maxMail limits a mail, in bytes.
const maxMail = 4 << 20

// Close ends the server and its connections.
func (s *Server) Close() error {
	err := s.smtp.Close()
	<-s.served
	return err
}

// Address returns where the server is: HOST:PORT.
func (s *Server) Address() string { return s.address }

// connected returns the session of a client that has greeted the server.
func (s *Server) connected(*smtp.Conn) (smtp.Session, error) {
	s.Greeted()
	if s.options.User == "" {
		return &session{server: s}, nil
	}
	return &loginSession{session{server: s}}, nil
}

// session is a connection to the server without a login.
type session struct {
	server *Server
	m      Mail
	denied bool
}

func (s *session) Mail(from string, o *smtp.MailOptions) error {
	if s.denied {
		return smtp.ErrAuthRequired
	}
	s.m = Mail{From: from, Envelope: *o}
	return nil
}

func (s *session) Rcpt(to string, o *smtp.RcptOptions) error {
	if s.m.To != "" {
		return errors.New("a mail has one recipient here")
	}
	if f := s.server.options.Rcpt; f != nil {
		if err := f(to); err != nil {
			return err
		}
	}
	s.m.To, s.m.Notify, s.m.Original = to, o.Notify, o.OriginalRecipient
	return nil
}

func (s *session) Data(r io.Reader) error {
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil {
		return err
	}
	s.m.Data = b.Bytes()
	if f := s.server.options.Data; f != nil {
		if err := f(s.m); err != nil {
			return err
		}
	}
	s.server.Take(s.m)
	return nil
}

func (s *session) Reset()        { s.m = Mail{} }
func (s *session) Logout() error { return nil }

// loginSession is one with a login.
type loginSession struct{ session }

func (s *loginSession) AuthMechanisms() []string {
	if s.server.options.OnlyLogin {
		return []string{sasl.Login}
	}
	return []string{sasl.Plain, sasl.Login}
}

// Auth refuses as a server does that says too much.
func (s *loginSession) Auth(way string) (sasl.Server, error) {
	check := func(user, password string) error {
		if o := s.server.options; user != o.User || password != o.Password {
			return &smtp.SMTPError{
				Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8},
				Message: "password " + password + " is wrong for " + user,
			}
		}
		return nil
	}
	if way == sasl.Login {
		return &loginServer{check: check}, nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
}

// loginServer is the server's side of LOGIN, which go-sasl has not.
type loginServer struct {
	check func(user, password string) error
	user  *string
}

func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case response == nil:
		return []byte("Username:"), false, nil
	case l.user == nil:
		user := string(response)
		l.user = &user
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(*l.user, string(response))
}
