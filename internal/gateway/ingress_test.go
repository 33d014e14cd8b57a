package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/internal/hostile"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/profile"
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

// TestHostileCorpus: every message of the corpus goes through an ingress. Nothing reaches the application, and
// the partner learns what its profile's table says.
func TestHostileCorpus(t *testing.T) {
	corpus, err := hostile.Read("../../testdata/hostile")
	if err != nil {
		t.Fatal(err)
	}
	var canary atomic.Int64
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { canary.Add(1); io.WriteString(w, "{}") })
	signer, err := corpus.Key("signer")
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := keyfile.EncodeJWK(&signer.PublicKey, keyfile.JWKParams{KeyID: hostile.TheirKeyID})
	if err != nil {
		t.Fatal(err)
	}
	type kind struct {
		profile string
		oaep    bool
		max     int
	}
	gateways := map[kind]*running{}
	profiles := map[string]*profile.Profile{}
	for _, c := range corpus.Cases {
		k := kind{c.Profile, c.AcceptRSAOAEP, c.MaxPayload}
		if profiles[c.Profile] == nil {
			if profiles[c.Profile], err = corpus.LoadProfile(c.Profile); err != nil {
				t.Fatal(err)
			}
		}
		if gateways[k] == nil {
			gateways[k] = startCorpus(t, corpus, url, string(jwk), k.profile, k.oaep, k.max)
		}
		request := corpusRequest(t, c, profiles[c.Profile])
		got := rawCut(t, gateways[k].addresses["in"], request, c.Fault == "http.body-unreadable")
		row, _ := profiles[c.Profile].Errors.Row(c.Outcome)
		text, _ := json.Marshal(row.Text)
		head, body, _ := strings.Cut(got, "\r\n\r\n")
		if c.Path == "http/http.endpoint.asterisk" { // TestOddForms has it
			continue
		}
		_, status, _ := strings.Cut(head, " ")
		if !strings.HasPrefix(status, fmt.Sprint(row.Status, " ")) || !strings.Contains(body, string(text)) {
			t.Errorf("%s: %s, want %d %s", c.Path, got, row.Status, row.Text)
		}
	}
	if n := canary.Load(); n != 0 {
		t.Errorf("%d messages of the corpus reached the application", n)
	}
	if len(corpus.Cases) < 200 {
		t.Errorf("the corpus has %d messages", len(corpus.Cases))
	}
}

// startCorpus runs an ingress that opens what the corpus' recipient can open.
func startCorpus(t *testing.T, corpus *hostile.Corpus, url, signer, name string, oaep bool, most int) *running {
	t.Helper()
	dir := t.TempDir()
	profileArg, err := corpus.ProfileArg(dir, name)
	if err != nil {
		t.Fatal(err)
	}
	recipient := read(t, corpus.KeyFile("recipient"))
	config := "routes:\n- name: in\n  ingress: " + profileArg +
		"\n  listen: 127.0.0.1:0\n  caller: unauthenticated\n  upstream: " + url +
		"\n  keys: {ours: {file: recipient.key, key_id: " + hostile.OurKeyID +
		"}, theirs: signer.jwk, accept_certificate: the corpus}\n"
	if name == "rdx" {
		config = strings.Replace(config, ", theirs: signer.jwk", "", 1)
	}
	if oaep {
		config += "  accept_rsa_oaep: the corpus says so\n"
	}
	if most > 0 {
		config += fmt.Sprintf("  max_payload: %d\n", most)
	}
	return start(t, config, withFiles("recipient.key", recipient, "signer.jwk", signer))
}

// corpusRequest returns a correct request with a message or a body of the corpus.
func corpusRequest(t *testing.T, c hostile.Case, p *profile.Profile) string {
	t.Helper()
	if c.Kind() == "http" {
		return string(c.Content)
	}
	path, trigger, body := "/message", "", c.Content
	if p.Trigger != nil {
		path, trigger = "/api/evaluation", p.Trigger.Header+": "+p.Trigger.Value+"\r\n"
	}
	if field := p.Request.Body.Field; c.Kind() != "body" && field != "" {
		var err error
		if body, err = json.Marshal(map[string]string{field: string(c.Content)}); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf(
		"POST %s HTTP/1.1\r\nHost: provider.example\r\nConnection: close\r\nContent-Type: %s\r\n%sContent-Length: "+
			"%d\r\n\r\n%s",
		path,
		p.Request.Body.ContentType,
		trigger,
		len(body),
		body,
	)
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
		t,
		ingress(serve(t, app.answer(200, "{}")), "max_payload: 1KiB", "clients: {token: env:TOKEN_OF_TEST}"),
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
	big := strings.Repeat("x", 1<<20)
	c, err := net.Dial("tcp", g.addresses["in"].String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	written := make(chan error, 1)
	go func() {
		_, err := fmt.Fprintf(
			c,
			"POST /api/evaluation HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s",
			len(big),
			big,
		)
		written <- err
	}()
	answer := make([]byte, 12)
	if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "HTTP/1.1 401" {
		t.Errorf("%q, %v", answer, err)
	}
	c.Close()
	<-written
	if app.count() > 0 {
		t.Error("a refused request arrived")
	}
}

func withEnv(name, value string) func(*running, *gateway.Options) {
	return func(r *running, _ *gateway.Options) { r.t.Setenv(name, value) }
}

// TestChunkedCloses (pitfall 14): a connection whose request had chunks is closed, so that what a length in front of
// it hid is not served.
func TestChunkedCloses(t *testing.T) {
	var app seen
	g := start(t, ingress(serve(t, app.answer(200, "{}")), "sealing: optional"))
	hidden := "POST /api/evaluation HTTP/1.1\r\nHost: h\r\nX-Hidden: yes\r\nContent-Length: 0\r\n\r\n"
	for _, shape := range []string{
		"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
		"Transfer-Encoding: chunked\r\n",
		"transfer-encoding: Chunked\r\nContent-Length: 0\r\n",
	} {
		before := app.count()
		got := raw(
			t,
			g.addresses["in"],
			"POST /api/evaluation HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"+shape+"\r\n0\r\n\r\n"+
				hidden,
		)
		if strings.Count(got, "HTTP/1.1 ") != 1 || !strings.Contains(got, "Connection: close") ||
			app.count() > before+1 {
			t.Errorf("%q: %s", shape, got)
		}
	}
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

// TestRates: a partner over its rate is told to wait, and strangers are, whose failures come too fast.
func TestRates(t *testing.T) {
	now := time.Now()
	var clock atomic.Int64
	at := func(_ *running, o *gateway.Options) {
		o.Now = func() time.Time { return now.Add(time.Duration(clock.Load())) }
	}
	var app seen
	g := start(t, "partner_limits: {rate: 1/s, burst: 2, failures: 1/s}\n"+
		ingress(
			serve(t, app.answer(200, "{}")),
			"sealing: optional",
			"clients: {token: env:TOKEN_OF_TEST}",
		), at, withEnv("TOKEN_OF_TEST", "0123456789abcdef"))
	get := func(headers ...string) answer { return call(t, "GET", g.url("in")+"/x", "", headers...) }
	token := []string{"Sealane-Token", "0123456789abcdef"}
	for i, want := range []int{200, 200, 429, 429} {
		if a := get(token...); a.status != want || (want == 429) != (a.header.Get("Retry-After") == "1") {
			t.Errorf("request %d: %d %v", i, a.status, a.header)
		}
	}
	for i, want := range []int{401, 401, 429} {
		if a := get(); a.status != want {
			t.Errorf("stranger %d: %d", i, a.status)
		}
	}
	clock.Add(int64(time.Second))
	if a := get(token...); a.status != 200 {
		t.Errorf("after a second: %d", a.status)
	}
	if a := get(); a.status != 401 {
		t.Errorf("a stranger, after a second: %d", a.status)
	}
}

// TestSecretsStayOut (pitfall 25): eight planted secrets are in no log, no answer of ours, no metric and no status.
func TestSecretsStayOut(t *testing.T) {
	secrets := []string{
		"hdr-5ecret-1",
		"qry-5ecret-2",
		"pth-5ecret-3",
		"pay-5ecret-4",
		"apk-5ecret-5",
		"tok-5ecret-6",
		"ans-5ecret-7",
		"upg-5ecret-8",
	}
	var b bytes.Buffer
	for _, appAnswer := range []string{
		"HTTP/1.1 200 OK\r\nX-A: ans-5ecret-7\r\nContent-Length: 99\r\n\r\nans-5ecret-7", "ans-5ecret-7 x\r\n\r\n",
		"HTTP/1.1 500 OK\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: upg-5ecret-8\r\n\r\n",
	} {
		url := rawServer(t, rawAnswer(appAnswer))
		in := start(t, "admin: 127.0.0.1:0\nlog: {level: debug}\n"+ingress(url, "sealing: optional"))
		out := start(
			t,
			"admin: 127.0.0.1:0\nlog: {level: debug}\n"+egress(
				url,
				"clients: {token: env:TOKEN_OF_TEST}",
				`plain: ["POST /pth-5ecret-3/{x}"]`,
			),
			withEnv("TOKEN_OF_TEST", "tok-5ecret-6-0123456789"),
		)
		payload := `{"id":"pay-5ecret-4"}`
		token, err := testlane.New(t, sealanetest.CustomerConfig()).Seal(t.Context(), []byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		headers := []string{"X-Custom", "hdr-5ecret-1", "Authorization", "Bearer apk-5ecret-5"}
		for _, body := range []string{payload, `{"encrypted_request":"` + string(token) + `"}`,
			`{"encrypted_request":"pay-5ecret-4"}`, "pay-5ecret-4"} {
			for _, path := range []string{"/api/evaluation/pth-5ecret-3?q=qry-5ecret-2",
				"/api/evaluation?qry-5ecret-2", "/x/pth-5ecret-3", "/a/b/pth-5ecret-3;x", "/pth-5ecret-3/x"} {
				attempt(t, in.url("in")+path, body, append(headers, sealedHeaders...)...)
				attempt(t, in.url("in")+path, body, headers...)
				attempt(t, out.url("out")+path, body, append(headers, "Sealane-Token", "tok-5ecret-6-0123456789")...)
				attempt(t, out.url("out")+path, body, append(headers, "Sealane-Token", "tok-5ecret-6-wrong")...)
			}
			raw(t, in.addresses["in"], "qry-5ecret-2 /hdr-5ecret-1 HTTP/9\r\nHost: hdr-5ecret-1 x\r\n\r\n")
			raw(t, in.addresses["in"], "hdr-5ecret-1 /pth-5ecret-3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		}
		for _, g := range []*running{in, out} {
			for _, page := range []string{"/metrics", "/status", "/readyz"} {
				b.WriteString(call(t, "GET", "http://"+g.addresses["admin"].String()+page, "").body)
			}
			b.WriteString(g.logged())
		}
	}
	for _, secret := range secrets {
		if i := strings.Index(b.String(), secret); i >= 0 {
			t.Errorf("%s: …%s…", secret, b.String()[max(0, i-300):i+30])
		}
	}
	if !strings.Contains(b.String(), "sealane_requests_total") {
		t.Error("no metrics")
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
