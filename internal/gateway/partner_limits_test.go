package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/sealanetest"
)

// clock is a time that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// limited adds partner acme with limits to a database.
func (d *database) limited(l lanes.Limits) {
	d.partner("acme", "riskos", sealane.ServerSide, registry.Environment{Name: "SANDBOX", Limits: l},
		sealanetest.ProviderKey(), sealanetest.CustomerKey())
}

// asAcme sends a sealed request of partner acme.
func asAcme(t *testing.T, g *running, query, body string) answer {
	t.Helper()
	return post(t, g.url("in")+"/api/evaluation"+query, body,
		append([]string{"Authorization", "Bearer api-key-of-acme"}, sealedHeaders...)...)
}

// TestRegistryRate: the rate that the registry has for a lane holds on an ingress, and the file's and the route's
// can only tighten it.
func TestRegistryRate(t *testing.T) {
	for i, c := range []struct {
		inRegistry         lanes.Limits
		inFile, ofTheRoute string
		served             int
	}{
		{lanes.Limits{Rate: 1, Burst: 3}, "", "max_payload: 1MiB", 3},
		{lanes.Limits{Rate: 1}, "", "max_payload: 1MiB", 2},
		{lanes.Limits{Rate: 1, Burst: 3}, "partner_limits: {rate: 9/s}\n", "limits: {rate: 9/s}", 3},
		{lanes.Limits{Rate: 1, Burst: 3}, "partner_limits: {rate: 1/s, burst: 2}\n", "max_payload: 1MiB", 2},
		{lanes.Limits{Rate: 1, Burst: 3}, "", "limits: {rate: 1/s, burst: 1}", 1},
		{lanes.Limits{}, "partner_limits: {rate: 1/s, burst: 4}\n", "max_payload: 1MiB", 4},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			d, now, sealed := newDatabase(t), &clock{now: time.Now()}, sealedEvaluation(t)
			d.limited(c.inRegistry)
			var app seen
			url := serve(t, app.answer(200, `{"eval_id":"e-1"}`))
			g := start(t, c.inFile+d.api(url, "caller: api-key", c.ofTheRoute), d.open(now.Now))
			for i := range c.served + 1 {
				a := asAcme(t, g, "", sealed)
				want := 200
				if i == c.served {
					want = 429
				}
				if a.status != want || (a.header.Get("Retry-After") == "1") != (want == 429) {
					t.Errorf("request %d: %d %v, want %d", i, a.status, a.header, want)
				}
			}
			now.add(time.Second)
			if a := asAcme(t, g, "", sealed); a.status != 200 {
				t.Errorf("after a second: %d", a.status)
			}
		})
	}
}

// TestRegistryFailures: a partner whose requests are refused again and again waits, and its good requests too.
func TestRegistryFailures(t *testing.T) {
	d, now, sealed := newDatabase(t), &clock{now: time.Now()}, sealedEvaluation(t)
	d.limited(lanes.Limits{Failures: 1})
	var app seen
	g := start(t, d.api(serve(t, app.answer(200, `{"eval_id":"e-1"}`)), "caller: api-key"), d.open(now.Now))
	damaged := strings.Replace(sealed, sealed[len(sealed)-12:len(sealed)-8], "AAAA", 1)
	statuses := func(bodies ...string) (list []int) {
		for _, body := range bodies {
			list = append(list, asAcme(t, g, "", body).status)
		}
		return list
	}
	got := fmt.Sprint(statuses(sealed, damaged, sealed, damaged, sealed, damaged))
	if got != "[200 400 200 400 429 429]" {
		t.Error(got)
	}
	now.add(time.Second)
	if got := fmt.Sprint(statuses(sealed, damaged, sealed)); got != "[200 400 429]" {
		t.Error(got)
	}
	app.last(t)
}

// TestRegistryInFlight: the registry limits how many requests of a lane are served at the same time.
func TestRegistryInFlight(t *testing.T) {
	d, sealed := newDatabase(t), sealedEvaluation(t)
	d.limited(lanes.Limits{InFlight: 1})
	arrived, release := make(chan struct{}), make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "wait" {
			arrived <- struct{}{}
			<-release
		}
		io.WriteString(w, `{"eval_id":"e"}`)
	})
	g := start(t, d.api(url, "caller: api-key"), d.open(nil))
	first := make(chan int)
	go func() { first <- asAcme(t, g, "?wait", sealed).status }()
	<-arrived
	if a := asAcme(t, g, "", sealed); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("two at once: %d %v", a.status, a.header)
	}
	close(release)
	if status := <-first; status != 200 {
		t.Error(status)
	}
	g.log.wait(t, `"msg":"request"`, 2)
	if a := asAcme(t, g, "", sealed); a.status != 200 {
		t.Errorf("afterwards: %d", a.status)
	}
	if log := g.logged(); !strings.Contains(log, "in_flight") {
		t.Error(log)
	}
}

// TestEgressLimits: the limits of a partner hold on the way out too, for our own application.
func TestEgressLimits(t *testing.T) {
	now := &clock{now: time.Now()}
	arrived, release := make(chan struct{}, 1), make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		io.WriteString(w, `{"eval_id":"e"}`)
	})
	g := start(t, "partner_limits: {rate: 1/s, burst: 3, in_flight: 1}\n"+egress(url),
		func(_ *running, o *gateway.Options) { o.Now = now.Now })
	send := func() answer {
		return post(t, g.url("out")+"/api/evaluation", evaluation, "Content-Type", "application/json")
	}
	first := make(chan answer)
	go func() { first <- send() }()
	<-arrived
	for _, want := range []struct {
		status int
		detail string
	}{{503, "in_flight"}, {503, "in_flight"}, {429, "over its rate"}} {
		a := send()
		if a.status != want.status || !strings.Contains(a.body, want.detail) || a.header.Get("Retry-After") == "" ||
			a.header.Get("Sealane-Processed") != "no" {
			t.Errorf("%d %v %s, want %+v", a.status, a.header, a.body, want)
		}
	}
	close(release)
	if a := <-first; a.status == 429 || a.status == 503 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestEgressFailures: callers of a network that are refused again and again are told to wait.
func TestEgressFailures(t *testing.T) {
	now := &clock{now: time.Now()}
	var app seen
	t.Setenv("TOKEN", "a token of a test")
	config := egress(serve(t, app.answer(200, "{}")), "clients: {token: env:TOKEN}", `plain: ["GET /x"]`)
	g := start(t, "partner_limits: {failures: 1/s}\n"+config, func(_ *running, o *gateway.Options) { o.Now = now.Now })
	for i, want := range []int{401, 401, 429} {
		a := post(t, g.url("out")+"/api/evaluation", evaluation, "Sealane-Token", "wrong")
		if a.status != want || (a.header.Get("Retry-After") != "") != (want == 429) {
			t.Errorf("%d: %d %v", i, a.status, a.header)
		}
	}
	if a := post(t, g.url("out")+"/api/evaluation", "", "Sealane-Token", "a token of a test"); a.status == 429 {
		t.Errorf("a good caller: %d", a.status)
	}
}
