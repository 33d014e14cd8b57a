package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/sealanetest"
)

// running is a gateway that runs until the test ends.
type running struct {
	*gateway.Gateway
	t         *testing.T
	dir       string
	addresses map[string]net.Addr
	log       *logBuffer
	stop      func() error // ends it, and returns what Run does
}

type logBuffer struct {
	mu    sync.Mutex
	b     bytes.Buffer
	wrote chan struct{} // closed by the next line; nil: nobody waits
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wrote != nil {
		close(l.wrote)
		l.wrote = nil
	}
	return l.b.Write(p)
}

// wait waits for the n-th line with a text.
func (l *logBuffer) wait(t *testing.T, text string, n int) {
	t.Helper()
	for tooLate := time.After(time.Minute); ; {
		l.mu.Lock()
		log := l.b.String()
		if strings.Count(log, text) >= n {
			l.mu.Unlock()
			return
		}
		if l.wrote == nil {
			l.wrote = make(chan struct{})
		}
		wrote := l.wrote
		l.mu.Unlock()
		select {
		case <-wrote:
		case <-tooLate:
			t.Fatalf("the log has %q fewer than %d times: %s", text, n, log)
		}
	}
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs a gateway with a configuration. Folder dir of the configuration has the keys of sealanetest.
func start(t *testing.T, config string, change ...func(r *running, o *gateway.Options)) *running {
	t.Helper()
	dir := keyFolder(t)
	write(t, filepath.Join(dir, "sealane.yaml"), config)
	r := &running{t: t, dir: dir, log: &logBuffer{}}
	options := gateway.Options{Log: r.log}
	for _, f := range change {
		f(r, &options)
	}
	var err error
	r.Gateway, err = gateway.New(t.Context(), filepath.Join(dir, "sealane.yaml"), options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan map[string]net.Addr, 1), make(chan error, 1)
	go func() { ended <- r.Run(ctx, func(a map[string]net.Addr) { ready <- a }) }()
	select {
	case r.addresses = <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	r.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// url returns the URL of a route.
func (r *running) url(route string) string { return "http://" + r.addresses[route].String() }

// logged ends the gateway and returns its log.
func (r *running) logged() string {
	if err := r.stop(); err != nil {
		r.t.Error(err)
	}
	return r.log.String()
}

// keyFolder returns a folder with the keys of sealanetest: customer.key, customer.cer, and so on.
func keyFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, k := range map[string]sealanetest.KeyPair{
		"customer": sealanetest.CustomerKey(), "provider": sealanetest.ProviderKey(),
		"issuer": sealanetest.IssuerKey(),
	} {
		key, certificate := k.WriteFiles(t)
		move(t, key, filepath.Join(dir, name+".key"))
		move(t, certificate, filepath.Join(dir, name+".cer"))
	}
	return dir
}

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// egress returns the configuration of a customer's egress, with more words.
func egress(upstream string, more ...string) string {
	return "routes:\n- name: out\n  egress: riskos\n  environment: SANDBOX\n  listen: 127.0.0.1:0\n" +
		"  keys: {ours: customer.key, theirs: provider.cer}\n" +
		words(append([]string{"upstream: " + upstream}, more...))
}

// ingress returns the configuration of a provider's ingress with one partner, with more words.
func ingress(upstream string, more ...string) string {
	return "routes:\n- name: in\n  ingress: riskos\n  environment: SANDBOX\n  partner: acme\n  listen: 127.0.0.1:0\n" +
		"  caller: unauthenticated\n" +
		"  keys: {ours: provider.key, theirs: [{file: customer.cer, key_id: c-1}]}\n" +
		words(append([]string{"upstream: " + upstream}, more...))
}

// issuerIngress returns the configuration of an issuer's ingress, with more words.
func issuerIngress(upstream string, more ...string) string {
	return "routes:\n- name: in\n  ingress: rdx\n  environment: STAG\n  partner: vcas\n  listen: 127.0.0.1:0\n" +
		"  caller: unauthenticated\n" +
		"  keys: {ours: {file: issuer.key, key_id: " + sealanetest.IssuerKeyID + "}}\n" +
		words(append([]string{"upstream: " + upstream}, more...))
}

func words(lines []string) string {
	text := ""
	for _, line := range lines {
		text += "  " + line + "\n"
	}
	return text
}

// answer is a response that was read.
type answer struct {
	status int
	header http.Header
	body   string
}

// post sends JSON. Headers are pairs of names and values.
func post(t *testing.T, url, body string, headers ...string) answer {
	t.Helper()
	return call(t, "POST", url, body, headers...)
}

func call(t *testing.T, method, url, body string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1])
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, response)
}

func readAnswer(t *testing.T, response *http.Response) answer {
	t.Helper()
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(data)}
}

// problem reads an answer of RFC 9457.
func (a answer) problem(t *testing.T) (p struct {
	Type, Title, Detail, ID, Fault string
	Status                         int
}) {
	t.Helper()
	if a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("no problem: %d %s", a.status, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatal(err, a.body)
	}
	if p.Status != a.status || p.ID == "" || p.Detail == "" || p.Title == "" ||
		!strings.Contains(p.Type, "docs/gateway.md#") {
		t.Errorf("incomplete problem: %s", a.body)
	}
	if a.header.Get("Proxy-Status") == "" || a.header.Get("Sealane-Processed") == "" {
		t.Errorf("headers are missing: %v", a.header)
	}
	return p
}

// serve runs a service until the test ends.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// seen is what an upstream received.
type seen struct {
	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
}

func (s *seen) add(r *http.Request) string {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.bodies = append(s.requests, r), append(s.bodies, string(body))
	return string(body)
}

func (s *seen) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

func (s *seen) last(t *testing.T) (*http.Request, string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) == 0 {
		t.Fatal("nothing arrived")
	}
	return s.requests[len(s.requests)-1], s.bodies[len(s.bodies)-1]
}

const evaluation = `{"id":"1","timestamp":"2026-11-30T00:00:00Z","workflow":"w","data":{"individual":{"family_name":` +
	`"Accept"}}}`

// answer returns a handler that notes requests, and answers all of them the same.
func (s *seen) answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.add(r)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// withFiles puts files, each a name and a text, next to the configuration.
func withFiles(files ...string) func(*running, *gateway.Options) {
	return func(r *running, _ *gateway.Options) {
		for i := 0; i < len(files); i += 2 {
			write(r.t, filepath.Join(r.dir, files[i]), files[i+1])
		}
	}
}

// pemOf returns the certificate of a server.
func pemOf(s *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

// leaveSocket makes a socket as a program leaves it that was killed.
func leaveSocket(t *testing.T, path string) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
}
