package interop

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealanetest"
)

// runGateway runs a gateway with one route until the test ends, and returns its address. Its folder has
// the keys of sealanetest.
func runGateway(t *testing.T, route string) string {
	t.Helper()
	dir := t.TempDir()
	for name, k := range map[string]sealanetest.KeyPair{
		"customer": sealanetest.CustomerKey(), "provider": sealanetest.ProviderKey(),
	} {
		key, certificate := k.WriteFiles(t)
		for from, to := range map[string]string{key: name + ".key", certificate: name + ".cer"} {
			if err := os.Rename(from, filepath.Join(dir, to)); err != nil {
				t.Fatal(err)
			}
		}
	}
	file := filepath.Join(dir, "sealane.yaml")
	if err := os.WriteFile(file, []byte("routes:\n- "+route+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(t.Context(), file, gateway.Options{Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- g.Run(ctx, func(addresses map[string]net.Addr) {
			for _, a := range addresses {
				ready <- a.String()
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return <-ready
}

// plainClients are programs that POST JSON, follow redirects, and print the status and the body.
var plainClients = []struct {
	name, tool string
	command    func(t *testing.T, url, body string) []string
}{
	{"python", "python3", func(_ *testing.T, url, body string) []string {
		return []string{"python3", "-c", `
import sys, urllib.request, urllib.error
r = urllib.request.Request(sys.argv[1], sys.argv[2].encode(), {"Content-Type": "application/json"})
try:
    a = urllib.request.urlopen(r)
except urllib.error.HTTPError as e:
    a = e
print(a.status, a.read().decode())`, url, body}
	}},
	{"node", "node", func(_ *testing.T, url, body string) []string {
		return []string{"node", "-e", `
fetch(process.argv[1], {method: "POST", body: process.argv[2], headers: {"Content-Type": "application/json"}})
  .then(async a => console.log(a.status, await a.text()))`, url, body}
	}},
	{"java", "javac", func(t *testing.T, url, body string) []string {
		file := filepath.Join(t.TempDir(), "Post.java")
		if err := os.WriteFile(file, []byte(javaPost), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{"java", file, url, body}
	}},
}

const javaPost = `
import java.net.URI;
import java.net.http.*;

public class Post {
    public static void main(String[] a) throws Exception {
        HttpRequest r = HttpRequest.newBuilder(URI.create(a[0])).header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(a[1])).build();
        HttpResponse<String> h = HttpClient.newBuilder().followRedirects(HttpClient.Redirect.ALWAYS).build()
            .send(r, HttpResponse.BodyHandlers.ofString());
        System.out.println(h.statusCode() + " " + h.body());
    }
}
`

// TestPlainClients: clients in three languages reach the provider through an egress, and follow no redirect
// that would carry their plain bodies elsewhere.
func TestPlainClients(t *testing.T) {
	var canary atomic.Int64
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { canary.Add(1) }))
	defer evil.Close()
	redirecting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", evil.URL)
		w.WriteHeader(http.StatusTemporaryRedirect)
	}))
	defer redirecting.Close()
	provider := sealanetest.NewProvider(t, sealanetest.ProviderOptions{})
	apiKey := filepath.Join(t.TempDir(), "api-key")
	if err := os.WriteFile(apiKey, []byte(provider.APIKey), 0o600); err != nil {
		t.Fatal(err)
	}
	const egress = `{name: out, egress: riskos, environment: SANDBOX, listen: "127.0.0.1:0", ` +
		`keys: {ours: customer.key, theirs: provider.cer}, upstream: %q, authorization: %q, plain: ["POST /plain"]}`
	const body = `{"id":"1","timestamp":"2026-11-30T00:00:00Z","workflow":"w",` +
		`"data":{"individual":{"family_name":"Accept"}}}`
	good := "http://" + runGateway(t, fmt.Sprintf(egress, provider.URL, "file:"+apiKey))
	bad := "http://" + runGateway(t, fmt.Sprintf(egress, redirecting.URL, "file:"+apiKey))
	for _, c := range plainClients {
		t.Run(c.name, func(t *testing.T) {
			if _, err := exec.LookPath(c.tool); err != nil {
				t.Skipf("%s is not installed", c.tool)
			}
			for url, want := range map[string]string{
				good + "/api/evaluation": `200 {"id":"1"`,
				bad + "/api/evaluation":  `502 {"type":"`,
				bad + "/plain":           `502 {"type":"`,
				bad + "/other":           `403 {"type":"`,
			} {
				words := c.command(t, url, body)
				out, err := exec.CommandContext(limited(t), words[0], words[1:]...).CombinedOutput()
				if err != nil || !strings.HasPrefix(string(out), want) {
					t.Errorf("%s: %s %v, want %s", url, out, err, want)
				}
			}
		})
	}
	if n := canary.Load(); n != 0 {
		t.Errorf("%d requests followed the redirect", n)
	}
}

// wsgi is an application that answers with the headers that it sees.
const wsgi = `
import json
from wsgiref.simple_server import make_server, WSGIRequestHandler
class Quiet(WSGIRequestHandler):
    def log_message(self, *a): pass
def app(environ, start):
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    body = json.dumps({k: v for k, v in environ.items() if k.startswith("HTTP_")}).encode()
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
s = make_server("127.0.0.1", 0, app, handler_class=Quiet)
print(s.server_port, flush=True)
s.serve_forever()`

// TestWSGI: a Python application can't be told apart who the partner is by headers that it reads as the
// gateway's: WSGI does not tell X_Sealane_Partner from X-Sealane-Partner.
func TestWSGI(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not installed")
	}
	ctx, cancel := context.WithCancel(limited(t))
	defer cancel()
	application := exec.CommandContext(ctx, "python3", "-c", wsgi)
	application.WaitDelay = 5 * time.Second
	out, err := application.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := application.Start(); err != nil {
		t.Fatal(err)
	}
	defer application.Wait()
	defer cancel()
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address := runGateway(t, fmt.Sprintf(`{name: in, ingress: riskos, environment: SANDBOX, partner: acme, `+
		`listen: "127.0.0.1:0", caller: unauthenticated, identity_header: X-Tenant, `+
		`keys: {ours: provider.key, theirs: customer.cer}, upstream: "http://127.0.0.1:%s"}`, strings.TrimSpace(port)))
	customer := testlane.New(t, sealanetest.CustomerConfig())
	token, err := customer.Seal(t.Context(), []byte(`{"id":"1"}`))
	if err != nil {
		t.Fatal(err)
	}
	body := `{"encrypted_request":"` + string(token) + `"}`
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var spoofed strings.Builder
	for _, name := range []string{
		"Sealane-Partner", "Sealane_Partner", "sealane-partner", "X-Sealane-Partner", "X_Sealane_Partner", "X-Tenant",
		"X_Tenant", "X-Forwarded-For", "X_Forwarded_For", "X-Real-Ip", "X_Real_IP", "Forwarded", "X_Payload_Encrypted",
		"Sealane-Message", "Sealane_Signer", "X-Forwarded_Port",
	} {
		fmt.Fprintf(&spoofed, "%s: spoofed\r\n", name)
	}
	fmt.Fprintf(c, "POST /api/evaluation HTTP/1.1\r\nHost: h\r\nConnection: close, Sealane-Partner\r\n%s"+
		"X-Payload-Encrypted: true\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		spoofed.String(), len(body), body)
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var sealed struct {
		Token string `json:"encrypted_response"`
	}
	if err := json.NewDecoder(response.Body).Decode(&sealed); err != nil || response.StatusCode != 200 {
		t.Fatal(response.Status, err)
	}
	m, err := customer.Open(t.Context(), []byte(sealed.Token))
	if err != nil {
		t.Fatal(err)
	}
	var seen map[string]string
	if err := json.Unmarshal(m.Payload(), &seen); err != nil {
		t.Fatal(err)
	}
	for name, value := range seen {
		if strings.Contains(value, "spoofed") {
			t.Errorf("the application sees %s: %s", name, value)
		}
	}
	if seen["HTTP_SEALANE_PARTNER"] != "acme" || seen["HTTP_X_TENANT"] != "acme" ||
		seen["HTTP_SEALANE_MESSAGE"] != "verified" {
		t.Errorf("%v", seen)
	}
}
