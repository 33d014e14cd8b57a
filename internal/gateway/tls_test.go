package gateway_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/gateway"
)

// authority issues certificates for tests.
type authority struct {
	t           *testing.T
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, key: key}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true,
	}
	a.certificate = a.sign(template, template, &key.PublicKey)
	return a
}

func (a *authority) sign(template, parent *x509.Certificate, public any) *x509.Certificate {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return c
}

func (a *authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw}))
}

// issue returns a certificate for 127.0.0.1 with a common name and DNS names, and its key, as PEM.
func (a *authority) issue(name string, usage x509.ExtKeyUsage, dns ...string) (certificate, key string) {
	a.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c := a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(
			time.Now().UnixNano(),
		), Subject: pkix.Name{CommonName: name}, DNSNames: append(dns, "gateway.example"),
		NotBefore: time.Now().
			Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}, a.certificate, &private.PublicKey)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		a.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// client returns a client with a certificate of that name, or without one for "".
func (a *authority) client(name string, usage x509.ExtKeyUsage) *http.Client {
	a.t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	config := &tls.Config{RootCAs: pool, ServerName: "gateway.example"}
	if name != "" {
		certificate, key := a.issue(name, usage)
		pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
		if err != nil {
			a.t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{
		Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, DisableKeepAlives: true},
	}
}

// TestMutualTLS: the caller is known by the certificate of the connection, over HTTP/1.1 and 2.
func TestMutualTLS(t *testing.T) {
	ca := newAuthority(t)
	var app seen
	url := serve(t, app.answer(200, `{"eval_id":"e-1"}`))
	certificate, key := ca.issue("gateway", x509.ExtKeyUsageServerAuth)
	files := withFiles("server.crt", certificate, "server.key", key, "ca.pem", ca.pem())
	config := strings.Replace(ingress(url), "caller: unauthenticated", "caller: mutual-tls", 1) +
		"  tls: {certificate: server.crt, key: server.key, client_ca: ca.pem, client_names: [acme.example]}\n"
	g := start(t, config, files)
	address := "https://" + g.addresses["in"].String() + "/api/evaluation"
	send := func(c *http.Client) (answer, error) {
		r, err := http.NewRequestWithContext(t.Context(), "POST", address, strings.NewReader(sealedEvaluation(t)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Payload-Encrypted", "true")
		response, err := c.Do(r)
		if err != nil {
			return answer{}, err
		}
		a := readAnswer(t, response)
		if response.ProtoMajor != 2 {
			t.Errorf("HTTP/%d", response.ProtoMajor)
		}
		return a, nil
	}
	if a, err := send(ca.client("acme.example", x509.ExtKeyUsageClientAuth)); err != nil || a.status != 200 ||
		opened(t, a.body) != `{"eval_id":"e-1"}` {
		t.Errorf("%d %s %v", a.status, a.body, err)
	}
	if r, _ := app.last(t); r.Header.Get("X-Forwarded-Proto") != "https" {
		t.Error(r.Header)
	}
	if a, err := send(ca.client("other.example", x509.ExtKeyUsageClientAuth)); err != nil || a.status != 401 {
		t.Errorf("another name: %d %v", a.status, err)
	}
	if _, err := send(ca.client("", 0)); err == nil {
		t.Error("no certificate, and an answer")
	}
	if app.count() != 1 {
		t.Errorf("%d requests arrived", app.count())
	}
	if log := g.logged(); !strings.Contains(log, `"caller":"mutual-tls acme.example"`) {
		t.Error(log)
	}
}

// TestEgressByCertificate: beyond loopback, an egress serves client certificates that it lists.
func TestEgressByCertificate(t *testing.T) {
	ca := newAuthority(t)
	certificate, key := ca.issue("gateway", x509.ExtKeyUsageServerAuth)
	files := withFiles("server.crt", certificate, "server.key", key, "ca.pem", ca.pem())
	var partner seen
	config := strings.Replace(
		egress(serve(t, partner.answer(200, "{}")), `plain: ["GET /x"]`, "hosts: gateway.example"),
		"127.0.0.1:0",
		"0.0.0.0:0",
		1,
	) +
		"  tls: {certificate: server.crt, key: server.key, client_ca: ca.pem, client_names: [app.example]}\n"
	g := start(t, config, files)
	_, port, _ := strings.Cut(strings.TrimPrefix(g.addresses["out"].String(), "[::]"), ":")
	for name, want := range map[string]int{"app.example": 200, "other.example": 403} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "https://127.0.0.1:"+port+"/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "gateway.example"
		response, err := ca.client(name, x509.ExtKeyUsageClientAuth).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if a := readAnswer(t, response); a.status != want {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// TestProxyHeaders: the certificate that a proxy in front names counts from listed addresses only.
func TestProxyHeaders(t *testing.T) {
	var app seen
	url := serve(t, app.answer(200, "{}"))
	for _, c := range []struct {
		from, header string
		want         int
	}{
		{"127.0.0.0/8", "CN=acme.example,O=Acme", 200},
		{"127.0.0.0/8", "O=Acme, CN=acme.example", 200},
		{"127.0.0.0/8", "/O=Acme/CN=acme.example", 200},
		{"127.0.0.0/8", "acme.example", 200},
		{"127.0.0.1", "CN=acme.example", 200},
		{"10.0.0.0/8", "CN=acme.example", 401},
		{"127.0.0.0/8", "CN=other.example", 401},
		{"127.0.0.0/8", "", 401},
		{"127.0.0.0/8", "CN=evil,CN=acme.example", 401},
		{"127.0.0.0/8", `O="x,CN=acme.example",CN=evil`, 401},
		{"127.0.0.0/8", `O=x\,CN=acme.example`, 401},
		{"127.0.0.0/8", "CN=acme.example,CN=evil", 401},
		{"127.0.0.0/8", "CN=acme.example, cn = evil", 401},
		{"127.0.0.0/8", "OCN=acme.example", 401},
		{"127.0.0.0/8", "CN=acme.example.evil", 401},
	} {
		g := start(t, strings.Replace(ingress(url, "sealing: optional"), "caller: unauthenticated",
			"caller: {certificate_header: X-Amzn-Mtls-Subject, names: [acme.example], from: "+c.from+"}", 1))
		a := call(t, "GET", g.url("in")+"/x", "", "X-Amzn-Mtls-Subject", c.header)
		if a.status != c.want {
			t.Errorf("%s %q: %d", c.from, c.header, a.status)
		}
		if c.want == 200 {
			if r, _ := app.last(t); r.Header.Get("X-Amzn-Mtls-Subject") != "" {
				t.Error("the header arrived")
			}
		}
		if a := call(t, "GET", g.url("in")+"/x", "", "X-Amzn-Mtls-Subject", c.header, "x_amzn_mtls_subject",
			c.header); a.status != 401 {
			t.Errorf("%s twice: %d", c.header, a.status)
		}
	}
}

// TestSameBytes: unknown and malformed callers get the same bytes.
func TestSameBytes(t *testing.T) {
	g := start(t, strings.Replace(ingress("http://127.0.0.1:1", "sealing: optional"), "caller: unauthenticated",
		"caller: {certificate_header: X-Cert, names: [acme.example], from: 127.0.0.1}", 1))
	answers := map[string]bool{}
	for _, header := range []string{"", "X-Cert: evil\r\n", "X-Cert: CN=a,CN=b\r\n", "X-Cert: a\r\nX-Cert: b\r\n",
		"X-Cert: \r\n"} {
		text := raw(t, g.addresses["in"], "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"+header+"\r\n")
		before, after, _ := strings.Cut(text, "Date: ")
		_, after, _ = strings.Cut(after, "\r\n")
		answers[before+after] = true
	}
	if len(answers) != 1 {
		t.Errorf("%d different answers: %v", len(answers), answers)
	}
}

// TestServerCertificateRenewed (pitfall 34): a new certificate is served without a restart; a pair that does not
// match leaves the one before.
func TestServerCertificateRenewed(t *testing.T) {
	ca := newAuthority(t)
	certificate, key := ca.issue("one", x509.ExtKeyUsageServerAuth)
	var app seen
	g := start(
		t,
		ingress(
			serve(t, app.answer(200, "{}")), "sealing: optional", "tls: {certificate: server.crt, key: server.key}",
		),
		withFiles("server.crt", certificate, "server.key", key),
	)
	served := func() string {
		response, err := ca.client("", 0).Get("https://" + g.addresses["in"].String() + "/x")
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
		return response.TLS.PeerCertificates[0].Subject.CommonName
	}
	if name := served(); name != "one" {
		t.Error(name)
	}
	certificate, key = ca.issue("two", x509.ExtKeyUsageServerAuth)
	write(t, filepath.Join(g.dir, "server.crt"), certificate)
	g.Refresh(t.Context())
	if name := served(); name != "one" {
		t.Errorf("half a renewal is served: %s", name)
	}
	write(t, filepath.Join(g.dir, "server.key"), key)
	g.Refresh(t.Context())
	if name := served(); name != "two" {
		t.Errorf("still %s", name)
	}
	if log := g.log.String(); !strings.Contains(log, "certificate stay as they were") {
		t.Error(log)
	}
}

// TestUnixSocket: an egress on a socket, with its mode, after a program that did not remove it.
func TestUnixSocket(t *testing.T) {
	var partner seen
	socket := filepath.Join(t.TempDir(), "out.sock")
	config := strings.Replace(egress(serve(t, partner.answer(200, "{}")), `plain: ["GET /x"]`), "listen: 127.0.0.1:0",
		fmt.Sprintf("listen: {address: \"unix:%s\", mode: 0660}", socket), 1)
	for range 2 { // the second finds what a crash left
		g := start(t, config)
		if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o660 {
			t.Error(info, err)
		}
		if a := raw(t, g.addresses["out"],
			"GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(
			a,
			"HTTP/1.1 200",
		) {
			t.Error(a)
		}
		if err := g.stop(); err != nil {
			t.Error(err)
		}
		leaveSocket(t, socket)
	}
}

// TestRelativeSockets: paths of sockets begin at the folder of the configuration, as all others do.
func TestRelativeSockets(t *testing.T) {
	var app seen
	config := "admin: unix:admin.sock\n" + strings.Replace(ingress("unix:app.sock", `plain: ["GET /x"]`),
		"listen: 127.0.0.1:0", "listen: unix:in.sock", 1)
	g := start(t, config, func(r *running, _ *gateway.Options) {
		l, err := net.Listen("unix", filepath.Join(r.dir, "app.sock"))
		if err != nil {
			t.Fatal(err)
		}
		s := &http.Server{Handler: app.answer(200, "{}")}
		go s.Serve(l)
		t.Cleanup(func() { s.Close() })
	})
	for name, want := range map[string]string{"in": "in.sock", "admin": "admin.sock"} {
		if got := g.addresses[name].String(); got != filepath.Join(g.dir, want) {
			t.Errorf("%s listens on %s", name, got)
		}
	}
	a := raw(t, g.addresses["in"], "GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	if !strings.HasPrefix(a, "HTTP/1.1 200") || app.count() != 1 {
		t.Error(a)
	}
}
