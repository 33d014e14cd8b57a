package gateway_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// TestSecretsReload: tokens, the partner's API key and certificates of issuers are read again when their files
// change. The configuration itself is not, and what can't be used leaves what was read before.
func TestSecretsReload(t *testing.T) {
	const tokenOne, tokenTwo = "token-of-the-first-year", "token-of-the-second-year"
	ca, next := newAuthority(t), newAuthority(t)
	partner := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(r.Header.Get("Authorization")))
	}))
	defer partner.Close()
	g := start(t, egress(`{url: "`+partner.URL+`", tls: {ca: ca.pem, name: example.com}}`, `plain: ["GET /x"]`,
		`clients: {token: "file:token"}`, "authorization: file:api-key"),
		withFiles("ca.pem", ca.pem(), "token", tokenOne, "api-key", "one"))
	expect := func(token string, status int, body string) {
		t.Helper()
		a := call(t, "GET", g.url("out")+"/x", "", "Sealane-Token", token)
		if a.status != status || !strings.Contains(a.body, body) {
			t.Errorf("%d %s, want %d %s", a.status, a.body, status, body)
		}
	}
	change := func(name, text string) {
		t.Helper()
		write(t, filepath.Join(g.dir, name), text)
		g.Refresh(t.Context())
	}
	expect(tokenOne, 503, "no-connection")
	change("ca.pem", pemOf(partner))
	expect(tokenOne, 200, "Bearer one")
	write(t, filepath.Join(g.dir, "sealane.yaml"), "not read: now")
	change("api-key", "two\n")
	expect(tokenOne, 200, "Bearer two")
	change("token", tokenTwo)
	expect(tokenOne, 401, "caller-refused")
	expect(tokenTwo, 200, "Bearer two")
	for _, broken := range []string{"", "short"} {
		change("token", broken)
		expect(tokenTwo, 200, "Bearer two")
	}
	change("token", tokenTwo)
	log := g.logged()
	for text, n := range map[string]int{`"files were read again"`: 3, `and what was read before stays`: 2} {
		if strings.Count(log, text) != n {
			t.Errorf("%q is not there %d times: %s", text, n, log)
		}
	}
	if strings.Contains(log, "-year") {
		t.Error("the log has a token")
	}

	certificate, key := ca.issue("gateway", x509.ExtKeyUsageServerAuth)
	in := start(t, strings.Replace(ingress("http://127.0.0.1:1", `plain: ["GET /x"]`), "caller: unauthenticated",
		"caller: mutual-tls", 1)+
		"  tls: {certificate: server.crt, key: server.key, client_ca: ca.pem, client_names: [acme.example]}\n",
		withFiles("server.crt", certificate, "server.key", key, "ca.pem", ca.pem()))
	accepted := func(by *authority) bool {
		client := ca.client("", 0)
		certificate, key := by.issue("acme.example", x509.ExtKeyUsageClientAuth)
		pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
		if err != nil {
			t.Fatal(err)
		}
		client.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{pair}
		response, err := client.Get(secure(in, "in") + "/x")
		if err != nil {
			return false
		}
		return readAnswer(t, response).status == 503 // no application listens
	}
	if !accepted(ca) || accepted(next) {
		t.Error("another issuer's callers are accepted")
	}
	write(t, filepath.Join(in.dir, "ca.pem"), next.pem())
	in.Refresh(t.Context())
	if accepted(ca) || !accepted(next) {
		t.Error("the new issuer's callers are not accepted, or the old one's are")
	}
}
