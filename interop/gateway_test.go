package interop

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sealane/sealane/internal/gateway"
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

// plainClients are programs that POST the JSON of a file to each URL, follow redirects, and print a status and a body
// in a line for each.
var plainClients = []struct {
	name, tool string
	command    func(t *testing.T) []string
}{
	{"python", "python3", func(*testing.T) []string {
		return []string{"python3", "-c", `
import sys, urllib.request, urllib.error
for url in sys.argv[2:]:
    r = urllib.request.Request(url, open(sys.argv[1], "rb").read(), {"Content-Type": "application/json"})
    try:
        a = urllib.request.urlopen(r)
    except urllib.error.HTTPError as e:
        a = e
    print(a.status, a.read().decode().strip())`}
	}},
	{"node", "node", func(*testing.T) []string {
		return []string{"node", "-e", `
const body = require("fs").readFileSync(process.argv[1]), headers = {"Content-Type": "application/json"};
(async () => {
  for (const url of process.argv.slice(2)) {
    const a = await fetch(url, {method: "POST", body, headers});
    console.log(a.status, (await a.text()).trim());
  }
})()`}
	}},
	{"java", "javac", func(t *testing.T) []string {
		file := filepath.Join(t.TempDir(), "Post.java")
		if err := os.WriteFile(file, []byte(javaPost), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{"java", file}
	}},
	{"curl", "curl", func(*testing.T) []string {
		return []string{"sh", "-c", `
body=$1; shift
for url in "$@"; do
	status=$(curl -sS -L --post301 --post302 --post303 -o "$body.out" -w '%{http_code}' -H 'Expect:' \
		-H 'Content-Type: application/json' --data-binary "@$body" "$url") || exit
	printf '%s %s\n' "$status" "$(tr -d '\n' <"$body.out")"
done`, "curl"}
	}},
}

const javaPost = `
import java.net.URI;
import java.net.http.*;
import java.nio.file.Path;

public class Post {
    public static void main(String[] a) throws Exception {
        HttpClient c = HttpClient.newBuilder().followRedirects(HttpClient.Redirect.ALWAYS).build();
        for (int i = 1; i < a.length; i++) {
            HttpRequest r = HttpRequest.newBuilder(URI.create(a[i])).header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofFile(Path.of(a[0]))).build();
            HttpResponse<String> h = c.send(r, HttpResponse.BodyHandlers.ofString());
            System.out.println(h.statusCode() + " " + h.body().strip());
        }
    }
}
`

// sendPlain has a client POST a body to the URLs, and compares the beginnings of what it prints.
func sendPlain(t *testing.T, command []string, body string, urls, want []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	words := append(append(command, file), urls...)
	cmd := exec.CommandContext(limited(t), words[0], words[1:]...)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || len(lines) != len(want) {
		t.Errorf("%v: %s%s", err, out, said.String())
		return
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, want[i]) {
			t.Errorf("%s: %s, want %s", urls[i], line, want[i])
		}
	}
}

// TestPlainClients: clients in four languages reach the provider through an egress, follow no redirect that would
// carry their plain bodies elsewhere, and read the refusal of a body that they are still sending.
func TestPlainClients(t *testing.T) {
	var canary atomic.Int64
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { canary.Add(1) }))
	defer evil.Close()
	redirecting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, err := strconv.Atoi(r.URL.RawQuery)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Location", evil.URL)
		w.Header().Set("Refresh", "0; url="+evil.URL)
		w.WriteHeader(status)
	}))
	defer redirecting.Close()
	provider := sealanetest.NewProvider(t, sealanetest.ProviderOptions{})
	apiKey := filepath.Join(t.TempDir(), "api-key")
	if err := os.WriteFile(apiKey, []byte(provider.APIKey), 0o600); err != nil {
		t.Fatal(err)
	}
	const egress = `{name: out, egress: riskos, environment: SANDBOX, listen: "127.0.0.1:0", ` +
		`keys: {ours: customer.key, theirs: provider.cer}, upstream: %q, authorization: %q, ` +
		`plain: ["POST /plain"], max_payload: 1KiB}`
	const body = `{"id":"1","timestamp":"2026-11-30T00:00:00Z","workflow":"w",` +
		`"data":{"individual":{"family_name":"Accept"}}}`
	good := "http://" + runGateway(t, fmt.Sprintf(egress, provider.URL, "file:"+apiKey))
	bad := "http://" + runGateway(t, fmt.Sprintf(egress, redirecting.URL, "file:"+apiKey))
	urls, want := []string{good + "/api/evaluation"}, []string{`200 {"id":"1"`}
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, path := range []string{"/api/evaluation", "/plain"} {
			urls, want = append(urls, fmt.Sprint(bad, path, "?", status)), append(want, `502 {"type":"`)
		}
	}
	urls, want = append(urls, bad+"/other?307"), append(want, `403 {"type":"`)
	for _, c := range plainClients {
		t.Run(c.name, func(t *testing.T) {
			if _, err := exec.LookPath(c.tool); err != nil {
				t.Skipf("%s is not installed", c.tool)
			}
			command := c.command(t)
			sendPlain(t, command, body, urls, want)
			large := `{"id":"1","a":"` + strings.Repeat("x", 1<<20) + `"}`
			sendPlain(t, command, large, []string{good + "/api/evaluation"}, []string{`413 {"type":"`})
		})
	}
	for i, url := range urls { // http.Client follows redirects too
		response, err := http.Post(url, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if !strings.HasPrefix(want[i], strconv.Itoa(response.StatusCode)) {
			t.Errorf("%s: %d, want %s", url, response.StatusCode, want[i])
		}
	}
	if n := canary.Load(); n != 0 {
		t.Errorf("%d requests followed the redirect", n)
	}
}

// TestForeignPartnersOfGateways: a customer, a VCAS and an issuer in each language, with a gateway at our end.
func TestForeignPartnersOfGateways(t *testing.T) {
	t.Parallel()
	provider := sealanetest.NewProvider(t, sealanetest.ProviderOptions{})
	_, providerFile := sealanetest.ProviderKey().WriteFiles(t)
	issuerKey, issuerFile := sealanetest.IssuerKey().WriteFiles(t)
	var stepups atomic.Int64
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stepups.Add(1)
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, `{"Status":"SUCCESS"}`)
	}))
	defer service.Close()
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			folder, certificate := certificateOf(t, c.in, c.file, "riskos")
			url := "http://" + runGateway(t, fmt.Sprintf(`{name: in, ingress: riskos, environment: SANDBOX, `+
				`partner: acme, listen: "127.0.0.1:0", caller: unauthenticated, sealing: optional, `+
				`keys: {ours: provider.key, theirs: %q}, upstream: %q}`, certificate, provider.URL))
			customer := launch(t, foreign(limited(t), t, c.in, c.file, "customer", folder, url, providerFile,
				provider.APIKey, errorsFile(t)))
			lines, _ := customer.end(t, nil)
			seen := outcomes(t, lines)
			for _, o := range seen { // the fault of sealing is made on demand by a stand-in that seals
				if !o.OK && o.Step != "error.sealing-failed" {
					t.Errorf("%s: %s", o.Step, o.Why)
				}
			}
			if len(seen) != len(customerSteps) {
				t.Errorf("%d steps: %s", len(seen), customer.errors.String())
			}

			before := stepups.Load()
			url = "http://" + runGateway(t, fmt.Sprintf(`{name: in, ingress: rdx, environment: STAG, `+
				`listen: "127.0.0.1:0", caller: unauthenticated, upstream: %q, `+
				`keys: {ours: {file: %q, key_id: %s}, accept_certificate: a test}}`, service.URL, issuerKey, alias))
			play(t, foreign(limited(t), t, c.in, c.file, "vcas", url+"/stepup", issuerFile, alias),
				"vcas.send OK", "vcas.unknown-alias 405", "vcas.no-alias 405", "vcas.wrong-key 405",
				"vcas.sha1 405", "vcas.clear 405")
			if n := stepups.Load() - before; n != 1 {
				t.Errorf("%d messages reached the service", n)
			}

			folder, certificate = certificateOf(t, c.in, c.file, "rdx")
			issuer := launch(t, foreign(limited(t), t, c.in, c.file, "issuer", folder, alias))
			url = "http://" + runGateway(t, fmt.Sprintf(`{name: out, egress: rdx, environment: STAG, `+
				`listen: "127.0.0.1:0", upstream: %q, keys: {theirs: {file: %q, key_id: %s}}}`,
				issuer.url(t), certificate, alias))
			response, err := http.Post(url+"/risk", "application/json", strings.NewReader(`{"TransactionId":"t"}`))
			if err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err != nil || response.StatusCode != 200 || !strings.Contains(string(answer), `"t"`) {
				t.Errorf("%d %s %v", response.StatusCode, answer, err)
			}
			lines, _ = issuer.end(t, nil)
			if seen := outcomes(t, lines); len(seen) != 1 || !seen[0].OK || seen[0].Message["TransactionId"] != "t" {
				t.Errorf("%+v", seen)
			}
		})
	}
}

// TestTryPage: what docs/gateway.md tries on one machine: a service in Python behind an issuer's ingress.
func TestTryPage(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not installed")
	}
	ours, dir := sealaneBinary(t), t.TempDir()
	keys := filepath.Join(dir, "rdx-stag")
	if out, err := ours("cert", "create", "--profile", "rdx", "--env", "STAG", "--common-name", "rdx.bank.example",
		"--org", "Example Bank", "--unit", "Payments", "--email", "keys@bank.example", "--out",
		keys).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	service := serving(t, exec.CommandContext(limited(t), "python3", "-c",
		"import os, signal, runpy, sys; signal.signal(signal.SIGINT, lambda *a: os._exit(0)); "+
			"sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0])", "../docs/gateway/service.py", "0"))
	config, err := os.ReadFile("../docs/gateway/try.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := string(config)
	for from, to := range map[string]string{"127.0.0.1:8443": "127.0.0.1:0", "http://127.0.0.1:8080": service} {
		if !strings.Contains(text, from) {
			t.Fatalf("try.yaml has no %s", from)
		}
		text = strings.ReplaceAll(text, from, to)
	}
	file := filepath.Join(dir, "try.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	gateway := launch(t, ours("serve", "-c", file))
	address := ""
	for line := range gateway.output {
		if _, after, ok := strings.Cut(line, " listens on "); ok {
			address = strings.TrimSpace(after)
			break
		}
	}
	if address == "" {
		t.Fatal(gateway.errors.String())
	}
	certificate := filepath.Join(keys, "1-send", "rdx-bank-example-stag.pem")
	call := []string{"sandbox", "vcas", "--url", "http://" + address + "/v1", "--to", certificate,
		"--to-key-id", alias, "--otp", "123456"}
	if out, err := ours(call...).CombinedOutput(); err != nil || strings.Count(string(out), "HTTP 200") != 4 {
		t.Errorf("%v\n%s", err, out)
	}
	out, err := ours(append(call, "--fault", "wrong-key")...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "HTTP 405") { // it is refused, as it must be
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := ours(append(call, "--all-faults")...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if _, code := gateway.end(t, os.Interrupt); code != 0 || !strings.Contains(gateway.errors.String(), "open.key") {
		t.Errorf("%d %s", code, gateway.errors.String())
	}
}
