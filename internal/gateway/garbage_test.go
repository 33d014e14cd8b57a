package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/rsaengine"
	"github.com/sealane/sealane/sealanetest"
)

// garbage are messages of a partner that do not open, each refused in another place.
func garbage(t *testing.T) map[string]string {
	t.Helper()
	sealed := sealedEvaluation(t)
	dot := strings.LastIndex(sealed, ".")
	config := sealanetest.CustomerConfig()
	config.Ours = sealanetest.IssuerKey().Ours()
	foreign, err := testlane.New(t, config).Seal(t.Context(), []byte(evaluation))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"another tag":   sealed[:dot-9] + "AAAA" + sealed[dot-5:],
		"a signature":   fmt.Sprintf(`{"encrypted_request":%q}`, foreign),
		"no token":      `{"encrypted_request":"a.b.c.d.e"}`,
		"a large token": `{"encrypted_request":"` + strings.Repeat("e30.", 50_000) + `"}`,
	}
}

// TestGarbageOfAnother: while one partner sends nothing but garbage, over 16 connections, no request of another is
// refused. It reports the 99th percentile of the other one's times, and the one without garbage in the same run: the
// two alternate. The long form fails if garbage makes that ten times as long.
func TestGarbageOfAnother(t *testing.T) {
	engine, err := rsaengine.Select(rsaengine.Auto)
	if err != nil {
		t.Fatal(err)
	}
	sealed := sealedEvaluation(t)
	for name, message := range garbage(t) {
		t.Run(name, func(t *testing.T) {
			g := twoPartners(t, func(_ *running, o *gateway.Options) { o.RSA = engine; o.Log = io.Discard })
			var quiet, flooded []time.Duration
			answers := map[int]*atomic.Int64{400: {}, 413: {}, 503: {}}
			rounds, each := proof(2, 20), proof(40, 250)
			for range rounds {
				quiet = append(quiet, g.time(t, "acme", sealed, each)...)
				stop := g.flood(t, "evil", message, 16, answers)
				flooded = append(flooded, g.time(t, "acme", sealed, each)...)
				stop()
			}
			control, p99 := percentile(quiet, 99), percentile(flooded, 99)
			ratio := float64(p99) / float64(control)
			t.Logf("99th percentile %v, while garbage comes %v: %.1f times; of the garbage, %d were refused, %d too "+
				"large, and %d not served", control, p99, ratio, answers[400].Load(), answers[413].Load(),
				answers[503].Load())
			if answers[400].Load()+answers[413].Load() == 0 {
				t.Error("no garbage arrived")
			}
			if rounds*each >= 1000 && ratio > 10 {
				t.Errorf("garbage of another makes the 99th percentile %.1f times as long", ratio)
			}
		})
	}
}

// twoPartners runs a provider's gateway for customers acme and evil.
func twoPartners(t *testing.T, change ...func(*running, *gateway.Options)) *running {
	t.Helper()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, `{"eval_id":"e-1"}`)
	})
	config := ""
	for _, name := range []string{"acme", "evil"} {
		config += strings.NewReplacer("name: in", "name: "+name, "partner: acme", "partner: "+name).
			Replace(strings.TrimPrefix(ingress(url), "routes:\n"))
	}
	return start(t, "routes:\n"+config, change...)
}

// time sends requests of a partner, four at once, and returns how long each took.
func (r *running) time(t *testing.T, partner, body string, n int) []time.Duration {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var took []time.Duration
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range n / 4 {
				began := time.Now()
				status := sendSealed(t.Context(), client, r.url(partner), body)
				mu.Lock()
				took = append(took, time.Since(began))
				mu.Unlock()
				if status != http.StatusOK {
					t.Errorf("a request of %s: %d", partner, status)
				}
			}
		})
	}
	all.Wait()
	return took
}

// flood sends a message over many connections until the returned function is called. It counts the statuses.
func (r *running) flood(
	t *testing.T, partner, body string, connections int, count map[int]*atomic.Int64,
) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	var all sync.WaitGroup
	for range connections {
		all.Go(func() {
			for ctx.Err() == nil {
				switch status := sendSealed(ctx, client, r.url(partner), body); {
				case count[status] != nil:
					count[status].Add(1)
				case ctx.Err() == nil:
					t.Errorf("garbage: status %d", status)
				}
			}
		})
	}
	return func() {
		cancel()
		all.Wait()
		client.CloseIdleConnections()
	}
}

// sendSealed sends a body as a sealed request, and returns the status, or 0 after an error.
func sendSealed(ctx context.Context, client *http.Client, url, body string) int {
	q, err := http.NewRequestWithContext(ctx, "POST", url+"/api/evaluation", bytes.NewReader([]byte(body)))
	if err != nil {
		return 0
	}
	q.Header = http.Header{"Content-Type": {"application/json"}, "X-Payload-Encrypted": {"true"}}
	response, err := client.Do(q)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0
	}
	return response.StatusCode
}

// percentile returns the time that so many percent of the times do not exceed.
func percentile(all []time.Duration, percent int) time.Duration {
	slices.Sort(all)
	return all[(len(all)*percent-1)/100]
}
