// Package smtptest has mail servers for tests: [New] returns a real one, and [Raw] one that says what a test tells it.
package smtptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/mailserver"
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
type Mail = mailserver.Mail

// Server is a mail server.
type Server struct {
	*mailserver.Taken

	Address string // HOST:PORT
	CA      string // a file in PEM; empty: it has no TLS
	options Options
}

// New runs a server of go-smtp until the test ends.
func New(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{options: o}
	does := mailserver.Options{
		DSN: o.DSN, User: o.User, Password: o.Password, OnlyLogin: o.OnlyLogin, Rcpt: o.Rcpt, Data: o.Data,
	}
	if o.TLS != "" && !o.NoStartTLS {
		does.TLS, does.StartTLS = s.certify(t, o), o.TLS == "starttls"
	}
	server, err := mailserver.Start(does)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	s.Taken, s.Address = &server.Taken, server.Address()
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
