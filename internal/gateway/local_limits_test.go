package gateway_test

import (
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealanetest"
)

// upload begins a request to the local API, and sends a part of its body.
func (r *running) upload(t *testing.T, path string, length int, part string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", r.addresses["local"].String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: localhost\r\nSealane-Token: %s\r\nExpect: 100-continue\r\n"+
		"Content-Length: %d\r\n\r\n", path, batchToken, length)
	if _, err := io.ReadFull(c, make([]byte, 25)); err != nil { // the body is awaited
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, part); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestLocalTricklingSockets (pitfall 21): bodies that trickle take nothing from the partner that they are for, nor
// from another.
func TestLocalTricklingSockets(t *testing.T) {
	g := startLocal(t, "partner_limits: {in_flight: 1}\nlimits: {memory: 16MiB}\n")
	for range 256 {
		g.upload(t, "/seal/risk/SANDBOX", 5000, "{")
	}
	for _, partner := range []string{"risk", "acme"} {
		if a := as(t, g, batchToken, "/seal/"+partner+"/SANDBOX", "{}"); a.status != 200 {
			t.Errorf("%s: %d %s", partner, a.status, a.body)
		}
	}
}

// TestLocalInFlight: while as many messages of a partner are opened as may be, the next one gets 503.
func TestLocalInFlight(t *testing.T) {
	t.Setenv("BATCH", batchToken)
	key := newSlow(sealanetest.ProviderKey(), "open")
	slowKeys.Store(t.Name(), key)
	g := start(t, "partner_limits: {in_flight: 1}\nroutes:\n- name: local\n  local: riskos\n  listen: 127.0.0.1:0\n"+
		"  clients: {token: \"env:BATCH\"}\n  keys: lane\n",
		withLane("profile: riskos\nside: server\npartner: acme\nenvironment: SANDBOX\nours: \"slow-test:"+t.Name()+
			"\"\ntheirs: ../customer.cer\n"))
	token, err := testlane.New(t, sealanetest.CustomerConfig()).Seal(t.Context(), []byte(`{"n":1}`))
	if err != nil {
		t.Fatal(err)
	}
	open := func() answer { return as(t, g, batchToken, "/open/acme/SANDBOX", string(token)) }
	first := make(chan answer)
	go func() { first <- open() }()
	<-key.begun
	if a := open(); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("while another is opened: %d %s", a.status, a.body)
	}
	close(key.next)
	if a := <-first; a.status != 200 {
		t.Errorf("the first one: %d %s", a.status, a.body)
	}
	if a := open(); a.status != 200 {
		t.Errorf("afterwards: %d %s", a.status, a.body)
	}
}

// TestLocalShareOfMemory: bodies for one partner leave memory for those of another.
func TestLocalShareOfMemory(t *testing.T) {
	g := startLocal(t, "limits: {memory: 8MiB}\n")
	// Half of the memory is for requests. A byte that arrives holds four, and one request may exceed the limits.
	g.upload(t, "/seal/risk/SANDBOX", 720<<10, strings.Repeat("a", 700<<10))
	g.upload(t, "/seal/risk/SANDBOX", 720<<10, strings.Repeat("a", 700<<10))
	body := strings.Repeat("a", 150<<10)
	poll(t, func() bool { // nothing tells that the bodies have arrived
		a := as(t, g, batchToken, "/seal/risk/SANDBOX", body)
		return a.status == 503 && strings.Contains(a.body, "http.busy")
	})
	if a := as(t, g, batchToken, "/seal/acme/SANDBOX", body); a.status != 200 {
		t.Errorf("another partner: %d %s", a.status, a.body)
	}
}

// TestLocalByCertificate: over TLS a program is known by its certificate, or needs a token and a certificate.
func TestLocalByCertificate(t *testing.T) {
	t.Setenv("BATCH", batchToken)
	ca, other := newAuthority(t), newAuthority(t)
	certificate, key := ca.issue("gateway", x509.ExtKeyUsageServerAuth)
	files := withFiles("server.crt", certificate, "server.key", key, "ca.pem", ca.pem())
	d := localDatabase(t)
	config := "registry: {db: " + d.path + ", root_key: env:ROOT}\nroutes:\n- name: local\n  local: any\n" +
		"  listen: 127.0.0.1:0\n  hosts: gateway.example\n  tls: {certificate: server.crt, key: server.key, " +
		"client_ca: ca.pem, client_names: [batch.example, queue.example]}\n"
	byBoth := start(t, config+"  tokens: {name: batch, token: \"env:BATCH\", verbs: seal}\n", files, d.open(nil))
	byName := start(t, config, files, d.open(nil))
	foreign := other.client("batch.example", x509.ExtKeyUsageClientAuth)
	foreign.Transport.(*http.Transport).TLSClientConfig.RootCAs =
		ca.client("", 0).Transport.(*http.Transport).TLSClientConfig.RootCAs
	with := func(name string) *http.Client { return ca.client(name, x509.ExtKeyUsageClientAuth) }
	const risk = "/seal/risk/SANDBOX"
	for name, c := range map[string]struct {
		g      *running
		client *http.Client
		token  string
		path   string
		status int // 0: no answer
	}{
		"a certificate":            {byName, with("batch.example"), "", risk, 200},
		"another":                  {byName, with("queue.example"), "", "/seal/bank/STAG", 200},
		"not listed":               {byName, with("eve.example"), "", risk, 403},
		"not listed, with a token": {byBoth, with("eve.example"), batchToken, risk, 403},
		"of a server":              {byName, ca.client("batch.example", x509.ExtKeyUsageServerAuth), "", risk, 0},
		"none":                     {byName, ca.client("", 0), "", risk, 0},
		"none, with a token":       {byBoth, ca.client("", 0), batchToken, risk, 0},
		"of another authority":     {byName, foreign, "", risk, 0},
		"both":                     {byBoth, with("batch.example"), batchToken, risk, 200},
		"only the certificate":     {byBoth, with("batch.example"), "", risk, 401},
		"another verb":             {byBoth, with("batch.example"), batchToken, "/open/acme/SANDBOX", 403},
		"a partner that is none":   {byName, with("batch.example"), "", "/seal/eve/SANDBOX", 404},
	} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "https://"+c.g.addresses["local"].String()+c.path,
			strings.NewReader(`{"n":1}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "gateway.example"
		if c.token != "" {
			r.Header.Set("Sealane-Token", c.token)
		}
		response, err := c.client.Do(r)
		if err != nil {
			if c.status != 0 {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if a := readAnswer(t, response); a.status != c.status || response.ProtoMajor != 2 {
			t.Errorf("%s: HTTP/%d, %d %s", name, response.ProtoMajor, a.status, a.body)
		}
	}
	if a := call(t, "POST", byName.url("local")+"/seal/risk/SANDBOX", "{}"); a.status != 400 {
		t.Errorf("without TLS: %d %s", a.status, a.body)
	}
	log := byName.logged()
	for _, want := range []string{`"caller":"batch.example"`, `"caller":"queue.example"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s: %s", want, log)
		}
	}
}
