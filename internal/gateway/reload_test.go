package gateway_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/kms"
	"github.com/sealane/sealane/sealanetest"
)

// TestReload: a new configuration is in force as a whole, or not at all.
func TestReload(t *testing.T) {
	var one, two seen
	urlOne, urlTwo := serve(t, one.answer(200, "1")), serve(t, two.answer(200, "2"))
	g := start(t, egress(urlOne, `plain: ["GET /x"]`))
	get := func() string { return call(t, "GET", g.url("out")+"/x", "").body }
	reload := func(config string) error {
		write(t, filepath.Join(g.dir, "sealane.yaml"), config)
		return g.Reload(t.Context())
	}
	if got := get(); got != "1" {
		t.Error(got)
	}
	for _, broken := range []string{
		"nonsense", egress(urlTwo, "hots: a"),
		egress(urlTwo, `plain: ["GET /x"]`, "authorization: env:NOT_SET_ANYWHERE"),
		strings.Replace(egress(urlTwo, `plain: ["GET /x"]`), "customer.key", "none.key", 1),
		egress(urlTwo, `plain: ["GET /x"]`) +
			strings.Replace(strings.TrimPrefix(egress(urlOne), "routes:\n"),
				"name: out\n  egress: riskos\n  environment: SANDBOX\n  listen: 127.0.0.1:0",
				"name: b\n  egress: riskos\n  listen: "+strings.TrimPrefix(urlOne, "http://"), 1), // in use
	} {
		if err := reload(broken); err == nil {
			t.Errorf("%s: no error", broken)
		}
		if got := get(); got != "1" {
			t.Errorf("after %q: %s", broken, got)
		}
	}
	if err := reload(egress(urlTwo, `plain: ["GET /x"]`)); err != nil {
		t.Error(err)
	}
	if got := get(); got != "2" {
		t.Error(got)
	}
	if err := g.stop(); err != nil {
		t.Error(err)
	}
	if err := g.Reload(t.Context()); err == nil {
		t.Error("a gateway that has ended was reloaded")
	}
}

// TestKeysReload: keys are read again when their files change; SIGHUP is not needed.
func TestKeysReload(t *testing.T) {
	p := sealanetest.NewProvider(t, sealanetest.ProviderOptions{})
	g := start(t, egress(p.URL))
	good, wrong := read(t, filepath.Join(g.dir, "provider.cer")), read(t, filepath.Join(g.dir, "customer.cer"))
	send := func() int {
		return post(t, g.url("out")+"/api/evaluation", evaluation, "Authorization", "Bearer "+p.APIKey).status
	}
	if status := send(); status != 200 {
		t.Error(status)
	}
	write(
		t, filepath.Join(g.dir, "provider.cer"), wrong,
	) // our own key as the partner's: refused, so the old one stays
	g.Refresh(t.Context())
	if status := send(); status != 200 || !strings.Contains(g.log.String(), "keys stay as they were") {
		t.Error(status, g.log)
	}
	issuer := read(t, filepath.Join(g.dir, "issuer.cer"))
	write(t, filepath.Join(g.dir, "provider.cer"), issuer)
	g.Refresh(t.Context())
	if status := send(); status != 200 { // the issuer's certificate is not for signatures: refused too
		t.Error(status)
	}
	write(t, filepath.Join(g.dir, "provider.cer"), good)
	g.Refresh(t.Context())
}

// closing is a private key that can be closed, as one of a key store is.
type closing struct {
	keyring.Private
	closed atomic.Bool
}

var openKeys atomic.Int64 // of type closing

func (c *closing) Close() error {
	if !c.closed.Swap(true) {
		openKeys.Add(-1)
	}
	return nil
}

func (c *closing) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	if c.closed.Load() {
		return nil, errors.New("the key is closed")
	}
	return c.Private.Sign(r, digest, o)
}

func (c *closing) Decrypt(r io.Reader, text []byte, o crypto.DecrypterOpts) ([]byte, error) {
	if c.closed.Load() {
		return nil, errors.New("the key is closed")
	}
	return c.Private.Decrypt(r, text, o)
}

func init() {
	kms.Register("close-test", func(context.Context, string, kms.Options) (*kms.Key, error) {
		openKeys.Add(1)
		return &kms.Key{Private: &closing{Private: sealanetest.ProviderKey().Private}}, nil
	})
}

// laneFolder writes the i-th description of a lane into a lane folder next to the configuration.
func laneFolder(t *testing.T, dir string, i int) {
	t.Helper()
	folder := filepath.Join(dir, "lane")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "customer.cer"), read(t, filepath.Join(dir, "customer.cer")))
	// As an editor writes a file: whole, under its name.
	write(t, filepath.Join(folder, "lane.new"), fmt.Sprintf("profile: riskos\nside: server\npartner: acme\n"+
		"environment: SANDBOX\nours: [\"close-test:provider\"]\ntheirs: [customer.cer]\nmax_payload: %d\n", 100000+i))
	move(t, filepath.Join(folder, "lane.new"), filepath.Join(folder, "lane.yaml"))
}

// folderIngress is a route with a lane folder.
func folderIngress(url string) string {
	return "- {name: in, ingress: riskos, listen: \"127.0.0.1:0\", caller: unauthenticated, keys: lane, upstream: \"" +
		url + "\"}\n"
}

// TestKeysStayOpen: an answer is sealed with the key of its request, however often the keys have changed since.
func TestKeysStayOpen(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		<-release
		io.WriteString(w, `{"eval_id":"e-1"}`)
	})
	config := "routes:\n" + folderIngress(url)
	g := start(t, config, func(r *running, _ *gateway.Options) { laneFolder(t, r.dir, 0) })
	answers := make(chan answer)
	body := sealedEvaluation(t)
	go func() { answers <- post(t, g.url("in")+"/api/evaluation", body, sealedHeaders...) }()
	<-arrived
	for i := range 5 {
		laneFolder(t, g.dir, i+1)
		g.Refresh(t.Context())
	}
	if err := g.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if strings.Count(g.log.String(), "keys were read again") != 5 {
		t.Error(g.log)
	}
	close(release)
	if a := <-answers; a.status != 200 || opened(t, a.body) != `{"eval_id":"e-1"}` {
		t.Errorf("%d %s", a.status, a.body)
	}
	if err := g.stop(); err != nil || openKeys.Load() != 0 {
		t.Errorf("%d keys are open, %v", openKeys.Load(), err)
	}
}

// TestKeysStayForTheAnswer: keys of a configuration that is no longer in force stay open for as long as an upstream
// may take to answer.
func TestKeysStayForTheAnswer(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		<-release
		io.WriteString(w, `{"eval_id":"e-1"}`)
	})
	config := "routes:\n" + strings.Replace(folderIngress(url), `"`+url+`"`, `{url: "`+url+`", response: 5m}`, 1)
	var later atomic.Int64
	g := start(t, config, func(r *running, o *gateway.Options) {
		laneFolder(t, r.dir, 0)
		o.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	})
	answers := make(chan answer)
	body := sealedEvaluation(t)
	go func() { answers <- post(t, g.url("in")+"/api/evaluation", body, sealedHeaders...) }()
	<-arrived
	for range 2 { // the second reload closes what retired four minutes ago
		if err := g.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		later.Add(int64(4 * time.Minute))
	}
	close(release)
	if a := <-answers; a.status != 200 || opened(t, a.body) != `{"eval_id":"e-1"}` {
		t.Errorf("%d %s", a.status, a.body)
	}
	later.Add(int64(4 * time.Minute))
	if err := g.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := openKeys.Load(); n != 2 {
		t.Errorf("%d keys are open", n)
	}
}

// TestThousandReloads (pitfall 33): under load no request fails, and nothing is left behind: no connection, no key and
// no memory. The lane folder of a route changes meanwhile.
func TestThousandReloads(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, `{"eval_id":"e-1"}`)
	})
	sealed := sealedAnswer(t, `{"eval_id":"e-1"}`)
	partner := serve(t, func(w http.ResponseWriter, r *http.Request) { // a stand-in would keep all requests
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, sealed)
	})
	begin := time.Now()
	var seconds atomic.Int64 // a reload each: keys are closed in time that no request needs any more
	config := func(i int) string {
		out := egress(partner, fmt.Sprintf("max_payload: %dKiB", 100+i%7))
		if i%3 == 0 {
			out = egress(fmt.Sprintf("{url: %q, idle: %ds}", partner, 1+i%5))
		}
		return out + folderIngress(url)
	}
	g := start(t, config(0), func(r *running, o *gateway.Options) {
		laneFolder(t, r.dir, 0)
		o.Now = func() time.Time { return begin.Add(time.Duration(seconds.Load()) * time.Second) }
		o.Log = io.Discard // its memory would be counted
	})
	reload := func(i int) {
		seconds.Add(1)
		write(t, filepath.Join(g.dir, "sealane.yaml"), config(i))
		if err := g.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		laneFolder(t, g.dir, i)
		g.Refresh(t.Context())
	}
	client := &http.Client{Transport: &http.Transport{}}
	requests := []struct{ url, body string }{
		{g.url("out") + "/api/evaluation", evaluation}, {g.url("in") + "/api/evaluation", sealedEvaluation(t)},
	}
	send := func(i int) {
		one := requests[i%len(requests)]
		r, err := http.NewRequestWithContext(t.Context(), "POST", one.url, strings.NewReader(one.body))
		if err != nil {
			t.Error(err)
			return
		}
		r.Header = http.Header{"X-Payload-Encrypted": {"true"}, "Content-Type": {"application/json"}}
		response, err := client.Do(r)
		if err != nil {
			t.Error(err)
			return
		}
		defer response.Body.Close()
		if body, err := io.ReadAll(response.Body); err != nil || response.StatusCode != 200 {
			t.Errorf("%d %s %v", response.StatusCode, body, err)
		}
	}
	var pause sync.RWMutex // held while something is counted
	count := func() (goroutines int, heap uint64) {
		pause.Lock()
		defer pause.Unlock()
		client.CloseIdleConnections()
		runtime.GC()
		runtime.GC() // what the first one found can have finalizers
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return runtime.NumGoroutine(), m.HeapAlloc
	}
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	load.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			pause.RLock()
			send(i)
			pause.RUnlock()
		}
	})
	const warm = 160 // more than the seconds that keys stay open: two minutes, and the time of an answer
	for i := range warm {
		reload(i)
	}
	goroutines, heap := count()
	for i := range proof(120, 1000) {
		reload(warm + i)
	}
	stop()
	load.Wait()
	var after int
	var heapAfter uint64
	poll(t, func() bool { // connections that were replaced end by themselves
		after, heapAfter = count()
		return after <= goroutines+8
	})
	t.Logf("goroutines %d, then %d; heap %d KiB, then %d KiB; %d keys", goroutines, after, heap>>10, heapAfter>>10,
		openKeys.Load())
	if float64(heapAfter) > 1.3*float64(heap) {
		t.Errorf("something is left behind: %d bytes, %d before", heapAfter, heap)
	}
	if n := openKeys.Load(); n > 2*151+2 {
		t.Errorf("%d keys are open", n)
	}
	if err := g.stop(); err != nil || openKeys.Load() != 0 {
		t.Errorf("%d keys are open, %v", openKeys.Load(), err)
	}
}
