package gateway_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/gateway"
)

// TestRefusedAtStart: each rule of the file, with the line of the word.
func TestRefusedAtStart(t *testing.T) {
	out, in := egress("http://127.0.0.1:1"), ingress("http://127.0.0.1:1")
	with := func(config, old, new string) string {
		t.Helper()
		if !strings.Contains(config, old) {
			t.Fatalf("no %q in %s", old, config)
		}
		return strings.Replace(config, old, new, 1)
	}
	const registry = "registry: {db: x.db, root_key: env:ROOT}\n"
	for _, c := range []struct{ name, config, want string }{
		{"unknown word", out + "  hots: [a]\n", `:8: routes[0].hots: there is no such key; did you mean "hosts"?`},
		{"word twice", out + "  name: again\n", ":8: routes[0].name: occurs twice: the first is in line 2"},
		{"second document", out + "---\na: 1\n", "there is a second document"},
		{"nobody is notified", "notify: {}\n" + out, ":1: notify: names nobody"},
		{"webhook without TLS", "notify: {webhook: {url: http://hooks.example/t0ken, secret: env:S}}\n" + out,
			":1: notify.webhook.url: is not a URL with https"},
		{"webhook without a secret", "notify: {webhook: {url: https://hooks.example}}\n" + out,
			":1: notify.webhook.secret: must be given"},
		{"webhook with a secret that is not there",
			"notify: {webhook: {url: https://hooks.example, secret: env:NO_SUCH_VARIABLE}}\n" + out,
			":1: notify.webhook: webhook.secret: the environment variable NO_SUCH_VARIABLE is not set"},
		{"no routes", "admin: 127.0.0.1:0\n", "routes: there are none"},
		{"neither way", with(out, "  egress: riskos\n", ""), "routes[0].egress: give one of egress"},
		{"both ways", out + "  ingress: riskos\n", "routes[0].egress: give one of egress"},
		{"no such profile", with(out, "riskos", "riscos"), `profile "riscos" is not known`},
		{"no such environment", with(out, "SANDBOX", "STAGE"),
			`routes[0].environment: "STAGE" is none of the profile's: DEV, SANDBOX, PROD`},
		{"name", with(out, "name: out", "name: a b"), "routes[0].name: must be given"},
		{"address", with(out, "127.0.0.1:0", "127.0.0.1"), "routes[0].listen: is \"127.0.0.1\": give HOST:PORT"},
		{"egress beyond loopback", with(out, "127.0.0.1:0", "0.0.0.0:0"), ":5: routes[0].listen: is beyond loopback"},
		{"egress beyond loopback without TLS", with(out, "127.0.0.1:0", ":0") + "  clients: {token: env:T}\n",
			"takes plain bodies from other hosts"},
		{"egress with a CA and no names",
			with(out, "127.0.0.1:0", ":0") + "  tls: {certificate: a, key: b, client_ca: c}\n", "is beyond loopback"},
		{"plain http to another host", egress("http://partner.example"),
			":7: routes[0].upstream: goes to another host without TLS"},
		{"decrypted to another host", ingress("http://app.internal"),
			":9: routes[0].upstream: goes to another host without TLS"},
		{"upstream with user", egress("https://user:secret@partner.example"), "must have no user"},
		{"upstream with query", egress("https://partner.example/?a=b"), "must have no user, no query"},
		{"upstream without scheme", egress("partner.example"), "must be a URL"},
		{"upstream with dots", egress("https://partner.example/a/../b"), "must have a plain path"},
		{"no upstream", with(out, "upstream: http://127.0.0.1:1", "hosts: a"), "routes[0].upstream: must be given"},
		{"ingress without caller", with(in, "  caller: unauthenticated\n", ""), "routes[0].caller: must be given"},
		{"mutual TLS without names", with(in, "unauthenticated", "mutual-tls"),
			"mutual-tls needs tls with client_ca and client_names"},
		{"API keys without registry", with(in, "unauthenticated", "api-key"), "API keys are in the registry"},
		{"account header from anywhere", with(in, "unauthenticated", "{account_header: X-Account}"),
			"lists the proxies"},
		{"certificate header without names",
			with(in, "unauthenticated", "{certificate_header: X-Cert, from: 10.0.0.0/8}"),
			"caller.names: lists the names"},
		{"two ways to know",
			with(in, "unauthenticated", "{way: unauthenticated, account_header: A, from: 10.0.0.0/8}"),
			"give one of way, account_header"},
		{"caller of an egress", out + "  caller: unauthenticated\n", "is for an ingress"},
		{"authorization of an ingress", in + "  authorization: env:A\n", "is for an egress"},
		{"proxy of an ingress",
			with(in, "upstream: http://127.0.0.1:1", "upstream: {url: http://127.0.0.1:1, proxy: environment}"),
			"don't go through a proxy"},
		{"identity header of ours", in + "  identity_header: sealane_partner\n", "is not a name that can be used"},
		{"two routes of one name", out + strings.TrimPrefix(out, "routes:\n"), `"out" is another route's`},
		{"two routes that answer the same", with(out, "127.0.0.1:0", "127.0.0.1:8081") +
			with(with(strings.TrimPrefix(out, "routes:\n"), "127.0.0.1:0", "127.0.0.1:8081"), "out", "two"),
			"two routes answer the same"},
		{"two spellings of an address", with(out, "127.0.0.1:0", "127.0.0.1:8081") +
			with(with(strings.TrimPrefix(out, "routes:\n"), "127.0.0.1:0", "localhost:8081"), "out", "two"),
			`can't be opened next to 127.0.0.1:8081 of route "out"`},
		{"an address and all", with(out, "127.0.0.1:0", "127.0.0.1:8081") +
			with(strings.TrimPrefix(in, "routes:\n"), "127.0.0.1:0", ":8081"),
			`can't be opened next to 127.0.0.1:8081 of route "out"`},
		{"two spellings of a socket", with(out, "127.0.0.1:0", "unix:a") +
			with(with(strings.TrimPrefix(out, "routes:\n"), "127.0.0.1:0", "unix:./a"), "out", "two"),
			"two routes answer the same"},
		{"the admin's address", "admin: localhost:8081\n" + with(out, "127.0.0.1:0", "127.0.0.1:8081"),
			"is the address of admin"},
		{"no keys", with(out, "  keys: {ours: customer.key, theirs: provider.cer}\n", ""),
			"routes[0].keys: must be given"},
		{"folder and keys", with(out, "{ours", "{folder: x, ours"), "give either a lane folder, or ours and theirs"},
		{"partner in the path with keys", out + "  partner: path\n", "can't be in the path"},
		{"no such key", with(out, "customer.key", "none.key"), "none.key"},
		{"the key as certificate", with(out, "provider.cer", "provider.key"), "private key"},
		{"secret in the file", out + "  authorization: hunter2-hunter2\n", "is not the place of a secret"},
		{"secret that is not there", out + "  authorization: file:none\n", "…: no such file"},
		{"plain that is sealed", out + "  plain: [\"POST /api/evaluation\"]\n",
			`:8: routes[0].plain: "POST /api/evaluation": the profile seals it`},
		{"plain without a method", out + "  plain: [/x]\n", `:8: routes[0].plain: "/x" is not of the form`},
		{"sealing", out + "  sealing: none\n", `:8: routes[0].sealing: is "none": give required or optional`},
		{"burst of a route", out + "  limits:\n    rate: 1/s\n    burst: -1\n",
			":10: routes[0].limits.burst: is negative"},
		{"requests of a route", out + "  limits: {in_flight: -1}\n", ":8: routes[0].limits.in_flight: is negative"},
		{"empty host", out + "  hosts: [a, '']\n", ":8: routes[0].hosts[1]: is empty"},
		{"host with a wildcard", out + "  hosts: '*.x'\n", `routes[0].hosts[0]: is "*.x": there are no wildcards`},
		{"host with a scheme", out + "  hosts: [http://x]\n",
			`routes[0].hosts[0]: is "http://x", with more than a host`},
		{"host with a space", out + "  hosts: [a b]\n", `routes[0].hosts[0]: is "a b": give a host`},
		{"host with an odd port", out + "  hosts: [a:b]\n", `routes[0].hosts[0]: is "a:b": give a host`},
		{"one host with and without a port", with(in, "127.0.0.1:0", "127.0.0.1:8081") + "  hosts: a.example\n" +
			with(with(strings.TrimPrefix(in, "routes:\n"), "127.0.0.1:0", "127.0.0.1:8081"), "name: in", "name: two") +
			"  hosts: [b.example, 'A.example.:443']\n", "two routes answer the same"},
		{"rate", "partner_limits: {rate: 100}\n" + out, `:1: partner_limits.rate: is "100": give a rate`},
		{"size", out + "  max_payload: 4MB\n", `routes[0].max_payload: is "4MB": give a size`},
		{"time", "drain: {end: 30}\n" + out, `drain.end: is "30": give a time`},
		{"log level", "log: {level: loud}\n" + out, `log.level: is "loud": give debug or info or warn or error`},
		{"registry that nobody opens", registry + out, "this program opens no registry"},
		{"node with a blank", with(registry, "{db", "{node: a b, db") + out,
			"registry.node: is not of 1 to 253 letters"},
		{"registry without a root key", "registry: {db: x}\n" + out, "registry.root_key: must be given"},
		{"password of the database", with(registry, "x.db", `"postgres://a:hunter2@h/x"`) + out,
			"registry.db: has a password"},
		{"password in the query", with(registry, "x.db", `"postgres://a@h/x?a=b&password=hunter2"`) + out,
			"registry.db: has a password"},
		{"password of no URL", with(registry, "x.db", `"host=h password=hunter2"`) + out,
			"registry.db: has a password"},
		{"egress of the registry without a partner",
			registry + with(out, "  keys: {ours: customer.key, theirs: provider.cer}\n", ""),
			"routes[0].partner: must be given"},
		{"socket mode of a port", with(out, "listen: 127.0.0.1:0", "listen: {address: 127.0.0.1:0, mode: 0660}"),
			"is for a unix socket"},
		{"names without a CA", out + "  tls: {certificate: a, key: b, client_names: c}\n", "needs client_ca"},
		{"TLS without a key", out + "  tls: {certificate: a}\n", "needs certificate and key"},
	} {
		t.Setenv("ROOT", "0123")
		t.Setenv("A", "a-key-of-the-partner")
		dir := keyFolder(t)
		file := filepath.Join(dir, "sealane.yaml")
		write(t, file, c.config)
		g, err := gateway.New(t.Context(), file, gateway.Options{Log: &logBuffer{}})
		if err == nil {
			g.Close()
			t.Errorf("%s: started", c.name)
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", c.name, err, c.want)
		}
		if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "user:secret") {
			t.Errorf("%s: a secret in the error: %v", c.name, err)
		}
	}
}

// TestAllFaultsAtOnce: an operator sees all that is wrong, keys that can't be read too, in one go.
func TestAllFaultsAtOnce(t *testing.T) {
	dir := keyFolder(t)
	file := filepath.Join(dir, "sealane.yaml")
	write(t, file, `routes:
- {name: a, egress: riskos, listen: "127.0.0.1:0", upstream: "https://h.example",
   keys: {ours: none.key, theirs: provider.cer}}
- {name: b, egress: riskos, listen: "127.0.0.1:0", upstream: "https://h.example",
   keys: {ours: customer.key, theirs: provider.key}}
- name: c
  egress: none
  listen: 127.0.0.1:0
  upstream: https://h.example
  keys: {ours: customer.key, theirs: provider.cer}
  authorization: env:NOT_SET_ANYWHERE
`)
	_, err := gateway.New(t.Context(), file, gateway.Options{Log: &logBuffer{}})
	faults := gateway.Faults(err)
	if len(faults) != 4 || faults[0].Line != 3 || faults[1].Line != 5 || faults[2].Line != 7 || faults[3].Line != 11 {
		t.Errorf("%+v", faults)
	}
}

// TestMisspelledWords: a misspelled key is one fault, and not also a missing one. Directives of nginx are told from
// ours, and the page has them.
func TestMisspelledWords(t *testing.T) {
	file := filepath.Join(keyFolder(t), "sealane.yaml")
	write(t, file, `registery: {db: x.db, root_key: env:ROOT}
routes:
- {name: a, egres: riskos, enviroment: SANDBOX, lisen: "127.0.0.1:0", upsteam: "https://h.example",
   kyes: {ours: customer.key, theirs: provider.cer}}
- {name: b, ingress: riskos, listen: "127.0.0.1:0", caler: api-key, upstream: "http://127.0.0.1:1"}
- {nam: c, ingres: riskos, listen: "127.0.0.1:0", proxy_pass: "http://127.0.0.1:1", upstream: "h.example:80",
   keys: {ours: customer.key, theirs: provider.cer}, server_name: c.example}
`)
	_, err := gateway.Read(file)
	var got []string
	for _, one := range gateway.Faults(err) {
		got = append(got, fmt.Sprint(one.Line, " ", one.Path))
	}
	want := []string{
		"1 registery", "3 routes[0].egres", "3 routes[0].enviroment", "3 routes[0].lisen", "3 routes[0].upsteam",
		"4 routes[0].kyes", "5 routes[1].caler", "6 routes[2].nam", "6 routes[2].ingres", "6 routes[2].proxy_pass",
		"6 routes[2].upstream", "7 routes[2].server_name",
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q\n%v", got, err)
	}
	page, text := read(t, docs+"../gateway.md"), err.Error()
	if !strings.Contains(text, "what nginx calls proxy_pass is upstream here") ||
		!strings.Contains(text, "what nginx calls server_name is hosts here") {
		t.Error(text)
	}
	words := regexp.MustCompile(`(?m)^\t"([a-z_]+)": +"`).FindAllStringSubmatch(read(t, "nginx.go"), -1)
	if len(words) < 15 {
		t.Errorf("%d words of nginx were found", len(words))
	}
	for _, m := range words {
		if !strings.Contains(page, "`"+m[1]+"`") {
			t.Errorf("docs/gateway.md has no %s of nginx", m[1])
		}
	}
}

// TestFaultsOfOneRoute: what is wrong with one word of a route hides nothing of another, and each file that can't be
// used is a fault of its own.
func TestFaultsOfOneRoute(t *testing.T) {
	dir := keyFolder(t)
	file := filepath.Join(dir, "sealane.yaml")
	write(t, filepath.Join(dir, "short"), "short")
	write(t, file, `routes:
- name: a b
  egress: riskos
  environment: PROD
  listen: 0.0.0.0:8081
  keys:
    ours: [none-1.key, none-2.key]
    theirs: [none-3.cer, customer.key]
  tls: {certificate: none-4.crt, key: none-5.key, client_ca: none-6.pem}
  upstream: {url: "https://h.example", tls: {ca: none-7.pem, certificate: none-8.crt, key: none-9.key}}
  clients: {token: "file:short"}
  authorization: env:NOT_SET_ANYWHERE
  plain: [GET]
- {name: c, ingress: riscos, listen: ":8443", caller: api-key, upstream: "http://app.example",
   tls: {certificate: none-10.crt, key: customer.key}}
`)
	_, err := gateway.New(t.Context(), file, gateway.Options{Log: &logBuffer{}})
	if err == nil {
		t.Fatal("it started")
	}
	want := []string{
		":2: routes[0].name:", "is shorter than 16", ":11: routes[0].clients", ":12: routes[0].authorization",
		":13: routes[0].plain", ":14: routes[1].ingress", ":14: routes[1].upstream", "routes[1].keys", "caller",
	}
	for i := range 10 {
		want = append(want, fmt.Sprintf("none-%d.", i+1))
	}
	for _, text := range want {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q is not named", text)
		}
	}
	for _, one := range gateway.Faults(err) {
		if one.Line == 0 || strings.Contains(one.Text, "\n") {
			t.Errorf("%+v", one)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

// TestFaultsOfAllStages: a fault of one kind hides none of another kind, and brings no other fault with it.
func TestFaultsOfAllStages(t *testing.T) {
	dir := keyFolder(t)
	file := filepath.Join(dir, "sealane.yaml")
	write(t, file, `drain: {end: 30}
registry: {db: x.db}
routes:
- {name: a, egress: riskos, listen: nowhere, upstream: "https://h.example",
   keys: {ours: customer.key, theirs: provider.cer}, sealing: none}
- {name: b, egress: riskos, listen: "127.0.0.1:0", upstream: "https://user@h.example", hots: a,
   keys: {ours: customer.key, theirs: provider.cer}}
- name: c
  egress: riskos
  listen: 127.0.0.1:0
  upstream: https://h.example
  keys: {ours: none.key, theirs: provider.cer}
- {name: d, egress: riskos, listen: "127.0.0.1:0", upstream: "https://h.example", partner: p, environment: SANDBOX}
`)
	_, err := gateway.New(t.Context(), file, gateway.Options{Log: &logBuffer{}})
	want := []string{
		"1 drain.end", "2 registry.root_key", "4 routes[0].listen", "5 routes[0].sealing", "6 routes[1].upstream",
		"6 routes[1].hots", "12 routes[2].keys",
	}
	var got []string
	for _, f := range gateway.Faults(err) {
		got = append(got, fmt.Sprint(f.Line, " ", f.Path))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q\n%v", got, err)
	}
	write(t, file, "routes: [\n")
	if _, err := gateway.New(t.Context(), file, gateway.Options{Log: &logBuffer{}}); len(gateway.Faults(err)) != 1 {
		t.Error(err)
	}
}

// TestSecrets: the places where a secret can be.
func TestSecrets(t *testing.T) {
	t.Setenv("SECRET_OF_TEST", " from-the-environment\n")
	credentials := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", credentials)
	write(t, filepath.Join(credentials, "api"), "from-a-credential\n")
	for place, want := range map[string]string{
		"env:SECRET_OF_TEST": "Bearer from-the-environment", "credential:api": "Bearer from-a-credential",
		"exec:/bin/echo Basic abc": "Basic abc", "file:customer.cer": "", "credential:../x": "", "exec:/bin/false": "",
		"env:NOT_SET_ANYWHERE": "", "exec:/bin/cat /dev/zero": "",
	} {
		var got seen
		url := serve(t, got.answer(200, `{}`))
		dir := keyFolder(t)
		file := filepath.Join(dir, "sealane.yaml")
		config := egress(url, "authorization: "+place, `plain: ["GET /x"]`)
		if want == "" {
			write(t, file, config)
			if g, err := gateway.New(t.Context(), file, gateway.Options{Log: &logBuffer{}}); err == nil {
				g.Close()
				t.Errorf("%s: started", place)
			}
			continue
		}
		call(t, "GET", start(t, config).url("out")+"/x", "", "Authorization", "Bearer of-the-application")
		if r, _ := got.last(t); r.Header.Get("Authorization") != want || len(r.Header.Values("Authorization")) != 1 {
			t.Errorf("%s: %q", place, r.Header.Values("Authorization"))
		}
	}
}

// TestDial: upstreams are connected to, and each that can't be reached is named with its line.
func TestDial(t *testing.T) {
	var app seen
	url := serve(t, app.answer(200, "{}"))
	tlsServer := httptest.NewTLSServer(http.NotFoundHandler())
	defer tlsServer.Close()
	tlsServer.Config.ErrorLog = log.New(io.Discard, "", 0)
	if err := start(t, egress(url)).Dial(t.Context()); err != nil {
		t.Error(err)
	}
	withCA := start(
		t, egress("{url: \""+tlsServer.URL+"\", tls: {ca: ca.pem, name: example.com}}"),
		withFiles("ca.pem", pemOf(tlsServer)),
	)
	if err := withCA.Dial(t.Context()); err != nil {
		t.Error(err)
	}
	for upstream, want := range map[string]string{
		"http://127.0.0.1:1":           "connection refused",
		"{url: " + tlsServer.URL + "}": "certificate",
	} {
		err := start(t, egress(upstream)).Dial(t.Context())
		if f := gateway.Faults(err); len(f) != 1 || f[0].Line != 7 || !strings.Contains(f[0].Text, want) {
			t.Errorf("%s: %v", upstream, err)
		}
	}
	if app.count() != 0 {
		t.Error("a request was sent")
	}
}
