package gateway_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/rsaengine"
	"github.com/sealane/sealane/sealanetest"
)

// twoCustomers runs a provider's gateway for customers acme and evil, whose key is slow-test:NAME. The names of those
// whose requests arrive are sent to arrived.
func twoCustomers(
	t *testing.T, key *slow, limits string, change ...func(*running, *gateway.Options),
) (g *running, arrived chan string) {
	t.Helper()
	slowKeys.Store(t.Name(), key)
	arrived = make(chan string, 100)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		arrived <- r.Header.Get("Sealane-Partner")
		io.WriteString(w, `{"eval_id":"e-1"}`)
	})
	config := "admin: 127.0.0.1:0\n" + limits
	for i, name := range []string{"acme", "evil"} {
		route := strings.NewReplacer("name: in", "name: "+name, "partner: acme", "partner: "+name,
			"provider.key", `"slow-test:`+t.Name()+`"`).Replace(ingress(url))
		if i > 0 {
			route = strings.TrimPrefix(route, "routes:\n")
		}
		config += route
	}
	return start(t, config, change...), arrived
}

// ask sends a message of a partner in the background.
func (r *running) ask(partner, body string) (done chan answer) {
	done = make(chan answer, 1)
	go func() { done <- post(r.t, r.url(partner)+"/api/evaluation", body, sealedHeaders...) }()
	return done
}

// TestFloodBesideAnother (pitfall 23): a partner with many waiting messages delays another one by one message.
func TestFloodBesideAnother(t *testing.T) {
	key := newSlow(sealanetest.ProviderKey(), "open")
	g, arrived := twoCustomers(t, key, "limits: {rsa: 1, queue: 1m}\n")
	sealed := sealedEvaluation(t)
	var flood []chan answer
	for range 30 {
		flood = append(flood, g.ask("evil", sealed))
	}
	<-key.begun
	g.waits(29)
	good := g.ask("acme", sealed)
	g.waits(30)
	var order string
	for range 3 {
		key.next <- struct{}{}
		order += " " + <-arrived
	}
	if order != " evil evil acme" { // the first one had the place
		t.Errorf("opened in the order%s", order)
	}
	close(key.next)
	for _, done := range append(flood, good) {
		if a := <-done; a.status != 200 {
			t.Errorf("a partner that is over its share is refused: %d %s", a.status, a.body)
		}
	}
}

// TestFailuresWaitLast (pitfall 23): a partner with many messages that did not open waits until no other waits, and
// is not refused.
func TestFailuresWaitLast(t *testing.T) {
	key := newSlow(sealanetest.ProviderKey(), "open")
	key.held.Store(false)
	now := time.Now() // failures are forgotten in time
	stands := func(_ *running, o *gateway.Options) { o.Now = func() time.Time { return now } }
	g, arrived := twoCustomers(t, key, "limits: {rsa: 1, queue: 1m}\n", stands)
	sealed := sealedEvaluation(t)
	at := strings.LastIndex(sealed, ".")
	garbage := sealed[:at-9] + "AAAA" + sealed[at-5:] // it decrypts to something else
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if a := <-g.ask("evil", garbage); a.status != 400 {
				t.Errorf("garbage: %d %s", a.status, a.body)
			}
		})
	}
	all.Wait()
	key.held.Store(true)
	holder := g.ask("acme", sealed)
	<-key.begun
	late := g.ask("evil", sealed)
	g.waits(1)
	var good []chan answer
	for i := range 5 {
		good = append(good, g.ask("acme", sealed))
		g.waits(2 + i)
	}
	for i := range 6 {
		key.next <- struct{}{}
		if got := <-arrived; got != "acme" {
			t.Errorf("%d: a request of %s was opened", i, got)
		}
	}
	close(key.next)
	for _, done := range append(good, holder, late) {
		if a := <-done; a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}

// TestTricklingSockets (pitfall 21): 256 connections of one partner, each with a part of a body, take nothing from
// another partner, nor from that one.
func TestTricklingSockets(t *testing.T) {
	g, _ := twoCustomers(t, newSlow(sealanetest.ProviderKey(), ""), "limits: {memory: 16MiB}\n")
	for range 256 {
		c, err := net.Dial("tcp", g.addresses["evil"].String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "POST /api/evaluation HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"+
			"X-Payload-Encrypted: true\r\nExpect: 100-continue\r\nContent-Length: 5000\r\n\r\n")
		if _, err := io.ReadFull(c, make([]byte, 25)); err != nil { // the body is awaited
			t.Fatal(err)
		}
		fmt.Fprint(c, "{")
	}
	for _, partner := range []string{"acme", "evil"} {
		if a := <-g.ask(partner, sealedEvaluation(t)); a.status != 200 {
			t.Errorf("%s: %d %s", partner, a.status, a.body)
		}
	}
}

// TestIssuerAlone: an issuer has one partner, which may use everything: nothing is refused.
func TestIssuerAlone(t *testing.T) {
	var app seen
	g := start(t, issuerIngress(serve(t, app.answer(200, `{"status":"SUCCESS"}`))))
	vcas := sealanetest.NewVCAS(t, sealanetest.VCASOptions{URL: g.url("in") + "/v1"})
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			for range 4 {
				if a, err := vcas.Risk(t.Context()); a.HTTPStatus != 200 {
					t.Errorf("%d %s %v", a.HTTPStatus, a.Body, err)
				}
			}
		})
	}
	all.Wait()
	if app.count() != 128 {
		t.Errorf("%d requests arrived", app.count())
	}
}

// TestThreads (pitfall 22): under 1,000 requests no more threads work than there are places, and few more exist.
func TestThreads(t *testing.T) {
	engine, err := rsaengine.Select(rsaengine.Auto)
	if err != nil {
		t.Fatal(err)
	}
	var app seen
	g := start(t, "limits: {queue: 1m}\n"+ingress(serve(t, app.answer(200, `{"eval_id":"e"}`))),
		func(_ *running, o *gateway.Options) { o.RSA = engine })
	threads := pprof.Lookup("threadcreate")
	before := threads.Count()
	sealed := sealedEvaluation(t)
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 250}}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	for range 1000 {
		all.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), "POST", g.url("in")+"/api/evaluation",
				strings.NewReader(sealed))
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("X-Payload-Encrypted", "true")
			response, err := client.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer response.Body.Close()
			if response.StatusCode != 200 {
				t.Errorf("%d", response.StatusCode)
			}
		})
	}
	all.Wait()
	if n := threads.Count() - before; n > 32 {
		t.Errorf("%d threads were made", n)
	}
}
