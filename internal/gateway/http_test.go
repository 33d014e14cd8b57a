package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealanetest"
)

// sealedEvaluation returns the sealed body of a request from the customer of sealanetest.
func sealedEvaluation(t testing.TB) string {
	t.Helper()
	token, err := testlane.New(t, sealanetest.CustomerConfig()).Seal(t.Context(), []byte(evaluation))
	if err != nil {
		t.Fatal(err)
	}
	return `{"encrypted_request":"` + string(token) + `"}`
}

// sealedAnswer returns the sealed body of a provider's answer.
func sealedAnswer(t testing.TB, payload string) string {
	t.Helper()
	token, err := testlane.New(t, sealanetest.ProviderConfig()).Seal(t.Context(), []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return `{"eval_id":"e-1","encrypted_response":"` + string(token) + `"}`
}

// opened opens the sealed body of an answer.
func opened(t testing.TB, body string) string {
	t.Helper()
	_, token, _ := strings.Cut(body, `"encrypted_response":"`)
	m, err := testlane.New(t, sealanetest.CustomerConfig()).Open(t.Context(), []byte(strings.TrimSuffix(token, `"}`)))
	if err != nil {
		t.Fatal(err, body)
	}
	return string(m.Payload())
}

var sealedHeaders = []string{"X-Payload-Encrypted", "true"}

// raw sends bytes, and returns all that comes back until the connection ends.
func raw(t *testing.T, address net.Addr, request string) string {
	t.Helper()
	c, err := net.Dial(address.Network(), address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		t.Log(err)
	}
	got, err := io.ReadAll(c)
	if err != nil && len(got) == 0 {
		t.Fatal(err)
	}
	return string(got)
}

// rawServer answers each request with bytes, and then closes the connection.
func rawServer(t *testing.T, answer func(request *http.Request, body string) string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r, err := http.ReadRequest(bufio.NewReader(c))
				if err != nil {
					return
				}
				body, err := io.ReadAll(r.Body)
				if err != nil {
					return
				}
				io.WriteString(c, answer(r, string(body)))
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// TestRawQuery (pitfall 1): queries arrive byte for byte, on all ways.
func TestRawQuery(t *testing.T) {
	var app, partner seen
	in := start(t, ingress(serve(t, app.answer(200, `{}`)), `plain: ["GET /x"]`))
	out := start(t, egress(serve(t, func(w http.ResponseWriter, r *http.Request) {
		partner.add(r)
		if r.Method == "POST" {
			io.WriteString(w, sealedAnswer(t, `{"eval_id":"e-1"}`))
		}
	}), `plain: ["GET /x"]`))
	body := sealedEvaluation(t)
	for _, query := range []string{
		"?x=1;y=2&z=%zz&b=1", "?", "??", "?a", "?a=b=c", "?;", "?&&&", "?=", "?%", "?%%%", "?%2", "?a=%00", "?%00=a",
		"?a[b]=c&a[b]=d", "?a=1&a=2;a=3", "?q=a+b%20c", "?%41%2e%2E=%7e~", "?a=\xff", "?a=\u00e4", "?'\"<>",
		"?{}|\\^`",
		"?a=/../..//.", "?http://h/?b=c", "?a:b@c", "?%0d%0aX-Header:%20y", "?" + strings.Repeat("a;%zz&", 300),
	} {
		for _, c := range []struct {
			method, path string
			g            *running
			to           *seen
			body         string
		}{{"GET", "/x", in, &app, ""}, {"GET", "/x", out, &partner, ""}, {"POST", "/api/evaluation", in, &app, body},
			{"POST", "/api/evaluation", out, &partner, evaluation}} {
			head := fmt.Sprintf("%s %s%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: %d\r\n"+
				"Content-Type: application/json\r\nX-Payload-Encrypted: %t\r\n\r\n%s",
				c.method, c.path, query, len(c.body), c.body != "", c.body)
			name := "in"
			if c.g == out {
				name = "out"
			}
			a := raw(t, c.g.addresses[name], head)
			if !strings.HasPrefix(a, "HTTP/1.1 200") {
				t.Errorf("%s %q: %s", name, query, a)
				continue
			}
			if r, _ := c.to.last(t); r.RequestURI != c.path+query {
				t.Errorf("%s: %q arrived as %q", name, c.path+query, r.RequestURI)
			}
		}
	}
}

// TestSpoofedHeaders (pitfalls 2 and 3): nobody can pass for the gateway, in any spelling, and nobody can have
// its headers removed.
func TestSpoofedHeaders(t *testing.T) {
	var app seen
	in := start(t, ingress(serve(t, app.answer(200, `{}`)), "sealing: optional", "identity_header: X-Tenant"))
	names := []string{
		"Sealane-Partner", "sealane_partner", "SEALANE_PARTNER", "Sealane_Partner", "X-Sealane-Partner",
		"x_sealane_partner",
		"X-Forwarded-For", "X_Forwarded_For", "x-forwarded_host", "X-Forwarded-Port", "X-Forwarded-Prefix",
		"X-Forwarded-User",
		"Forwarded", "FORWARDED", "X-Real-IP", "X_Real_IP", "X-Tenant", "x_tenant", "Sealane-Anything",
		"Sealane-Message", "Sealane.Partner", "sealane!partner", "X.Forwarded~For", "x-real.ip", "x.tenant",
		"Sealane-Signer", "Sealane-Environment", "Sealane-Request-Id", "Sealane-Token", "X-Payload-Encrypted",
	}
	for _, sealed := range []bool{true, false} {
		var b strings.Builder
		body := evaluation
		fmt.Fprintf(&b, "POST /api/evaluation HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n")
		if sealed {
			body = sealedEvaluation(t)
			b.WriteString("X-Payload-Encrypted: true\r\nx_payload_encrypted: spoofed\r\n")
		} else {
			b.WriteString("X_Payload_Encrypted: spoofed\r\n")
		}
		for _, name := range names {
			if name != "X-Payload-Encrypted" {
				fmt.Fprintf(&b, "%s: spoofed\r\n", name)
			}
		}
		fmt.Fprintf(
			&b,
			"Connection: close, Sealane-Partner, Sealane-Message, sealane-environment, X-Forwarded-For, X-Tenant\r\n",
		)
		fmt.Fprintf(&b, "X-Kept: kept\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		if a := raw(t, in.addresses["in"], b.String()); !strings.HasPrefix(a, "HTTP/1.1 200") {
			t.Fatal(a)
		}
		r, _ := app.last(t)
		for name, values := range r.Header {
			if strings.Contains(strings.Join(values, " "), "spoofed") {
				t.Errorf("sealed %t: %s: %s arrived", sealed, name, values)
			}
		}
		for name, want := range map[string]string{
			"Sealane-Partner": "acme", "Sealane-Environment": "SANDBOX", "X-Tenant": "acme",
			"X-Forwarded-For": "127.0.0.1",
			"Sealane-Message": map[bool]string{true: "verified", false: "plain"}[sealed], "X-Kept": "kept",
		} {
			if got := r.Header.Values(name); len(got) != 1 || got[0] != want {
				t.Errorf("sealed %t: %s is %q, want %q", sealed, name, got, want)
			}
		}
	}
}

// TestUpgrade (pitfall 4): nothing leads past a lane.
func TestUpgrade(t *testing.T) {
	tunnel := func(r *http.Request, _ string) string {
		if r.Header.Get("Upgrade") != "" || r.Header.Get("Http2-Settings") != "" {
			t.Errorf("an upgrade was asked for: %v", r.Header)
		}
		return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
	}
	in := start(t, ingress(rawServer(t, tunnel), "sealing: optional", `plain: ["GET /x"]`))
	out := start(t, egress(rawServer(t, tunnel), `plain: ["GET /x"]`))
	for _, c := range []struct {
		g                        *running
		name, method, path, body string
		sealed                   bool
	}{
		{in, "in", "GET", "/x", "", false}, {in, "in", "POST", "/api/evaluation", sealedEvaluation(t), true},
		{out, "out", "GET", "/x", "", false}, {out, "out", "POST", "/api/evaluation", evaluation, false},
	} {
		for _, protocol := range []string{"h2c", "websocket"} {
			a := raw(
				t,
				c.g.addresses[c.name],
				fmt.Sprintf("%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Payload-Encrypted: %t\r\n"+
					"Content-Type: application/json\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: "+
					"%s\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"+
					"Content-Length: %d\r\n\r\n%s", c.method, c.path, c.sealed, protocol, len(c.body), c.body),
			)
			if !strings.HasPrefix(a, "HTTP/1.1 502") {
				t.Errorf("%s %s %s: %s", c.name, c.path, protocol, a)
			}
		}
	}
}

// TestInformational (pitfall 5): no 1xx is passed on, and no header is lost with it, on all ways.
func TestInformational(t *testing.T) {
	hint := func(body func(sealed bool) string) string {
		return rawServer(t, func(r *http.Request, _ string) string {
			text := body(r.Method == "POST")
			return "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: X-Secret\r\nX-Secret: 1\r\n\r\n" +
				"HTTP/1.1 102 Processing\r\nX-Secret: 2\r\n\r\n" +
				fmt.Sprintf("HTTP/1.1 200 OK\r\nX-App: yes\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
		})
	}
	app := hint(func(bool) string { return `{"eval_id":"e-1"}` })
	partner := hint(func(sealed bool) string {
		if sealed {
			return sealedAnswer(t, `{"eval_id":"e-1"}`)
		}
		return "{}"
	})
	const plain = `plain: ["GET /x"]`
	in, out := start(t, ingress(app, plain)), start(t, egress(partner, plain))
	issuer := start(t, issuerIngress(app))
	const get = "GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	const trigger = "X-Payload-Encrypted: true\r\n"
	for name, c := range map[string]struct {
		g       *running
		request string
	}{
		"ingress, plain":       {in, get},
		"ingress, sealed":      {in, lastPost("/api/evaluation", trigger, sealedEvaluation(t))},
		"ingress of an issuer": {issuer, lastPost("/v1/risk", "", sealedRisk(t))},
		"egress, plain":        {out, get},
		"egress, sealed":       {out, lastPost("/api/evaluation", "", evaluation)},
	} {
		address := c.g.addresses["in"]
		if c.g == out {
			address = c.g.addresses["out"]
		}
		a := raw(t, address, c.request)
		if !strings.HasPrefix(a, "HTTP/1.1 200") || strings.Contains(a, " 103 ") || strings.Contains(a, " 102 ") ||
			strings.Contains(a, "X-Secret") || strings.Contains(a, "Link: ") {
			t.Errorf("%s: %s", name, a)
		}
		if !strings.Contains(a, "X-App: yes") || c.g == out && !strings.Contains(a, "Sealane-Request-Id: ") {
			t.Errorf("%s: a header is lost: %s", name, a)
		}
	}
}

// lastPost returns a POST whose connection ends with the answer.
func lastPost(path, header, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"+
		"Content-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s", path, header, len(body), body)
}

// sealedRisk returns the body of a message to the issuer of sealanetest.
func sealedRisk(t testing.TB) string {
	t.Helper()
	token, err := testlane.New(t, sealanetest.VCASConfig()).Seal(t.Context(), []byte(`{"TransactionId":"t"}`))
	if err != nil {
		t.Fatal(err)
	}
	return string(token)
}

// TestBasePath (pitfall 17): an upstream's base path stands in front of what was matched without it, on both sides
// and with both profiles.
func TestBasePath(t *testing.T) {
	var app, partner seen
	p := serve(t, func(w http.ResponseWriter, r *http.Request) {
		partner.add(r)
		io.WriteString(w, sealedAnswer(t, `{"eval_id":"e-1"}`))
	})
	application := serve(t, app.answer(200, `{"eval_id":"e-1"}`)) + "/inner/v2/"
	const plain = `plain: ["GET /x/{y}"]`
	in, out := start(t, ingress(application, plain)), start(t, egress(p+"/base", plain))
	issuer := start(t, issuerIngress(application))
	vcas := start(t, vcasEgress(p+"/base/rdx"))
	for name, c := range map[string]struct {
		url, body string
		headers   []string
		to        *seen
		want      string
	}{
		"ingress": {in.url("in") + "/api/evaluation/a%20b?q=%zz", sealedEvaluation(t), sealedHeaders, &app,
			"/inner/v2/api/evaluation/a%20b?q=%zz"},
		"egress": {out.url("out") + "/api/evaluation/a%20b?q=%zz", evaluation, nil, &partner,
			"/base/api/evaluation/a%20b?q=%zz"},
		"issuer": {issuer.url("in") + "/v1/risk?q", sealedRisk(t), nil, &app, "/inner/v2/v1/risk?q"},
		// VCAS names its own paths: none is taken for the base.
		"vcas":       {vcas.url("out") + "/v1/risk?q", `{"n":1}`, nil, &partner, "/base/rdx/v1/risk?q"},
		"vcas, base": {vcas.url("out") + "/base/rdx/x", `{"n":1}`, nil, &partner, "/base/rdx/base/rdx/x"},
	} {
		if a := post(t, c.url, c.body, c.headers...); a.status != 200 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if r, _ := c.to.last(t); r.RequestURI != c.want {
			t.Errorf("%s: %s arrived", name, r.RequestURI)
		}
	}
	for name, c := range map[string]struct {
		url  string
		to   *seen
		want string
	}{
		"ingress, plain": {in.url("in") + "/x/%61?b", &app, "/inner/v2/x/%61?b"},
		"egress, plain":  {out.url("out") + "/x/%61?b", &partner, "/base/x/%61?b"},
	} {
		if a := call(t, "GET", c.url, ""); a.status != 200 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if r, _ := c.to.last(t); r.RequestURI != c.want {
			t.Errorf("%s: %s arrived", name, r.RequestURI)
		}
	}
	before := app.count() + partner.count()
	for name, url := range map[string]string{ // with the base in front it is another endpoint, which is not sealed
		"ingress": in.url("in") + "/inner/v2/api/evaluation", "egress": out.url("out") + "/base/api/evaluation",
	} {
		if a := post(t, url, evaluation, sealedHeaders...); a.status != 400 && a.status != 403 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if after := app.count() + partner.count(); after != before {
		t.Errorf("%d requests arrived", after-before)
	}
}

// TestCompression (pitfall 19): no coding is asked for or removed that the application did not ask for.
func TestCompression(t *testing.T) {
	var partner seen
	out := start(t, egress(serve(t, partner.answer(200, "plain")), `plain: ["GET /x"]`))
	for _, sent := range []string{"", "Accept-Encoding: br\r\n"} {
		raw(t, out.addresses["out"], "GET /x HTTP/1.1\r\nHost: localhost\r\n"+sent+"Connection: close\r\n\r\n")
		r, _ := partner.last(t)
		if got := r.Header.Get("Accept-Encoding"); (got == "") != (sent == "") || sent != "" && got != "br" {
			t.Errorf("%q: the partner was asked for %q", sent, got)
		}
	}
}

// TestBrowser (pitfall 42): pages can't have messages sealed.
func TestBrowser(t *testing.T) {
	var partner seen
	out := start(t, egress(serve(t, partner.answer(200, "plain")), `plain: ["GET /x"]`))
	for _, header := range [][]string{
		{"Origin", "http://evil.example"},
		{"Sec-Fetch-Site", "cross-site"},
		{"origin", "null"},
		{"Sec_Fetch_Site", "none"},
	} {
		for _, method := range []string{"GET", "POST"} {
			if p := call(t, method, out.url("out")+"/x", "", header...).problem(t); p.Status != 403 {
				t.Errorf("%v: %+v", header, p)
			}
		}
	}
	if partner.count() != 0 {
		t.Error("a browser's request arrived")
	}
}

// TestNamesTheEntry: the 403 for an endpoint that is not listed names the entry that would admit it.
func TestNamesTheEntry(t *testing.T) {
	out := start(t, egress("https://127.0.0.1:1"))
	p := call(t, "GET", out.url("out")+"/api/evaluation/abc", "").problem(t)
	if p.Status != 403 || !strings.Contains(p.Detail, `plain`) ||
		!strings.Contains(p.Detail, `"GET /api/evaluation/abc"`) {
		t.Errorf("%+v", p)
	}
}
