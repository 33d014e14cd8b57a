package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sealane/sealane/sealanetest"
)

// failing is one way in which a partner fails an egress, and what the application is answered.
type failing struct {
	name      string
	partner   func(r *http.Request, body string) string // raw answer; nil: nobody listens
	request   string
	headers   []string
	status    int
	processed string
	kind      string
	proxy     string
	detail    string // a part of it
}

func httpAnswer(status int, body string) func(*http.Request, string) string {
	return func(*http.Request, string) string {
		return fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			status, len(body), body)
	}
}

func rawAnswer(text string) func(*http.Request, string) string {
	return func(*http.Request, string) string { return text }
}

// TestErrorTable: the table of docs/gateway.md, row for row.
func TestErrorTable(t *testing.T) {
	whole := sealedAnswer(t, `{"eval_id":"e-1"}`)
	other := sealedAnswer(t, `{"id":"other","eval_id":"e-1"}`)
	refused := `{"eval_id":"e-9","error":"Payload decryption failed"}`
	for _, c := range []failing{
		{name: "too large", request: strings.Repeat("x", 3000), status: 413, processed: "no", kind: "request-refused",
			proxy: "http_request_denied"},
		{name: "compressed", headers: []string{"Content-Encoding", "gzip"}, status: 400, processed: "no",
			kind: "request-refused", proxy: "http_request_denied"},
		{name: "nobody listens", status: 503, processed: "no", kind: "no-connection", proxy: "connection_refused"},
		{name: "refused by the table", partner: httpAnswer(400, refused), status: 502, processed: "no",
			kind:  "partner-refused",
			proxy: "proxy_internal_response", detail: `"Payload decryption failed" (ID "e-9")`},
		{name: "not judged", partner: httpAnswer(503, `{"eval_id":"e-9","error":"server_error"}`), status: 502,
			processed: "no",
			kind:      "partner-refused", proxy: "proxy_internal_response", detail: "server_error"},
		{name: "sealing failed",
			partner: httpAnswer(500, `{"eval_id":"e-9","error":"The encrypted payload is verified with success, `+
				`however, server has internal problems to handle response encryption"}`), status: 502,
			processed: "unknown",
			kind:      "partner-refused", proxy: "proxy_internal_response", detail: "e-9"},
		{name: "503 of its own", partner: httpAnswer(503, `busy`), status: 502, processed: "unknown",
			kind:  "answer-unusable",
			proxy: "http_response_incomplete", detail: "503"},
		{name: "redirect",
			partner: rawAnswer("HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
			status:  502, processed: "unknown", kind: "answer-unusable", proxy: "http_protocol_error",
			detail: "redirect"},
		{name: "cut in the header", partner: rawAnswer("HTTP/1.1 200 OK\r\nContent-Le"), status: 502,
			processed: "unknown",
			kind:      "answer-unusable", proxy: "http_response_incomplete"},
		{name: "cut before the first byte", partner: rawAnswer(""), status: 502, processed: "unknown",
			kind:  "answer-unusable",
			proxy: "http_response_incomplete"},
		{name: "cut by its length",
			partner: rawAnswer(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(whole)+1, whole)),
			status:  502, processed: "unknown", kind: "answer-unusable", proxy: "http_response_incomplete",
			detail: "cut"},
		{name: "cut in a chunk",
			partner: rawAnswer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n" + whole[:50]),
			status:  502, processed: "unknown", kind: "answer-unusable", proxy: "http_response_incomplete",
			detail: "cut"},
		{name: "cut, HTTP/1.0", partner: rawAnswer("HTTP/1.0 200 OK\r\n\r\n" + whole[:len(whole)-30]), status: 502,
			processed: "unknown",
			kind:      "answer-unusable", proxy: "http_protocol_error"},
		{name: "no HTTP", partner: rawAnswer("SECRET-OF-THE-PARTNER\r\n\r\n"), status: 502, processed: "unknown",
			kind:  "answer-unusable",
			proxy: "http_response_incomplete"},
		{name: "not sealed", partner: httpAnswer(200, `{"decision":"SECRET-OF-THE-PARTNER"}`), status: 502,
			processed: "unknown",
			kind:      "answer-unusable", proxy: "http_protocol_error", detail: "not sealed"},
		{name: "of another request", partner: httpAnswer(200, other), status: 502, processed: "unknown",
			kind:  "answer-unusable",
			proxy: "http_protocol_error", detail: "bind.contradiction"},
		{name: "does not open", partner: httpAnswer(200, strings.Replace(whole, ".", ".AAAA", 1)), status: 502,
			processed: "unknown",
			kind:      "answer-unusable", proxy: "http_protocol_error"},
		{name: "without a body", partner: rawAnswer("HTTP/1.1 204 X\r\n\r\n"), status: 502, processed: "unknown",
			kind:  "answer-unusable",
			proxy: "http_protocol_error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := "http://127.0.0.1:1"
			if c.partner != nil {
				url = rawServer(t, c.partner)
			}
			if c.request == "" {
				c.request = evaluation
			}
			g := start(t, egress(url, "max_payload: 2KiB"))
			a := post(t, g.url("out")+"/api/evaluation", c.request, c.headers...)
			p := a.problem(t)
			if a.status != c.status || a.header.Get("Sealane-Processed") != c.processed ||
				!strings.HasSuffix(p.Type, "#"+c.kind) ||
				a.header.Get("Proxy-Status") != "sealane; error="+c.proxy ||
				!strings.Contains(p.Detail, c.detail) {
				t.Errorf("%d %v %s", a.status, a.header, a.body)
			}
			if (a.status == 503) != (a.header.Get("Retry-After") != "") {
				t.Errorf("Retry-After is %q with %d", a.header.Get("Retry-After"), a.status)
			}
			log := g.logged()
			if strings.Contains(a.body+log, "SECRET") || !strings.Contains(log, p.ID) ||
				!strings.Contains(log, `"processed":"`+c.processed) {
				t.Errorf("%s\n%s", a.body, log)
			}
		})
	}
}

// TestAnswersOfThePartner: what is not ours to judge passes as it is.
func TestAnswersOfThePartner(t *testing.T) {
	for status, body := range map[int]string{429: `{"error":"rate_limit"}`, 401: "who?", 404: "",
		422: `{"error":"unsupported_schema"}`,
		500: `{"error":"server_error"}`, 501: "no", 599: "x"} {
		g := start(t, egress(rawServer(t, httpAnswer(status, body)), `plain: ["GET /x"]`))
		for _, a := range []answer{post(t, g.url("out")+"/api/evaluation", evaluation),
			call(t, "GET", g.url("out")+"/x", "")} {
			want := ""
			if status >= 500 {
				want = "unknown"
			}
			if a.status != status || a.body != body || a.header.Get("Sealane-Processed") != want ||
				a.header.Get("Proxy-Status") != "" {
				t.Errorf("%d %v %s", a.status, a.header, a.body)
			}
		}
	}
}

// TestNoAnswerInTime: 504 once the request went out; the application can't know.
func TestNoAnswerInTime(t *testing.T) {
	release := make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if strings.HasSuffix(r.URL.Path, "/begun") {
			w.Write([]byte("{"))
			http.NewResponseController(w).Flush()
		}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	g := start(t, egress("{url: \""+url+"\", response: 100ms}"))
	for _, path := range []string{"/api/evaluation", "/api/evaluation/begun"} {
		a := post(t, g.url("out")+path, evaluation)
		if p := a.problem(t); a.status != 504 || a.header.Get("Sealane-Processed") != "unknown" ||
			!strings.HasSuffix(p.Type, "#no-answer") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	in := start(t, ingress("{url: \""+url+"\", response: 100ms}"))
	if a := post(t, in.url("in")+"/api/evaluation", sealedEvaluation(t), sealedHeaders...); a.status != 504 ||
		!strings.Contains(a.body, "eval_id") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestConnectionErrors: nothing was sent, and the application may try again.
func TestConnectionErrors(t *testing.T) {
	selfSigned := httptest.NewTLSServer(http.NotFoundHandler())
	selfSigned.Config.ErrorLog = nil
	defer selfSigned.Close()
	plain := serve(t, http.NotFound)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for url, want := range map[string]string{
		"https://name.invalid":                     "dns_error",
		selfSigned.URL:                             "tls_certificate_error",
		strings.Replace(plain, "http", "https", 1): "tls_protocol_error",
		"https://" + silent.Addr().String():        "connection_timeout",
	} {
		g := start(t, egress("{url: \""+url+"\", connect: 200ms}"))
		a := post(t, g.url("out")+"/api/evaluation", evaluation)
		if a.problem(t); a.status != 503 || a.header.Get("Sealane-Processed") != "no" ||
			a.header.Get("Proxy-Status") != "sealane; error="+want {
			t.Errorf("%s: %d %v %s", url, a.status, a.header, a.body)
		}
	}
}

// TestStartsFirst: a gateway does not wait for the service behind it. Until that listens, it answers 503, and then it
// serves.
func TestStartsFirst(t *testing.T) {
	for _, c := range []struct {
		route, body, answer string
		config              func(upstream string, more ...string) string
		headers             []string
	}{
		{"in", sealedEvaluation(t), `{"eval_id":"e-1"}`, ingress, sealedHeaders},
		{"out", evaluation, sealedAnswer(t, `{"eval_id":"e-1"}`), egress, nil},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		g := start(t, "admin: 127.0.0.1:0\n"+c.config("http://"+l.Addr().String()))
		send := func() answer { return post(t, g.url(c.route)+"/api/evaluation", c.body, c.headers...) }
		if a := send(); a.status != 503 || a.header.Get("Retry-After") != "5" {
			t.Errorf("%s: nobody listens: %d %v %s", c.route, a.status, a.header, a.body)
		}
		if a := call(t, "GET", "http://"+g.addresses["admin"].String()+"/readyz", ""); a.status != 200 {
			t.Errorf("%s: nobody listens: %d %s", c.route, a.status, a.body)
		}
		if l, err = net.Listen("tcp", l.Addr().String()); err != nil {
			t.Fatal(err)
		}
		var up seen
		s := &httptest.Server{Listener: l, Config: &http.Server{Handler: up.answer(200, c.answer)}}
		s.Start()
		if a := send(); a.status != 200 || up.count() != 1 {
			t.Errorf("%s: somebody listens: %d %s, %d arrived", c.route, a.status, a.body, up.count())
		}
		s.Close()
	}
}

// TestPartnerFaults: every fault that the stand-in of the provider knows is answered by the gateway, and
// nothing that could not be opened reaches the application.
func TestPartnerFaults(t *testing.T) {
	p := sealanetest.NewProvider(t, sealanetest.ProviderOptions{})
	g := start(t, egress(p.URL))
	for _, f := range sealanetest.ProviderFaults() {
		if f == "slow" || f == "unknown-key-id" {
			continue // no faults of a response of this profile
		}
		post(t, g.url("out")+"/api/evaluation", evaluation, "Authorization", "Bearer "+p.APIKey)
		p.Fail(f)
		a := post(t, g.url("out")+"/api/evaluation", evaluation, "Authorization", "Bearer "+p.APIKey)
		if a.status != 502 && a.header.Get("Sealane-Message") != "plain" || strings.Contains(a.body, "ACCEPT") {
			t.Errorf("%s: %d %s", f, a.status, a.body)
		}
	}
}

// TestRedirects (pitfall 9): no redirect of a sealed endpoint reaches the application, and a plain one only to
// where the gateway stands for.
func TestRedirects(t *testing.T) {
	location, status := "", http.StatusTemporaryRedirect
	var url string
	url = serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", strings.ReplaceAll(location, "SELF", url))
		w.Header().Set("Alt-Svc", `h3=":443"`)
		w.WriteHeader(status)
	})
	g := start(t, egress(url+"/base", `plain: ["GET /x"]`))
	for from, want := range map[string]string{
		"SELF/base/y?a=b": "/y?a=b", "/base/y": "/y", "y": "/y", "SELF/base/y%20z#f": "/y%20z#f",
		"http://evil.example/x": "", "//evil.example/x": "", "SELF/elsewhere": "", "/base//evil.example": "", "": "",
		"SELF/base/../x":            "",
		"https://user@evil.example": "", "javascript:alert(1)": "", "SELF/basement": "",
	} {
		location = from
		a := call(t, "GET", g.url("out")+"/x", "")
		if want == "" && a.status != 502 || want != "" && (a.status != 307 || a.header.Get("Location") != want) ||
			a.header.Get("Alt-Svc") != "" {
			t.Errorf("%s: %d %v", from, a.status, a.header)
		}
		if a := post(t, g.url("out")+"/api/evaluation", evaluation); a.status != 502 ||
			a.header.Get("Location") != "" {
			t.Errorf("sealed, %s: %d %v", from, a.status, a.header)
		}
	}
	status = http.StatusCreated // where something was made, which is called through the gateway, too
	const other = "http://evil.example/x"
	for from, want := range map[string]string{"SELF/base/y?a=b": "/y?a=b", other: other} {
		location = from
		if a := call(t, "GET", g.url("out")+"/x", ""); a.status != 201 || a.header.Get("Location") != want {
			t.Errorf("%s: %d %v", from, a.status, a.header)
		}
	}
}

// TestSentOnce (pitfalls 10 and 11): a partner that takes the body and hangs up gets nothing twice, whatever
// the application says of idempotency.
func TestSentOnce(t *testing.T) {
	for _, headers := range [][]string{nil, {"Idempotency-Key", "k"}, {"X-Idempotency-Key", "k"},
		{"idempotency-key", "k"}, {"Idempotency-Key", "k", "X-Idempotency-Key", "k"}} {
		var arrived atomic.Int64
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() { // answers the first request of each connection, and hangs up after the second
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					in := bufio.NewReader(c)
					for i := range 2 {
						r, err := http.ReadRequest(in)
						if err != nil {
							return
						}
						io.Copy(io.Discard, r.Body)
						arrived.Add(1)
						for i := 0; i < len(headers); i += 2 {
							if got := r.Header.Values(headers[i]); len(got) != 1 || got[0] != "k" {
								t.Errorf("%v is %q", headers, r.Header)
							}
						}
						if i == 0 {
							fmt.Fprintf(c, "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n")
						}
					}
				}()
			}
		}()
		g := start(t, egress("http://"+l.Addr().String(), `plain: ["POST /x", "DELETE /x"]`))
		for _, c := range []struct{ method, path, body string }{
			{"POST", "/api/evaluation", evaluation}, {"POST", "/x", "plain"}, {"DELETE", "/x", ""},
		} {
			arrived.Store(0)
			// the keep-alive connection may be the one before's: an even number of requests ends it
			first := call(t, c.method, g.url("out")+c.path, c.body, headers...)
			second := call(t, c.method, g.url("out")+c.path, c.body, headers...)
			if first.status != 404 || second.status != 502 || second.header.Get("Sealane-Processed") != "unknown" ||
				arrived.Load() != 2 {
				t.Errorf(
					"%v %s %s: %d, %d %s; %d arrived", headers, c.method, c.path, first.status, second.status,
					second.body, arrived.Load(),
				)
			}
		}
	}
}

// TestHTTP2 of partner and gateway: sealing works over it, and a cut stream is an error.
func TestHTTP2(t *testing.T) {
	var cut atomic.Bool
	whole := sealedAnswer(t, `{"eval_id":"e-1"}`)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("HTTP/%d", r.ProtoMajor)
		}
		io.Copy(io.Discard, r.Body)
		if cut.Load() {
			io.WriteString(w, whole[:40])
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, whole)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	g := start(t, egress("{url: \""+s.URL+"\", tls: {ca: ca.pem, name: example.com}}"), withFiles("ca.pem", pemOf(s)))
	if a := post(t, g.url("out")+"/api/evaluation", evaluation); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	cut.Store(true)
	if a := post(t, g.url("out")+"/api/evaluation", evaluation); a.status != 502 ||
		a.header.Get("Sealane-Processed") != "unknown" {
		t.Errorf("%d %s", a.status, a.body)
	}
}
