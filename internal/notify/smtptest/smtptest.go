// Package smtptest has mail servers for tests: [New] returns a real one, and [Raw] one that says what a test tells it.
package smtptest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/sealane/sealane/internal/notify"
	"github.com/sealane/sealane/internal/secretplace"
	"github.com/sealane/sealane/internal/strictyaml"
)

// Options say what a server does. The zero value takes all mails, without TLS and without a login.
type Options struct {
	// TLS is starttls or tls. Empty: none.
	TLS string
	// Names are those in its certificate. The default is 127.0.0.1.
	Names []string
	// Ends is when its certificate ends. The default is in a day.
	Ends time.Time
	// NoStartTLS has the server not offer STARTTLS, although its clients want it.
	NoStartTLS bool
	// MaxTLS is the highest version of TLS that the server speaks.
	MaxTLS uint16
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

// Mail is one that the server took.
type Mail struct {
	From, To string
	Data     []byte
	Envelope smtp.MailOptions
	Notify   []smtp.DSNNotify
	Original string // of ORCPT
}

// Server is a mail server.
type Server struct {
	Address string // HOST:PORT
	CA      string // a file in PEM; empty: it has no TLS
	options Options

	mu    sync.Mutex
	mails []Mail
	seen  int
}

// New runs a server of go-smtp until the test ends.
func New(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{options: o}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.seen++
		if o.User == "" {
			return &session{server: s}, nil
		}
		return &loginSession{session{server: s}}, nil
	}))
	server.Domain, server.EnableDSN, server.AllowInsecureAuth = "mail.example", o.DSN, true
	server.ReadTimeout, server.WriteTimeout = 10*time.Second, 10*time.Second
	server.ErrorLog = log.New(io.Discard, "", 0)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Address = l.Addr().String()
	if o.TLS != "" {
		config := s.certify(t, o)
		if o.TLS == "tls" {
			l = tls.NewListener(l, config)
		} else if !o.NoStartTLS {
			server.TLSConfig = config
		}
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve(l)
	}()
	t.Cleanup(func() { server.Close(); <-served })
	return s
}

// certify makes the server's certificate, and the file with the one that its clients trust.
func (s *Server) certify(t testing.TB, o Options) *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.example"},
		NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: o.Ends, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, DNSNames: o.Names,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if o.Names == nil {
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	if o.Ends.IsZero() {
		template.NotAfter = time.Now().AddDate(0, 0, 1)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	s.CA = filepath.Join(t.TempDir(), "ca.pem")
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(s.CA, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MaxVersion: o.MaxTLS,
		MinVersion: tls.VersionTLS10,
	}
}

// Config returns a configuration that sends by this server.
func (s *Server) Config(t testing.TB) *notify.Config {
	t.Helper()
	m := &notify.MailConfig{
		Server: s.Address, TLS: s.options.TLS, CA: s.CA, From: "notices@company.example", FromName: "Company",
		Hello: "sealane.example", Timeout: strictyaml.Duration(5 * time.Second),
	}
	if m.TLS == "" {
		m.TLS = "none"
	}
	if s.options.User != "" {
		file := filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(file, []byte(s.options.Password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		m.Username, m.Password = s.options.User, secretplace.Place("file:"+file)
	}
	return &notify.Config{
		Mail: m, Answers: notify.Answers{Name: "Kim Day", Email: "keys@company.example", Telephone: "+1 555 0100"},
		Operations: []string{"operations@company.example"},
	}
}

// Mails returns the mails that the server took so far, in their order.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// Seen returns how many clients have greeted the server.
func (s *Server) Seen() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
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
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, s.m)
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
