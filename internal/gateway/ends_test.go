package gateway_test

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/internal/testkey"
)

const day = 24 * time.Hour

// clockAt is a clock that a test sets.
type clockAt struct{ at atomic.Int64 }

func (c *clockAt) set(at time.Time) { c.at.Store(at.UnixNano()) }

func (c *clockAt) now() time.Time { return time.Unix(0, c.at.Load()).UTC() }

func (c *clockAt) of(_ *running, o *gateway.Options) { o.Now = c.now }

// receiver is a program behind a webhook.
type receiver struct {
	mu     sync.Mutex
	status int
	ids    []string // of the events that it has received
	calls  int
	last   map[string]any
	signed bool
}

func (r *receiver) serve(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	if r.status != 0 {
		w.WriteHeader(r.status)
		return
	}
	r.ids = append(r.ids, q.Header.Get("Webhook-Id"))
	r.signed = strings.HasPrefix(q.Header.Get("Webhook-Signature"), "v1,")
	if err := json.NewDecoder(q.Body).Decode(&r.last); err != nil {
		w.WriteHeader(400)
	}
}

func (r *receiver) refuse(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *receiver) received() (ids []string, calls int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ids), r.calls
}

// certificateFile returns a certificate in PEM that ends at a time.
func certificateFile(t *testing.T, key *rsa.PrivateKey, serial int64, end time.Time) string {
	t.Helper()
	return string(pem.EncodeToMemory(&pem.Block{
		Type: "CERTIFICATE", Bytes: selfSigned(t, key, serial, end).Raw,
	}))
}

// endLines returns the lines of the log that say that a certificate ends.
func (r *running) endLines(t *testing.T) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(r.log.String()) {
		if strings.Contains(line, `"msg":"a certificate in a file`) {
			one := map[string]any{}
			if err := json.Unmarshal([]byte(line), &one); err != nil {
				t.Fatal(err, line)
			}
			lines = append(lines, one)
		}
	}
	return lines
}

func webhook(url string) string {
	return "notify: {webhook: {url: " + url + ", secret: env:HOOK_OF_TEST}}\n"
}

var hookSecret = withEnv("HOOK_OF_TEST", "0123456789abcdef")

// TestEndsInFiles: on each of the days, a line of the log and an event of the webhook say once that a certificate of a
// lane from files ends. A line is an error from 30 days on. A restart posts the event of the day again, with the same
// identity. A clock that is set back tells nothing again.
func TestEndsInFiles(t *testing.T) {
	end := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	var clock clockAt
	clock.set(end.Add(-76 * day))
	var hook receiver
	config := "admin: 127.0.0.1:0\n" + webhook(serve(t, hook.serve)) + ingress("http://127.0.0.1:1")
	file := func(r *running, _ *gateway.Options) {
		write(t, filepath.Join(r.dir, "customer.cer"),
			certificateFile(t, testkey.RSA(t, "ends in files", 2048), 0x99, end))
	}
	g := start(t, config, clock.of, hookSecret, file)
	g.CheckEnds(t.Context())
	if lines, ids := g.endLines(t), fmt.Sprint(hook.received()); len(lines) != 0 || ids != "[] 0" {
		t.Fatalf("76 days before the end: %v, %s", lines, ids)
	}
	days := []int{75, 60, 30, 14, 7, 1, 0, -7, -14}
	for i, n := range days {
		clock.set(end.Add(-time.Duration(n)*day - time.Second))
		g.CheckEnds(t.Context())
		for _, after := range []time.Duration{0, 90 * time.Minute} {
			clock.set(end.Add(-time.Duration(n)*day + after))
			g.CheckEnds(t.Context())
		}
		clock.set(end.Add(-100 * day))
		g.CheckEnds(t.Context())
		lines := g.endLines(t)
		ids, _ := hook.received()
		if len(lines) != i+1 || len(ids) != i+1 {
			t.Fatalf("%d days before the end: %d lines, events %q\n%s", n, len(lines), ids, g.log)
		}
		line, level := lines[i], map[bool]string{true: "ERROR", false: "WARN"}[n <= 30]
		left := n
		if n < 0 {
			left--
		}
		if line["level"] != level || line["days_left"] != float64(left) || line["routes"] != "in" ||
			line["lane"] != "riskos/acme/SANDBOX" || line["use"] != "theirs" || line["serial"] != "99" ||
			line["certificate"] != filepath.Join(g.dir, "customer.cer") || line["ends"] != "2027-03-01T12:00:00Z" {
			t.Errorf("%d days before the end: %v", n, line)
		}
		if !strings.HasSuffix(ids[i], fmt.Sprintf(".%d", n)) || !strings.HasPrefix(ids[i], "theirs.") {
			t.Errorf("%d days before the end: event %s", n, ids[i])
		}
	}
	data, _ := hook.last["data"].(map[string]any)
	if shown := fmt.Sprint(data); hook.last["type"] != "certificate.file" || !hook.signed || data["day"] != -14.0 ||
		!strings.Contains(shown, "SerialDecimal:153") || !strings.Contains(shown, "riskos/acme/SANDBOX") {
		t.Errorf("%v", hook.last)
	}
	if got := g.metrics(t, "sealane_end_events_total"); !strings.Contains(got, `{result="received"} 9`) {
		t.Error(got)
	}
	g.logged()
	clock.set(end.Add(15 * day))
	again := start(t, config, clock.of, hookSecret, file)
	again.CheckEnds(t.Context())
	ids, _ := hook.received()
	if len(ids) != 10 || ids[8] != ids[9] || len(again.endLines(t)) != 1 {
		t.Errorf("after a restart: %q", ids)
	}
}

// TestWebhookIsAway: an event that is not received is posted again, less and less often, until the next day's takes
// its place.
func TestWebhookIsAway(t *testing.T) {
	end := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	var clock clockAt
	clock.set(end.Add(-20 * day))
	hook := receiver{status: 503}
	g := start(t, webhook(serve(t, hook.serve))+ingress("http://127.0.0.1:1"), clock.of, hookSecret,
		func(r *running, _ *gateway.Options) { writeCertificate(t, r, "customer.cer", "webhook is away", end) })
	for range 24 * 60 {
		clock.set(clock.now().Add(time.Minute))
		g.CheckEnds(t.Context())
	}
	ids, calls := hook.received()
	if len(ids) != 0 || calls < 8 || calls > 20 {
		t.Errorf("%d calls on the first day", calls)
	}
	clock.set(end.Add(-13 * day)) // the notice of day 14 takes the place of that of day 30
	hook.refuse(0)
	g.CheckEnds(t.Context())
	g.CheckEnds(t.Context())
	if ids, _ := hook.received(); len(ids) != 1 || !strings.HasSuffix(ids[0], ".14") {
		t.Errorf("%q", ids)
	}
	hook.refuse(500)
	clock.set(end.Add(-6 * day))
	before, _ := hook.received()
	for range 200 {
		clock.set(clock.now().Add(30 * time.Minute))
		g.CheckEnds(t.Context())
	}
	hook.refuse(0)
	clock.set(clock.now().Add(4 * time.Hour))
	g.CheckEnds(t.Context())
	if after, _ := hook.received(); len(after) != len(before)+1 {
		t.Errorf("%q, after the webhook was away for days", after)
	}
	if log := g.log.String(); strings.Contains(log, "0123456789abcdef") ||
		!strings.Contains(log, "answered 503") {
		t.Error(log)
	}
}

// TestWebhookOfTheRegistry: without a webhook of its own, a gateway with registry.notify calls the one of that file.
func TestWebhookOfTheRegistry(t *testing.T) {
	f := newFirm(t, "sqlite:"+filepath.Join(t.TempDir(), "registry.db"))
	var hook receiver
	file := filepath.Join(t.TempDir(), "notify.yaml")
	write(t, file, "webhook: {url: "+serve(t, hook.serve)+", secret: env:HOOK_OF_TEST}\n")
	t.Setenv("HOOK_OF_TEST", "0123456789abcdef")
	n := &linked{firm: f}
	n.running = start(t, f.config("one", ", schedule: true, notify: "+file, ingress("http://127.0.0.1:1")),
		func(r *running, o *gateway.Options) {
			n.options(o)
			writeCertificate(t, r, "customer.cer", "webhook of the registry", f.now().Add(59*day))
		})
	n.CheckEnds(t.Context())
	if ids, _ := hook.received(); len(ids) != 1 || !strings.HasSuffix(ids[0], ".60") {
		t.Errorf("%q", ids)
	}
	write(t, file, "webhook: {url: nowhere}\n") // messages are served all the same
	again := &linked{firm: f}
	again.running = start(t, f.config("two", ", schedule: true, notify: "+file, ingress("http://127.0.0.1:1")),
		func(_ *running, o *gateway.Options) { again.options(o) })
	if log := again.log.String(); !strings.Contains(log, "no program is told that certificates in files end") {
		t.Error(log)
	}
}

// TestReplacedInFiles: nobody is told that a key ends that is not active, if one that is ends later. A staged
// successor is named.
func TestReplacedInFiles(t *testing.T) {
	end := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	var clock clockAt
	clock.set(end.Add(-20 * day))
	keys := func(old, next string) string {
		return strings.Replace(ingress("http://127.0.0.1:1"), "[{file: customer.cer, key_id: c-1}]",
			"[{file: old.cer, state: "+old+"}, {file: next.cer, state: "+next+"}]", 1)
	}
	for _, test := range []struct{ old, next, want string }{
		{"active", "staged", "next.cer active"}, {"retiring", "active", ""},
	} {
		g := start(t, keys(test.old, test.next), clock.of, func(r *running, _ *gateway.Options) {
			writeCertificate(t, r, "old.cer", "replaced: old", end)
			writeCertificate(t, r, "next.cer", "replaced: next", end.Add(700*day))
		})
		g.CheckEnds(t.Context())
		lines := g.endLines(t)
		if test.want == "" && len(lines) != 0 || test.want != "" && (len(lines) != 1 ||
			!strings.Contains(fmt.Sprint(lines[0]["what"]), test.want)) {
			t.Errorf("%s, %s: %v", test.old, test.next, lines)
		}
	}
}

// TestOneCertificateInTwoLanes: of two lanes with the same certificate each is watched, with its own advice and event.
// Two routes of one lane have one line.
func TestOneCertificateInTwoLanes(t *testing.T) {
	end := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	var clock clockAt
	clock.set(end.Add(-20 * day))
	var hook receiver
	route := func(name, environment, theirs string) string {
		return strings.NewReplacer("routes:\n", "", "name: in", "name: "+name, "SANDBOX", environment,
			"[{file: customer.cer, key_id: c-1}]", theirs).Replace(ingress("http://127.0.0.1:1"))
	}
	config := webhook(serve(t, hook.serve)) + "routes:\n" +
		route("first", "DEV", "[{file: old.cer, state: active}, {file: next.cer, state: staged}]") +
		route("second", "PROD", "[{file: old.cer, state: active}]") +
		route("third", "PROD", "[{file: old.cer, state: active}]")
	g := start(t, config, clock.of, hookSecret, func(r *running, _ *gateway.Options) {
		writeCertificate(t, r, "old.cer", "two lanes: old", end)
		writeCertificate(t, r, "next.cer", "two lanes: next", end.Add(700*day))
	})
	g.CheckEnds(t.Context())
	g.CheckEnds(t.Context())
	what := map[string]string{}
	lines := g.endLines(t)
	for _, line := range lines {
		what[fmt.Sprint(line["routes"], ": ", line["lane"])] = fmt.Sprint(line["what"])
	}
	if len(lines) != 2 || !strings.Contains(what["first: riskos/acme/DEV"], "next.cer active") ||
		what["second, third: riskos/acme/PROD"] != "ask the partner for its next certificate" {
		t.Errorf("%d lines: %v", len(lines), what)
	}
	if ids, _ := hook.received(); len(ids) != 2 || ids[0] == ids[1] {
		t.Errorf("%q", ids)
	}
}

// serveTLS runs a service on 127.0.0.1, whose certificate an authority issues, until the test ends.
func serveTLS(t *testing.T, ca *authority, h http.HandlerFunc) string {
	t.Helper()
	key := testkey.RSA(t, "a service with TLS", 2048)
	c := ca.sign(&x509.Certificate{
		SerialNumber: big.NewInt(77), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, ca.certificate, &key.PublicKey)
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{c.Raw}, PrivateKey: key}}}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

// TestEndOfTLS: the certificates of our servers, of clients, and of issuers are watched from 30 days on, and one that
// lives for days only in the second half of its time. Metrics have all of them, and that of the webhook's server.
func TestEndOfTLS(t *testing.T) {
	ca := newAuthority(t) // its certificates end in an hour, and live for two
	server, serverKey := ca.issue("gateway", x509.ExtKeyUsageServerAuth)
	client, clientKey := ca.issue("us", x509.ExtKeyUsageClientAuth)
	hook := &receiver{}
	url := serveTLS(t, ca, hook.serve)
	config := "admin: 127.0.0.1:0\n" + strings.Replace(webhook(url), "secret:", "ca: ca.pem, secret:", 1) +
		ingress("{url: https://127.0.0.1:1, tls: {ca: ca.pem, certificate: client.crt, key: client.key}}",
			"tls: {certificate: server.crt, key: server.key, client_ca: ca.pem, client_names: [a]}")
	var clock clockAt
	clock.set(time.Now())
	g := start(t, config, clock.of, hookSecret, withFiles("server.crt", server, "server.key", serverKey, "ca.pem",
		ca.pem(), "client.crt", client, "client.key", clientKey))
	clock.set(time.Now().Add(2 * time.Hour))
	g.CheckEnds(t.Context()) // the webhook's server shows its certificate
	g.CheckEnds(t.Context())
	uses := map[string]int{}
	for _, line := range g.endLines(t) {
		uses[fmt.Sprint(line["use"], " ", line["level"], " ", line["days_left"])]++
	}
	for _, use := range []string{"server", "client", "ca", "client_ca", "webhook"} {
		if n := uses[use+" ERROR -1"]; n != 1 {
			t.Errorf("%s: %d lines; all: %v", use, n, uses)
		}
	}
	for metric, want := range map[string]int{
		"sealane_server_certificate_end_timestamp_seconds{": 1, "sealane_client_certificate_end_timestamp_seconds{": 1,
		"sealane_issuer_certificate_end_timestamp_seconds{":  2,
		"sealane_webhook_certificate_end_timestamp_seconds ": 1,
		`sealane_file_keys_without_end{route="in"} 1`:        1, // provider.key
	} {
		if got := strings.Count(g.metrics(t, metric), metric); got != want {
			t.Errorf("%s: %d lines, want %d", metric, got, want)
		}
	}
	if n := strings.Count(g.log.String(), "the end of a key is not known"); n != 1 {
		t.Errorf("%d lines of keys whose end is not known", n)
	}
}
