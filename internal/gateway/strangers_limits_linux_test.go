package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/gateway"
)

// sealedRequest returns a POST of a sealed body.
func sealedRequest(path, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"+
		"X-Payload-Encrypted: true\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

// TestStrangersLimits: where callers are not identified, a stranger can't use up what the partner may do: the limits
// hold for each network.
func TestStrangersLimits(t *testing.T) {
	arrived, release := make(chan struct{}, 100), make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.URL.RawQuery == "wait" {
			arrived <- struct{}{}
			<-release
		}
		io.WriteString(w, `{"eval_id":"e-1"}`)
	})
	sealed := sealedEvaluation(t)
	at := strings.LastIndex(sealed, ".")
	good := sealedRequest("/api/evaluation", sealed)
	bad := sealedRequest("/api/evaluation", sealed[:at-9]+"AAAA"+sealed[at-5:])
	now := time.Now()
	stands := func(_ *running, o *gateway.Options) { o.Now = func() time.Time { return now } }
	const stranger, partner = 1, 2 // networks
	for name, c := range map[string]struct {
		limits, request string
		want            string
	}{
		"rate":           {"partner_limits: {rate: 1/m, burst: 2}\n", good, "200 200 429"},
		"rate, garbage":  {"partner_limits: {rate: 1/m, burst: 2}\n", bad, "400 400 429"},
		"failures":       {"partner_limits: {failures: 1/m}\n", bad, "400 429 429"},
		"the route's":    {"  limits: {rate: 1/m, burst: 2}\n", good, "200 200 429"},
		"route failures": {"  limits: {failures: 1/m}\n", bad, "400 429 429"},
	} {
		config := c.limits + ingress(url)
		if strings.HasPrefix(c.limits, " ") {
			config = ingress(url) + c.limits
		}
		g := start(t, config, stands)
		var got []string
		for range 3 {
			got = append(got, g.stranger(t, stranger, "in", c.request))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: a stranger gets %s, want %s", name, got, c.want)
		}
		if status := g.stranger(t, partner, "in", good); status != "200" {
			t.Errorf("%s: the partner gets %s", name, status)
		}
	}

	g := start(t, "partner_limits: {in_flight: 1}\n"+ingress(url))
	waiting := make(chan string)
	go func() { waiting <- g.stranger(t, stranger, "in", sealedRequest("/api/evaluation?wait", sealed)) }()
	<-arrived
	for network, want := range map[int]string{stranger: "503", partner: "200"} {
		if status := g.stranger(t, network, "in", good); status != want {
			t.Errorf("in flight: network %d gets %s, want %s", network, status, want)
		}
	}
	close(release)
	if status := <-waiting; status != "200" {
		t.Error(status)
	}
}

// TestLimitsOfPartnersWithoutNames: routes whose keys are in files may leave out the partner's name. Their partners
// are not one partner.
func TestLimitsOfPartnersWithoutNames(t *testing.T) {
	var app seen
	url := serve(t, app.answer(200, `{"eval_id":"e-1"}`))
	config := "partner_limits: {rate: 1/m, burst: 1}\nroutes:\n"
	for _, name := range []string{"a", "b"} {
		config += strings.NewReplacer("routes:\n", "", "name: in", "name: "+name, "  partner: acme\n", "").
			Replace(ingress(url))
	}
	g := start(t, config)
	sealed := sealedEvaluation(t)
	for _, want := range []string{"a 200", "a 429", "b 200", "b 429"} {
		name, _, _ := strings.Cut(want, " ")
		a := post(t, g.url(name)+"/api/evaluation", sealed, sealedHeaders...)
		if got := fmt.Sprint(name, " ", a.status); got != want {
			t.Errorf("route %s, want %s", got, want)
		}
	}
}
