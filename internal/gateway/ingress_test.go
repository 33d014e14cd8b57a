package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/sealanetest"
)

// TestCutAnswers (pitfalls 6 and 7): an application's answer that was cut is never sealed and never looks whole.
func TestCutAnswers(t *testing.T) {
	const begun = `{"eval_id":"e-1","decision":"ACC`
	for name, answer := range map[string]string{
		"by its length":    "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + begun,
		"in a chunk":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n" + begun,
		"between chunks":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n" + begun + "\r\n",
		"HTTP/1.0":         "HTTP/1.0 200 OK\r\n\r\n" + begun,
		"HTTP/1.1, closed": "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + begun,
		"HTTP/1.0, number": "HTTP/1.0 200 OK\r\n\r\n12",
		"HTTP/1.0, true":   "HTTP/1.0 200 OK\r\n\r\n true",
		"HTTP/1.0, empty":  "HTTP/1.0 200 OK\r\n\r\n",
		"at byte 0":        "",
		"in the header":    "HTTP/1.1 200 OK\r\nConte",
		"redirect":         "HTTP/1.1 302 X\r\nLocation: /ACC\r\nContent-Length: 0\r\n\r\n",
	} {
		url := rawServer(t, rawAnswer(answer))
		g := start(t, ingress(url))
		a := post(t, g.url("in")+"/api/evaluation", sealedEvaluation(t), sealedHeaders...)
		if a.status != 502 && a.status != 500 || strings.Contains(a.body, "ACC") ||
			strings.Contains(a.body, "encrypted_response") ||
			!strings.Contains(a.body, `"eval_id":"`) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		i := start(t, issuerIngress(url))
		vcas := sealanetest.NewVCAS(t, sealanetest.VCASOptions{URL: i.url("in") + "/v1"})
		got, err := vcas.Risk(t.Context())
		if err == nil || got.HTTPStatus != 502 || strings.Contains(string(got.Body), "ACC") {
			t.Errorf("%s, issuer: %d %s %v", name, got.HTTPStatus, got.Body, err)
		}
		p := start(t, ingress(url, "sealing: optional"))
		text := raw(t, p.addresses["in"], "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		unframed := strings.Contains(name, "HTTP/1") // plain, and no end but the connection's: nobody can know
		if name != "redirect" && !unframed && strings.HasPrefix(text, "HTTP/1.1 200") &&
			strings.HasSuffix(text, "\r\n0\r\n\r\n") {
			t.Errorf("%s, plain: looks whole: %q", name, text)
		}
	}
	whole := start(t, ingress(rawServer(t, rawAnswer("HTTP/1.0 200 OK\r\n\r\n{\"eval_id\":\"e-1\"}"))))
	if a := post(t, whole.url("in")+"/api/evaluation", sealedEvaluation(t), sealedHeaders...); a.status != 200 ||
		opened(t, a.body) != `{"eval_id":"e-1"}` {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestApplicationErrors: what a partner learns of the application's failures.
func TestApplicationErrors(t *testing.T) {
	for url, want := range map[string]int{
		"http://127.0.0.1:1": 503,
		rawServer(t,
			rawAnswer("HTTP/1.1 429 X\r\nContent-Length: 2\r\n\r\n{}")): 429,
		rawServer(t,
			rawAnswer("HTTP/1.1 503 X\r\nContent-Length: 2\r\n\r\n{}")): 503,
		rawServer(t,
			rawAnswer("NO-HTTP\r\n\r\n")): 502,
		rawServer(t,
			rawAnswer("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}")): 500,
		rawServer(t,
			rawAnswer("HTTP/1.1 200 OK\r\nAlt-Svc: h3\r\nSealane-Message: x\r\nContent-Length: 2\r\n\r\n{}")): 200,
	} {
		g := start(t, ingress(url))
		a := post(t, g.url("in")+"/api/evaluation", sealedEvaluation(t), sealedHeaders...)
		if a.status != want || a.header.Get("Alt-Svc") != "" || a.header.Get("Sealane-Message") != "" ||
			strings.Contains(g.logged()+a.body, "NO-HTTP") {
			t.Errorf("%d %v %s, want %d", a.status, a.header, a.body, want)
		}
	}
}

// rawCut is raw, and closes its side of the connection after the request where cut says so.
func rawCut(t *testing.T, address net.Addr, request string, cut bool) string {
	t.Helper()
	c, err := net.Dial("tcp", address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, request) // the gateway may answer before all of it is written
	if cut {
		c.(*net.TCPConn).CloseWrite()
	}
	got, err := io.ReadAll(c)
	if err != nil && len(got) == 0 {
		t.Fatal(err)
	}
	return string(got)
}

// TestBeforeTheBody (pitfalls 12 and 13): a refusal comes before any 100, and a client that is still sending
// reads it.
func TestBeforeTheBody(t *testing.T) {
	var app seen
	g := start(
		t, ingress(serve(t, app.answer(200, "{}")), "max_payload: 1KiB", "clients: {token: env:TOKEN_OF_TEST}"),
		withEnv("TOKEN_OF_TEST", "0123456789abcdef"),
	)
	const head = "POST /api/evaluation HTTP/1.1\r\nHost: h\r\nContent-Type: " +
		"application/json\r\nX-Payload-Encrypted: true\r\nExpect: 100-continue\r\n"
	const token = "Sealane-Token: 0123456789abcdef\r\n"
	for name, c := range map[string]struct{ head, want string }{
		"no token":  {head + "Content-Length: 5000\r\n\r\n", "HTTP/1.1 401"},
		"too large": {head + token + "Content-Length: 500000\r\n\r\n", "HTTP/1.1 413"},
		"no trigger": {strings.Replace(head, "X-Payload-Encrypted: true\r\n", "", 1) + token +
			"Content-Length: 50\r\n\r\n", "HTTP/1.1 400"},
		"an endpoint of none": {strings.Replace(head, "/api/evaluation", "/x", 1) + token +
			"Content-Length: 50\r\n\r\n", "HTTP/1.1 400"},
	} {
		if got := raw(t, g.addresses["in"], c.head); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	big := strings.Repeat("x", 16<<20) // more than the buffers of a connection
	for name, headers := range map[string]string{"stays": "", "ends": "Connection: close\r\n"} {
		c, err := net.Dial("tcp", g.addresses["in"].String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, err = fmt.Fprintf(
			c, "POST /api/evaluation HTTP/1.1\r\nHost: h\r\n%sContent-Length: %d\r\n\r\n%s", headers, len(big), big,
		)
		if err != nil {
			t.Errorf("%s: the connection ended while the client was sending: %v", name, err)
		}
		answer, err := io.ReadAll(c)
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 401") {
			t.Errorf("%s: %q, %v", name, answer, err)
		}
	}
	if app.count() > 0 {
		t.Error("a refused request arrived")
	}
}

func withEnv(name, value string) func(*running, *gateway.Options) {
	return func(r *running, _ *gateway.Options) { r.t.Setenv(name, value) }
}

// TestSlowBody (pitfall 21): a body that trickles in holds no place.
func TestSlowBody(t *testing.T) {
	var app seen
	g := start(
		t,
		"limits: {rsa: 1}\npartner_limits: {in_flight: 2}\n"+ingress(serve(t, app.answer(200, `{"eval_id":"e"}`))),
	)
	for range 64 {
		c, err := net.Dial("tcp", g.addresses["in"].String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(
			c,
			"POST /api/evaluation HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nX-Payload-Encrypted: "+
				"true\r\nContent-Length: 5000\r\n\r\n{",
		)
	}
	for range 5 {
		if a := post(t, g.url("in")+"/api/evaluation", sealedEvaluation(t), sealedHeaders...); a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}

// TestStreams (pitfall 20): a plain answer streams as long as it likes, and reaches the client piece by piece.
func TestStreams(t *testing.T) {
	next := make(chan string)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for piece := range next {
			io.WriteString(w, piece)
			http.NewResponseController(w).Flush()
		}
	})
	in, out := start(t, ingress(url, "sealing: optional")), start(t, egress(url, `plain: ["GET /x"]`))
	for _, u := range []string{in.url("in"), out.url("out")} {
		next = make(chan string)
		r, err := http.NewRequestWithContext(t.Context(), "GET", u+"/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		go func() { next <- "one" }()
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		piece := make([]byte, 3)
		for _, want := range []string{"one", "two", "end"} {
			if want != "one" {
				next <- want
			}
			if _, err := io.ReadFull(response.Body, piece); err != nil || string(piece) != want {
				t.Errorf("%q, %v", piece, err)
			}
		}
		close(next)
		response.Body.Close()
	}
}

// TestHangUp: a client that goes away is logged as such, and not as an error.
func TestHangUp(t *testing.T) {
	arrived := make(chan struct{}, 2)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	in, out := start(t, ingress(url)), start(t, egress(url))
	for u, body := range map[string]string{in.url("in"): sealedEvaluation(t), out.url("out"): evaluation} {
		ctx, cancel := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, "POST", u+"/api/evaluation", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Payload-Encrypted", "true")
		go func() { <-arrived; cancel() }()
		if response, err := http.DefaultClient.Do(r); err == nil {
			response.Body.Close()
			t.Error("an answer came")
		}
	}
	for _, log := range []string{in.logged(), out.logged()} {
		if !strings.Contains(log, `"client_gone":true`) || strings.Contains(log, `"level":"ERROR"`) ||
			strings.Contains(log, `"level":"WARN"`) {
			t.Error(log)
		}
	}
}

// TestLeavesWithTheAnswer: a client that closes its connection when it has its answer did not go early, and an
// error stays an error.
func TestLeavesWithTheAnswer(t *testing.T) {
	in := start(t, ingress("http://127.0.0.1:1"))
	body := sealedEvaluation(t)
	for range 20 {
		c, err := net.Dial("tcp", in.addresses["in"].String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "POST /api/evaluation HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"+
			"X-Payload-Encrypted: true\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		if _, err := io.ReadFull(c, make([]byte, 100)); err != nil {
			t.Error(err)
		}
		c.Close()
	}
	log := in.logged()
	if strings.Contains(log, "client_gone") || !strings.Contains(log, `"level":"ERROR"`) {
		t.Error(log)
	}
}

// attempt posts, and lets the answer be cut.
func attempt(t *testing.T, url, body string, headers ...string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return
	}
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
