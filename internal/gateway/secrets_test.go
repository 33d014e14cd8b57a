package gateway_test

import (
	"bytes"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealanetest"
)

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
			serve(t, app.answer(200, "{}")), "sealing: optional", "clients: {token: env:TOKEN_OF_TEST}",
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
