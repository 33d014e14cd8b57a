package gateway_test

import (
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/framing"
	"github.com/sealane/sealane/sealanetest"
)

const begun = `{"eval_id":"e-1","decision":"ACC`

// cutAnswer is an upstream that cuts its answer. framed reports whether the answer said how long it would be.
type cutAnswer struct {
	protocol, where string
	framed          bool
	url, ca         string // ca is the certificate of an upstream with TLS
}

func cutAnswers(t *testing.T) []cutAnswer {
	t.Helper()
	all := []cutAnswer{
		{"HTTP/1.0", "at byte 0", true, rawServer(t, rawAnswer("")), ""},
		{"HTTP/1.0", "in the header", true, rawServer(t, rawAnswer("HTTP/1.0 200 OK\r\nConte")), ""},
		{"HTTP/1.0", "by its length", true,
			rawServer(t, rawAnswer("HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\n"+begun)), ""},
		{"HTTP/1.0", "without a length", false, rawServer(t, rawAnswer("HTTP/1.0 200 OK\r\n\r\n"+begun)), ""},
		{"HTTP/1.1", "in the header", true, rawServer(t, rawAnswer("HTTP/1.1 200 OK\r\nConte")), ""},
		{"HTTP/1.1", "by its length", true,
			rawServer(t, rawAnswer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"+begun)), ""},
		{"HTTP/1.1", "in a chunk", true,
			rawServer(t, rawAnswer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n"+begun)), ""},
		{"HTTP/1.1", "between chunks", true,
			rawServer(t, rawAnswer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+chunk(begun))), ""},
		{"HTTP/1.1", "before the end of the last chunk", true,
			rawServer(t, rawAnswer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+chunk(begun)+"0\r\n")), ""},
		{"HTTP/1.1", "without a length", false,
			rawServer(t, rawAnswer("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"+begun)), ""},
	}
	for where, handler := range map[string]http.HandlerFunc{
		"at byte 0": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"by its length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, begun)
		},
		"by a reset": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, begun)
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
	} {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if io.Copy(io.Discard, r.Body); r.ProtoMajor != 2 {
				t.Errorf("HTTP/%d", r.ProtoMajor)
			}
			handler(w, r)
		}))
		s.EnableHTTP2 = true
		s.StartTLS()
		t.Cleanup(s.Close)
		all = append(all, cutAnswer{"HTTP/2", where, true, s.URL, pemOf(s)})
	}
	return all
}

// TestCutEverywhere (pitfalls 6 and 7): an upstream's answer that was cut is never sealed, never opened, and never
// looks whole, over each version of HTTP, on both sides.
func TestCutEverywhere(t *testing.T) {
	ca := newAuthority(t)
	certificate, key := ca.issue("gateway", x509.ExtKeyUsageServerAuth)
	sealed := sealedEvaluation(t)
	clients := map[string]*http.Client{"HTTP/1.1": ca.client("", 0), "HTTP/2": ca.client("", 0)}
	for name, c := range clients {
		transport := c.Transport.(*http.Transport)
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetHTTP1(name == "HTTP/1.1")
		transport.Protocols.SetHTTP2(name == "HTTP/2")
		defer c.CloseIdleConnections()
	}
	for _, cut := range cutAnswers(t) {
		upstream := cut.url
		if cut.ca != "" {
			upstream = "{url: \"" + cut.url + "\", tls: {ca: ca.pem, name: example.com}}"
		}
		more := []string{`plain: ["GET /x"]`, "tls: {certificate: server.crt, key: server.key}"}
		files := withFiles("server.crt", certificate, "server.key", key, "ca.pem", cut.ca)
		in, out := start(t, ingress(upstream, more...), files), start(t, egress(upstream, more...), files)
		for protocol, client := range clients {
			for _, way := range []struct{ name, method, url, body string }{
				{"ingress, sealed", "POST", secure(in, "in") + "/api/evaluation", sealed},
				{"ingress, plain", "GET", secure(in, "in") + "/x", ""},
				{"egress, sealed", "POST", secure(out, "out") + "/api/evaluation", evaluation},
				{"egress, plain", "GET", secure(out, "out") + "/x", ""},
			} {
				name := fmt.Sprintf("%s %s, %s, to a client of %s", cut.protocol, cut.where, way.name, protocol)
				r, err := http.NewRequestWithContext(t.Context(), way.method, way.url, strings.NewReader(way.body))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", "application/json")
				if way.body == sealed {
					r.Header.Set("X-Payload-Encrypted", "true")
				}
				response, err := client.Do(r)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				body, err := io.ReadAll(response.Body)
				response.Body.Close()
				before := strings.Contains(cut.where, "byte 0") || strings.Contains(cut.where, "header")
				switch {
				case response.Proto[:6] != protocol[:6]:
					t.Errorf("%s: %s", name, response.Proto)
				case way.method == "POST" || before: // an answer of the gateway, whole
					if err != nil || response.StatusCode != 502 && response.StatusCode != 500 ||
						strings.Contains(string(body), "ACC") ||
						strings.Contains(string(body), "encrypted_response") ||
						!strings.Contains(string(body), `id":"`) {
						t.Errorf("%s: %d %s %v", name, response.StatusCode, body, err)
					}
				case cut.framed && err == nil, // or, where nobody can tell, the client can't either
					protocol == "HTTP/1.1" && err == nil && !framing.Unframed(response):
					t.Errorf("%s: it looks whole: %d %s", name, response.StatusCode, body)
				}
				processed := response.Header.Get("Sealane-Processed")
				if way.body == evaluation && processed != "unknown" {
					t.Errorf("%s: processed is %q", name, processed)
				}
			}
		}
		for _, g := range []*running{in, out} {
			if err := g.stop(); err != nil {
				t.Error(err)
			}
		}
	}
}

// secure returns the URL of a route with TLS.
func secure(g *running, route string) string { return "https://" + g.addresses[route].String() }

// TestCutPlainAnswers (pitfalls 6 and 7): where the profile does not seal answers, one that was cut is not passed on
// either, on both sides.
func TestCutPlainAnswers(t *testing.T) {
	sealed := sealedRisk(t)
	try := func(name, upstream, ca string) (in, out answer) {
		if ca != "" {
			upstream = "{url: \"" + upstream + "\", tls: {ca: ca.pem, name: example.com}}"
		}
		files := withFiles("ca.pem", ca)
		issuer, vcas := start(t, issuerIngress(upstream), files), start(t, vcasEgress(upstream), files)
		in = post(t, issuer.url("in")+"/v1/risk", sealed)
		out = post(t, vcas.url("out")+"/v1/risk", `{"TransactionId":"t"}`)
		for _, g := range []*running{issuer, vcas} {
			if err := g.stop(); err != nil {
				t.Error(name, err)
			}
		}
		return in, out
	}
	for _, cut := range cutAnswers(t) {
		name := cut.protocol + " " + cut.where
		in, out := try(name, cut.url, cut.ca)
		for side, a := range map[string]answer{"ingress": in, "egress": out} {
			if a.status != 502 || strings.Contains(a.body, "ACC") {
				t.Errorf("%s, %s: %d %s", name, side, a.status, a.body)
			}
		}
		if out.header.Get("Sealane-Processed") != "unknown" {
			t.Errorf("%s: %v", name, out.header)
		}
	}
	for body, whole := range map[string]bool{
		`{"a": 1}` + "\n": true, `["a"]`: true, "null": false, "12": false, "": false, `{"a": 1`: false, "{}{}": false,
	} {
		in, out := try(body, rawServer(t, rawAnswer("HTTP/1.0 200 OK\r\n\r\n"+body)), "")
		for side, a := range map[string]answer{"ingress": in, "egress": out} {
			if whole != (a.status == 200 && a.body == body) || !whole && a.status != 502 {
				t.Errorf("%s, %q: %d %q", side, body, a.status, a.body)
			}
		}
	}
}

// vcasEgress returns the configuration of an egress to the issuer of sealanetest.
func vcasEgress(upstream string) string {
	return "routes:\n- name: out\n  egress: rdx\n  environment: STAG\n  listen: 127.0.0.1:0\n" +
		"  keys: {theirs: {file: issuer.cer, key_id: " + sealanetest.IssuerKeyID + "}}\n  upstream: " + upstream + "\n"
}
