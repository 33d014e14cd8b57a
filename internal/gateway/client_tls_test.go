package gateway_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/gateway"
)

// TestClientCertificateRenewed: our certificate to an upstream is read again when its files change, and used from the
// next request on; half a renewal leaves the one before.
func TestClientCertificateRenewed(t *testing.T) {
	ca := newAuthority(t)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(ca.pem()))
	partner := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	partner.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	partner.StartTLS()
	defer partner.Close()
	certificate, key := ca.issue("one", x509.ExtKeyUsageClientAuth)
	config := "admin: 127.0.0.1:0\n" + egress("{url: \""+partner.URL+
		"\", tls: {ca: ca.pem, name: example.com, certificate: us.crt, key: us.key}}", `plain: ["GET /x"]`)
	g := start(t, config, withFiles("us.crt", certificate, "us.key", key, "ca.pem", pemOf(partner)))
	seenAs := func(want string) {
		t.Helper()
		if a := call(t, "GET", g.url("out")+"/x", ""); a.status != 200 || a.body != want {
			t.Errorf("%d %s, want %s", a.status, a.body, want)
		}
	}
	seenAs("one")
	certificate, key = ca.issue("two", x509.ExtKeyUsageClientAuth)
	write(t, filepath.Join(g.dir, "us.crt"), certificate)
	g.Refresh(t.Context())
	seenAs("one")
	write(t, filepath.Join(g.dir, "us.key"), key)
	g.Refresh(t.Context())
	seenAs("two")
	if err := g.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	seenAs("two")
	if !strings.Contains(g.log.String(), "client certificate stay as they were") {
		t.Error(g.log)
	}
	page := call(t, "GET", "http://"+g.addresses["admin"].String()+"/metrics", "").body
	if !strings.Contains(page, `sealane_client_certificate_end_timestamp_seconds{route="out"} `) {
		t.Error(page)
	}
}

// TestAnswerBeforeTheBody: over HTTP/2 an upstream may answer before it has the body. The rest, which the transport
// still reads, must not touch a request that is finished.
func TestAnswerBeforeTheBody(t *testing.T) {
	ca := newAuthority(t)
	certificate, key := ca.issue("gateway", x509.ExtKeyUsageServerAuth)
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.Read(make([]byte, 100))
				io.WriteString(c, answer)
				io.Copy(io.Discard, c)
			}()
		}
	}()
	g := start(t, egress("http://"+l.Addr().String(), `plain: ["POST /x"]`,
		"tls: {certificate: server.crt, key: server.key}"), withFiles("server.crt", certificate, "server.key", key))
	client := ca.client("", 0)
	client.Transport.(*http.Transport).ForceAttemptHTTP2 = true
	defer client.CloseIdleConnections()
	body, answers := strings.Repeat("x", 1<<20), 0
	for range 50 {
		response, err := client.Post(secure(g, "out")+"/x", "application/json", strings.NewReader(body))
		if err != nil {
			continue // the stream was reset, which is as good
		}
		if response.ProtoMajor != 2 || response.StatusCode != 200 {
			t.Errorf("HTTP/%d, %s", response.ProtoMajor, response.Status)
		}
		answers++
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
	if answers == 0 {
		t.Error("no request was answered")
	}
}

// TestStreamRests: an answer that streams over HTTP/2 may rest for longer than a client may take to read a piece.
func TestStreamRests(t *testing.T) {
	ca := newAuthority(t)
	certificate, key := ca.issue("gateway", x509.ExtKeyUsageServerAuth)
	const progress = 50 * time.Millisecond
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for range 3 {
			io.WriteString(w, "piece\n")
			http.NewResponseController(w).Flush()
			<-time.After(4 * progress)
		}
	})
	g := start(t, egress(url, `plain: ["GET /x"]`, "tls: {certificate: server.crt, key: server.key}"),
		withFiles("server.crt", certificate, "server.key", key),
		func(_ *running, o *gateway.Options) { o.Progress = progress })
	client := ca.client("", 0)
	client.Transport.(*http.Transport).ForceAttemptHTTP2 = true
	defer client.CloseIdleConnections()
	response, err := client.Get(secure(g, "out") + "/x")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil || response.ProtoMajor != 2 || string(got) != "piece\npiece\npiece\n" {
		t.Errorf("HTTP/%d %q, %v", response.ProtoMajor, got, err)
	}
}
