package gateway_test

import (
	"context"
	"crypto"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/kms"
	"github.com/sealane/sealane/sealanetest"
)

// TestAdmin: health, readiness, metrics and status; beyond loopback no status.
func TestAdmin(t *testing.T) {
	p := sealanetest.NewProvider(t, sealanetest.ProviderOptions{})
	g := start(t, "admin: 127.0.0.1:0\n"+egress(p.URL))
	post(t, g.url("out")+"/api/evaluation", evaluation, "Authorization", "Bearer "+p.APIKey)
	get := func(path string) answer { return call(t, "GET", "http://"+g.addresses["admin"].String()+path, "") }
	if a := get("/healthz"); a.status != 200 || a.body != "ok\n" {
		t.Error(a)
	}
	if a := get("/readyz"); a.status != 200 || a.body != "ready\n" {
		t.Error(a)
	}
	if a := get("/status"); a.status != 200 || !strings.Contains(a.body, `"name": "riskos/provider/SANDBOX"`) ||
		!strings.Contains(a.body, `"ends": "2126`) {
		t.Error(a)
	}
	g.log.wait(t, `"msg":"request"`, 1) // then it was counted
	page := get("/metrics").body
	for _, want := range []string{
		`sealane_requests_total{endpoint="/api/evaluation",method="POST",partner="provider",route="out",status="200"` +
			`} 1`,
		`sealane_messages_total{partner="provider",route="out",step="seal"} 1`,
		`sealane_messages_total{partner="provider",route="out",step="open"} 1`,
		`sealane_certificate_end_timestamp_seconds{environment="SANDBOX",owner="theirs",partner="provider",route="ou` +
			`t",serial="1",state="active"} 4.92`,
		"sealane_ready 1", "sealane_message_duration_seconds_bucket", "sealane_request_duration_seconds_bucket",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%s is not in\n%s", want, page)
		}
	}
	if problems, err := promlint.New(strings.NewReader(page)).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("names or texts of metrics: %v %v", problems, err)
	}
	if a := get("/other"); a.status != 404 {
		t.Error(a)
	}
	open := start(t, "admin: 0.0.0.0:0\n"+egress(p.URL))
	if a := call(t, "GET", "http://"+open.addresses["admin"].String()+"/status", ""); a.status != 404 {
		t.Errorf("status beyond loopback: %d %s", a.status, a.body)
	}
	if a := call(t, "GET", "http://"+open.addresses["admin"].String()+"/readyz", ""); a.status != 200 {
		t.Error(a)
	}
}

// TestMetricLabels (pitfall 24): odd requests make no new series.
func TestMetricLabels(t *testing.T) {
	var app seen
	g := start(t, "admin: 127.0.0.1:0\n"+ingress(serve(t, app.answer(200, "{}")), "sealing: optional"))
	page := func() string { return call(t, "GET", "http://"+g.addresses["admin"].String()+"/metrics", "").body }
	count := func() int { return strings.Count(page(), "\nsealane_") }
	odd := func(i int) {
		raw(
			t, g.addresses["in"],
			fmt.Sprintf("M%d /p%d?q%d HTTP/1.1\r\nHost: h%d\r\nConnection: close\r\n\r\n", i, i, i, i),
		)
	}
	odd(0)
	g.log.wait(t, `"msg":"request"`, 1) // then it was counted
	before := count()
	for i := range 500 {
		odd(i)
	}
	if after := count(); after != before {
		t.Errorf("%d series, %d before", after, before)
	}
}

// TestLogLines (pitfall 26): refusals at a stranger's pace don't fill the log.
func TestLogLines(t *testing.T) {
	now := time.Now()
	var clock atomic.Int64
	g := start(t, ingress("http://127.0.0.1:1"), func(_ *running, o *gateway.Options) {
		o.Now = func() time.Time { return now.Add(time.Duration(clock.Load())) }
	})
	for range 300 {
		post(t, g.url("in")+"/api/evaluation", "{}")
	}
	clock.Add(int64(2 * time.Second))
	post(t, g.url("in")+"/api/evaluation", "{}")
	log := g.logged()
	lines := strings.Count(log, "plain-refused")
	total := lines // with those that were omitted: the last one may be logged after the time has moved
	for _, m := range regexp.MustCompile(`"lines_omitted":([0-9]+)`).FindAllStringSubmatch(log, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
	if lines < 11 || lines > 13 || total != 301 {
		t.Errorf("%d lines of %d: %s", lines, total, log)
	}
}

// TestDrain (pitfalls 29 and 31): a gateway that ends is not ready, takes requests all the same for a time, and
// then lets those that are open end.
func TestDrain(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(arrived)
			<-release
		}
		io.WriteString(w, "{}")
	})
	g := start(t, "admin: 127.0.0.1:0\ndrain: {wait: 1s}\n"+egress(url, `plain: ["GET /slow", "GET /x"]`))
	slow := make(chan int, 1)
	go func() { slow <- call(t, "GET", g.url("out")+"/slow", "").status }()
	<-arrived
	ended := make(chan error, 1)
	go func() { ended <- g.stop() }()
	g.log.wait(t, `"msg":"draining"`, 1)
	if a := call(t, "GET", "http://"+g.addresses["admin"].String()+"/readyz", ""); a.status != 503 {
		t.Errorf("ready while it drains: %d", a.status)
	}
	if a := call(t, "GET", g.url("out")+"/x", ""); a.status != 200 {
		t.Errorf("while it drains: %d", a.status)
	}
	close(release)
	if status := <-slow; status != 200 {
		t.Errorf("the open request: %d", status)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestHardEnd (pitfall 30): a stream that never ends does not keep the gateway.
func TestHardEnd(t *testing.T) {
	arrived := make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		http.NewResponseController(w).Flush()
		close(arrived)
		<-r.Context().Done()
	})
	dir := keyFolder(t)
	file := filepath.Join(dir, "sealane.yaml")
	write(t, file, "drain: {end: 50ms}\n"+egress(url, `plain: ["GET /x"]`))
	g, err := gateway.New(t.Context(), file, gateway.Options{Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- g.Run(ctx, func(a map[string]net.Addr) { ready <- a["out"].String() })
	}()
	response, err := http.Get("http://" + <-ready + "/x")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	<-arrived
	cancel()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "still open") {
		t.Error(err)
	}
}

// panicking is a private key that panics.
type panicking struct {
	keyring.Private
	sign, decrypt *atomic.Bool
}

func (p panicking) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	if p.sign.Load() {
		panic("pay-5ecret")
	}
	return p.Private.Sign(r, digest, o)
}

func (p panicking) Decrypt(r io.Reader, text []byte, o crypto.DecrypterOpts) ([]byte, error) {
	if p.decrypt.Load() {
		panic("pay-5ecret")
	}
	return p.Private.Decrypt(r, text, o)
}

var panicSign, panicDecrypt atomic.Bool

func init() {
	kms.Register("panic-test", func(_ context.Context, uri string, _ kms.Options) (*kms.Key, error) {
		key := sealanetest.CustomerKey()
		if strings.HasSuffix(uri, "provider") {
			key = sealanetest.ProviderKey()
		}
		return &kms.Key{Private: panicking{key.Private, &panicSign, &panicDecrypt}}, nil
	})
}

// TestPanics (pitfall 8): a panic is answered, and logged with its stack and without its value.
func TestPanics(t *testing.T) {
	var app seen
	url := serve(t, app.answer(200, `{"eval_id":"e"}`))
	in := start(t, strings.Replace(ingress(url), "provider.key", `"panic-test:provider"`, 1))
	out := start(t, strings.Replace(egress(url), "customer.key", `"panic-test:customer"`, 1))
	panicSign.Store(true)
	defer panicSign.Store(false)
	if a := post(t, out.url("out")+"/api/evaluation", evaluation); a.status != 500 || a.problem(t).ID == "" ||
		app.count() != 0 {
		t.Errorf("seal: %d %s", a.status, a.body)
	}
	if a := post(t, in.url("in")+"/api/evaluation", sealedEvaluation(t), sealedHeaders...); a.status != 500 ||
		!strings.Contains(a.body, "eval_id") {
		t.Errorf("seal an answer: %d %s", a.status, a.body)
	}
	panicDecrypt.Store(true)
	defer panicDecrypt.Store(false)
	if a := post(t, in.url("in")+"/api/evaluation", sealedEvaluation(t), sealedHeaders...); a.status != 500 ||
		!strings.Contains(a.body, "eval_id") {
		t.Errorf("open: %d %s", a.status, a.body)
	}
	for _, log := range []string{in.logged(), out.logged()} {
		if !strings.Contains(log, `"level":"ERROR"`) || !strings.Contains(log, "panicking.Sign") ||
			strings.Contains(log, "5ecret") {
			t.Error(log)
		}
	}
}
