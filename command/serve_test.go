package command

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/sealanetest"
)

// TestServeProvider: from two empty folders to a message between two gateways, by docs/gateway/provider.yaml
// and a customer's egress, both with registries.
func TestServeProvider(t *testing.T) {
	provider, customer := newOffice(t), newOffice(t)
	provider.run(
		"partner", "add", "acme", "--name", "Acme", "--profile", "riskos", "--side", "ingress", "--env", "DEV",
		"--sealing", "required",
	)
	customer.run(
		"partner", "add", "provider", "--name", "P", "--profile", "riskos", "--side", "egress", "--env", "DEV",
		"--sealing", "required",
	)
	theirs, theirFile := provider.offer("acme", "DEV", "--common-name", "provider.example")
	ours, ourFile := customer.offer("provider", "DEV", "--common-name", "acme.example")
	provider.accept("acme", "DEV", ourFile, "")
	customer.accept("provider", "DEV", theirFile, "")
	provider.run("installed", theirs, "--partner", "acme")
	customer.run("installed", ours, "--partner", "provider")
	apiKey := regexp.MustCompile(`sealane_api_\S+`).
		FindString(provider.run("partner", "apikey", "acme", "DEV", "--sealing", "required"))

	var got http.Header
	application := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		io.WriteString(w, `{"id":"1","eval_id":"e-1"}`)
	}))
	defer application.Close()
	in := provider.serve(
		provider.documented("provider.yaml", ":8443", "127.0.0.1:0", "http://127.0.0.1:8080", application.URL,
			"  tls: {certificate: server.crt, key: server.key}\n", "",
			"registry: {", "registry: {node: provider, "),
		1,
	)
	out := customer.serve(
		fmt.Sprintf(
			"registry: {db: registry.db, root_key: \"file:root.key\"}\nroutes:\n- name: riskos\n  egress: riskos\n"+
				"  partner: provider\n  environment: DEV\n  listen: 127.0.0.1:0\n  upstream: http://%s\n",
			in.addresses["api"],
		),
		1,
	)
	status, header, body := postJSON(
		t,
		"http://"+out.addresses["riskos"]+"/api/evaluation",
		`{"id":"1"}`,
		"Authorization",
		"Bearer "+apiKey,
	)
	if status != 200 || body != `{"id":"1","eval_id":"e-1"}` || header.Get("Sealane-Message") != "verified" {
		t.Errorf("%d %v %s\n%s%s", status, header, body, in.log, out.log)
	}
	if got.Get("Sealane-Partner") != "acme" || got.Get("Sealane-Message") != "verified" ||
		got.Get("Authorization") != "" {
		t.Error(got)
	}
	if code := in.stop(); code != 0 {
		t.Errorf("exit code %d: %s", code, in.log)
	}
	if keys := provider.run("partner", "show", "acme", "--json"); !strings.Contains(keys, `"last_used"`) {
		t.Errorf("the use of the API key is not stored: %s", keys)
	}
	usesAndNodes(t, provider, theirs)
}

// TestServeCheck: all errors are reported at once, with lines, and an exit code.
func TestServeCheck(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "sealane.yaml")
	config := "routes:\n" +
		`- {name: a, egress: riskos, listen: "127.0.0.1:0", upstream: "https://h.example", keys: {ours: none.key}}` +
		"\n" + `- {name: b, egres: riskos, listen: "127.0.0.1:0"}` + "\n"
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, said bytes.Buffer
	serve := func(flag string) int {
		return run(t.Context(), []string{"serve", "-c", file, flag}, strings.NewReader(""), &out, &said)
	}
	const want = `sealane.yaml:3: routes[1].egres: there is no such key; did you mean "egress"?`
	if code := serve("--check"); code != exitFailed || !strings.Contains(said.String(), want) {
		t.Errorf("%d %s", code, said.String())
	}
	if code := serve("--dial"); code != exitUsage {
		t.Errorf("--dial alone: %d", code)
	}
	_, certificate := sealanetest.IssuerKey().WriteFiles(t)
	config = `routes: [{name: a, egress: rdx, environment: STAG, listen: "127.0.0.1:0", ` +
		`upstream: "https://h.example", keys: {theirs: "` + certificate + `"}}]`
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if code := serve("--check"); code != 0 || !strings.Contains(out.String(), "not ready: route a: ") ||
		!strings.Contains(out.String(), "nothing is wrong") {
		t.Errorf("a partner's key without a key ID: %d %s%s", code, out.String(), said.String())
	}
	o := newOffice(t)
	o.run("partner", "add", "acme", "--name", "Acme", "--profile", "riskos", "--side", "ingress", "--env", "DEV",
		"--sealing", "required")
	file = filepath.Join(o.dir, "sealane.yaml")
	config = "registry: {db: registry.db, root_key: \"file:root.key\"}\n" +
		`routes: [{name: a, ingress: riskos, partner: acme, environment: DEV, listen: "127.0.0.1:0", ` +
		`caller: unauthenticated, upstream: "http://127.0.0.1:1"}]`
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := o.run("serve", "-c", file, "--check"); !strings.Contains(got, "not ready: route a: ") {
		t.Errorf("a partner of the registry without keys: %s", got)
	}
	o.run("partner", "add", "bank", "--name", "Bank", "--profile", "rdx", "--side", "egress", "--env", "DEV",
		"--sealing", "required")
	config = "registry: {db: registry.db, root_key: \"file:root.key\"}\n" +
		`routes: [{name: all, ingress: riskos, listen: "127.0.0.1:0", caller: api-key, ` +
		`upstream: "http://127.0.0.1:1"}]`
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	got := o.run("serve", "-c", file, "--check")
	if !strings.Contains(got, "not ready: route all: ") || !strings.Contains(got, "acme") ||
		strings.Contains(got, "bank") {
		t.Errorf("a route for all partners, one of which has no keys: %s", got)
	}
}

// TestServeEnds: --check lists what ends in files, and --ends-within makes that an exit code for a timer. Without it
// the exit code is 0: a gateway must start with a certificate that ends.
func TestServeEnds(t *testing.T) {
	dir := t.TempDir()
	key, _ := sealanetest.ProviderKey().WriteFiles(t)
	c, err := cert.Create(testkey.RSA(t, "serve ends", 2048), cert.Template{
		CommonName: "acme.example", NotBefore: time.Now().AddDate(-2, 0, 50), Validity: 2,
		Usages: []string{"digitalSignature", "keyEncipherment"},
	})
	if err != nil {
		t.Fatal(err)
	}
	file, theirs := filepath.Join(dir, "sealane.yaml"), filepath.Join(dir, "acme.cer")
	if err := os.WriteFile(theirs, cert.EncodePEM(c), 0o600); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`routes: [{name: a, ingress: riskos, environment: SANDBOX, partner: acme, `+
		`listen: "127.0.0.1:0", caller: unauthenticated, upstream: "http://127.0.0.1:1", `+
		`keys: {ours: %q, theirs: acme.cer}}]`, key)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	ends := " days left: lane riskos/acme/SANDBOX, theirs " + theirs + " (route a), " +
		c.NotAfter.UTC().Format("2006-01-02 15:04:05 UTC") + "\n"
	unknown := "end not known: lane riskos/acme/SANDBOX, ours " + key + " (route a)\n"
	for _, test := range []struct {
		flags []string
		code  int
		lists bool
	}{
		{nil, 0, true},
		{[]string{"--ends-within", "60"}, exitAlarm, true},
		{[]string{"--ends-within", "40"}, 0, false},
		{[]string{"--ends-within", "0"}, exitUsage, false},
	} {
		var out, said bytes.Buffer
		args := append([]string{"serve", "-c", file, "--check"}, test.flags...)
		code := run(t.Context(), args, strings.NewReader(""), &out, &said)
		if code != test.code || strings.Contains(out.String(), ends) != test.lists ||
			code != exitUsage && !strings.Contains(out.String(), unknown) {
			t.Errorf("%v: %d\n%s%s", test.flags, code, out.String(), said.String())
		}
	}
	var out, said bytes.Buffer
	if code := run(t.Context(), []string{"serve", "-c", file, "--ends-within", "9"}, strings.NewReader(""), &out,
		&said); code != exitUsage {
		t.Errorf("--ends-within alone: %d", code)
	}
}

// TestLaneExport: a lane of the registry, as a folder under a passphrase, serves in a gateway without a registry.
func TestLaneExport(t *testing.T) {
	provider, customer := newOffice(t), newOffice(t)
	provider.run("partner", "add", "acme", "--name", "Acme", "--profile", "riskos", "--side", "ingress",
		"--env", "DEV", "--sealing", "required")
	customer.run("partner", "add", "provider", "--name", "P", "--profile", "riskos", "--side", "egress",
		"--env", "DEV", "--sealing", "required")
	theirs, theirFile := provider.offer("acme", "DEV", "--common-name", "provider.example")
	ours, ourFile := customer.offer("provider", "DEV", "--common-name", "acme.example")
	provider.accept("acme", "DEV", ourFile, "")
	customer.accept("provider", "DEV", theirFile, "")
	provider.run("installed", theirs, "--partner", "acme")
	customer.run("installed", ours, "--partner", "provider")

	const passphrase = "a passphrase of a test"
	t.Setenv("SEALANE_PASSPHRASE", passphrase)
	for o, partner := range map[*office]string{provider: "acme", customer: "provider"} {
		o.run("lane", "export", partner, "DEV", "--out", filepath.Join(o.dir, "lane"), "--reason", "a test")
		keys, err := filepath.Glob(filepath.Join(o.dir, "lane", "*.key"))
		if err != nil || len(keys) != 1 {
			t.Fatal(keys, err)
		}
		if text, err := os.ReadFile(keys[0]); err != nil || !strings.Contains(string(text), "ENCRYPTED PRIVATE KEY") {
			t.Errorf("%s, %v", text, err)
		}
		if record := o.run("audit", "list"); !strings.Contains(record, "key.export") {
			t.Errorf("the export is not recorded: %s", record)
		}
	}
	application := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"id":"1","eval_id":"e-1"}`)
	}))
	defer application.Close()
	const keys = "keys: {folder: lane, passphrase: env:SEALANE_PASSPHRASE}"
	in := provider.serve(fmt.Sprintf("routes:\n- {name: api, ingress: riskos, listen: \"127.0.0.1:0\", "+
		"caller: unauthenticated, "+
		"upstream: %q, %s}\n", application.URL, keys), 1)
	out := customer.serve(fmt.Sprintf("routes:\n- {name: riskos, egress: riskos, listen: \"127.0.0.1:0\", "+
		"upstream: \"http://%s\", %s}\n", in.addresses["api"], keys), 1)
	status, header, body := postJSON(t, "http://"+out.addresses["riskos"]+"/api/evaluation", `{"id":"1"}`)
	if status != 200 || body != `{"id":"1","eval_id":"e-1"}` || header.Get("Sealane-Message") != "verified" {
		t.Errorf("%d %v %s\n%s%s", status, header, body, in.log, out.log)
	}
	var said bytes.Buffer
	full := filepath.Join(customer.dir, "lane")
	again := []string{"lane", "export", "provider", "DEV", "--out", full, "--reason", "to export it again"}
	code := run(t.Context(), again, strings.NewReader(""), io.Discard, &said)
	if code != exitFailed || !strings.Contains(said.String(), "not empty") {
		t.Errorf("%d %s", code, said.String())
	}
}

// TestPartnerURL: a URL for production is in force when another person has approved it.
func TestPartnerURL(t *testing.T) {
	o := newOffice(t)
	o.run("partner", "add", "bank", "--name", "Bank", "--profile", "rdx", "--side", "egress", "--env", "PROD",
		"--sealing", "required")
	const url = "https://rdx.bank.example/rdx"
	var out, said bytes.Buffer
	code := run(t.Context(), []string{"partner", "url", "bank", "PROD", url}, strings.NewReader(""), &out, &said)
	request := regexp.MustCompile(`\br-[a-z2-7]{10}\b`).FindString(out.String() + said.String())
	if code == 0 || request == "" {
		t.Fatalf("%d %s%s", code, out.String(), said.String())
	}
	if said := o.run("partner", "show", "bank"); strings.Contains(said, url) {
		t.Error(said)
	}
	o.approve("approve", request)
	if said := o.run("partner", "show", "bank"); !strings.Contains(said, url) {
		t.Error(said)
	}
}
