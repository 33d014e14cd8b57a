package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/sandbox/rdx"
	"github.com/sealane/sealane/sealanetest"
)

// TestEgress: plain JSON goes in, a sealed message arrives at the provider, and the opened answer comes back.
func TestEgress(t *testing.T) {
	p := sealanetest.NewProvider(t, sealanetest.ProviderOptions{})
	g := start(t, egress(p.URL))
	a := post(t, g.url("out")+"/api/evaluation", evaluation, "Authorization", "Bearer "+p.APIKey)
	if a.status != 200 || !strings.Contains(a.body, `"decision":"ACCEPT"`) ||
		a.header.Get("Sealane-Message") != "verified" ||
		a.header.Get("Sealane-Request-Id") == "" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	got := p.Requests()
	if len(got) != 1 || !got[0].Sealed || string(got[0].Payload) != evaluation ||
		strings.Contains(string(got[0].Body), "Accept") {
		t.Errorf("%+v", got)
	}
	log := g.logged()
	for _, want := range []string{`"endpoint":"/api/evaluation"`, `"status":200`, `"message":"verified"`,
		`"lane":"riskos/provider/SANDBOX"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s: %s", want, log)
		}
	}
}

// TestIngress: a sealed message is opened for the application, which sees who sent it, and its answer is
// sealed.
func TestIngress(t *testing.T) {
	var app seen
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		app.add(r)
		fmt.Fprint(w, `{"id":"1","eval_id":"e-1","decision":"ACCEPT"}`)
	})
	g := start(t, ingress(url, "identity_header: X-Tenant"))
	out := start(t, egress(g.url("in")))
	a := post(t, out.url("out")+"/api/evaluation?a=%zz;b", evaluation)
	if a.status != 200 || a.body != `{"id":"1","eval_id":"e-1","decision":"ACCEPT"}` ||
		a.header.Get("Sealane-Message") != "verified" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	r, body := app.last(t)
	if body != evaluation || r.URL.RawQuery != "a=%zz;b" || r.Header.Get("X-Payload-Encrypted") != "" {
		t.Errorf("%s, query %q, %v", body, r.URL.RawQuery, r.Header)
	}
	for name, want := range map[string]string{
		"Sealane-Partner": "acme", "Sealane-Environment": "SANDBOX", "Sealane-Message": "verified",
		"Sealane-Signer": "c-1",
		"X-Tenant":       "acme", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if r.Header.Get("Sealane-Request-Id") == "" || !strings.Contains(g.logged(), r.Header.Get("Sealane-Request-Id")) {
		t.Error("the request's ID is not in the log")
	}
}

// TestIssuer: RDX is opened by its alias and answered plain.
func TestIssuer(t *testing.T) {
	var app seen
	issuer := &rdx.Issuer{}
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		r.Body = io.NopCloser(strings.NewReader(app.add(r)))
		issuer.ServeHTTP(w, r)
	})
	g := start(t, issuerIngress(url))
	vcas := sealanetest.NewVCAS(t, sealanetest.VCASOptions{URL: g.url("in") + "/v1"})
	if a, err := vcas.Risk(t.Context()); err != nil || a.HTTPStatus != 200 || a.Status == "" {
		t.Errorf("%+v, %v", a, err)
	}
	r, body := app.last(t)
	if !strings.HasPrefix(body, "{") || r.URL.Path != "/v1/risk" || r.Header.Get("Sealane-Message") != "unverified" {
		t.Errorf("%s %s %v", r.URL, body, r.Header)
	}
}
