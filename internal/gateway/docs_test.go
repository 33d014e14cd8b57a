package gateway_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/strictyaml"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/sealanetest"
)

var update = flag.Bool("update", false, "write docs/gateway/sealane.schema.json")

const docs = "../../docs/gateway/"

// TestSchemaIsCurrent: the JSON Schema for editors is that of the code. With -update it is written.
func TestSchemaIsCurrent(t *testing.T) {
	comments := fieldComments(t, "config.go", "../../lanedir/lanedir.go", "../notify/config.go")
	schema := strictyaml.Schema(reflect.TypeFor[gateway.Config](), func(structName, field string) string {
		return comments[structName+"."+field]
	})
	schema["title"] = "The configuration of sealane serve"
	want, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	const file = docs + "sealane.schema.json"
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, file); got != string(want) {
		t.Errorf("%s is not that of the code: go test ./internal/gateway -run Schema -update", file)
	}
	for _, name := range []string{"Route.Listen", "Config.Routes", "Key.File"} {
		if !strings.Contains(string(want), strings.SplitN(comments[name], " ", 3)[2][:10]) {
			t.Errorf("%s has no description", name)
		}
	}
}

// TestMetricsAreDocumented: the page lists every metric.
func TestMetricsAreDocumented(t *testing.T) {
	page := read(t, docs+"../gateway-running.md")
	made := regexp.MustCompile(`(?:counter|histogram|gauge)\(\s*"([a-z_]+)"`)
	described := regexp.MustCompile(`"(sealane_[a-z_]+)"`)
	var names []string
	for _, file := range []string{"metrics.go", "metrics_ends.go", "schedule.go"} {
		text := read(t, file)
		for _, m := range made.FindAllStringSubmatch(text, -1) {
			names = append(names, "sealane_"+m[1])
		}
		for _, m := range described.FindAllStringSubmatch(text, -1) {
			names = append(names, m[1])
		}
	}
	for _, name := range names {
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("docs/gateway-running.md has no %s", name)
		}
	}
	if len(names) < 15 {
		t.Errorf("only %d metrics were found: %s", len(names), names)
	}
}

// fieldComments returns the comments of the fields of structs, by "Struct.Field".
func fieldComments(t *testing.T, files ...string) map[string]string {
	t.Helper()
	comments := map[string]string{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			s, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			for _, f := range s.Fields.List {
				for _, field := range f.Names {
					comments[spec.Name.Name+"."+field.Name] = strings.Join(strings.Fields(f.Doc.Text()), " ")
				}
			}
			return true
		})
	}
	return comments
}

// documented returns a file of docs/gateway with other values in the place of those that a test can't use.
func documented(t *testing.T, name string, replacements ...string) string {
	t.Helper()
	text := read(t, docs+name)
	for i := 0; i < len(replacements); i += 2 {
		if !strings.Contains(text, replacements[i]) {
			t.Fatalf("%s has no %s", name, replacements[i])
		}
		text = strings.ReplaceAll(text, replacements[i], replacements[i+1])
	}
	return text
}

// TestCustomerFile runs docs/gateway/customer.yaml, during an overlap of the provider's certificates.
func TestCustomerFile(t *testing.T) {
	p := sealanetest.NewProvider(t, sealanetest.ProviderOptions{})
	config := documented(t, "customer.yaml", "127.0.0.1:8081", "127.0.0.1:0", "https://riskos.example", p.URL)
	g := start(t, config, func(r *running, _ *gateway.Options) {
		move(t, filepath.Join(r.dir, "provider.cer"), filepath.Join(r.dir, "provider-new.cer"))
		old, err := cert.Create(testkey.RSA(t, "old", 2048), cert.Template{
			CommonName: "provider.example", NotBefore: time.Now(), Validity: 1,
			Usages: []string{"digitalSignature", "keyEncipherment"},
		})
		if err != nil {
			t.Fatal(err)
		}
		write(
			t, filepath.Join(r.dir, "provider.cer"),
			string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: old.Raw})),
		)
	})
	a := post(t, g.url("riskos")+"/api/evaluation", evaluation, "Authorization", "Bearer "+p.APIKey)
	if a.status != 200 || !strings.Contains(a.body, "ACCEPT") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestIssuerFile runs docs/gateway/issuer.yaml: both keys open messages to the one alias.
func TestIssuerFile(t *testing.T) {
	const alias = "1234dadc1234b704c1f23dc4-PKE-ACS-Client-4096SHA2-PROD"
	ca := newAuthority(t)
	certificate, key := ca.issue("gateway", x509.ExtKeyUsageServerAuth)
	var app seen
	config := documented(
		t,
		"issuer.yaml",
		":8443",
		"127.0.0.1:0",
		"http://127.0.0.1:8080",
		serve(t, app.answer(200, `{"Status":"SUCCESS"}`)),
	)
	g := start(t, config, withFiles("server.crt", certificate, "server.key", key, "vcas-ca.pem", ca.pem()),
		func(r *running, _ *gateway.Options) {
			for _, name := range []string{"new", "old"} {
				text, err := keyfile.EncodePrivate(testkey.RSA(t, name, 4096), nil)
				if err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(r.dir, name+".key"), string(text))
			}
		})
	for i, name := range []string{"old", "new"} {
		config := sealanetest.VCASConfig()
		config.Environment, config.Theirs = "PROD", testkey.Theirs(t, alias, testkey.RSA(t, name, 4096))
		token, err := testlane.New(t, config).Seal(t.Context(), []byte(`{"n":1}`))
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(
			t.Context(),
			"POST",
			"https://"+g.addresses["rdx"].String()+"/v1/risk",
			bytes.NewReader(token),
		)
		if err != nil {
			t.Fatal(err)
		}
		response, err := ca.client("rdx.vcas.example", x509.ExtKeyUsageClientAuth).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if a := readAnswer(t, response); a.status != 200 || a.body != `{"Status":"SUCCESS"}` || app.count() != i+1 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// ofDatabase are the replacements in a file of docs/gateway that name the registry.
func (d *database) ofDatabase() []string {
	return []string{`"postgres://sealane@db/sealane"`, d.path, "credential:root", "env:ROOT"}
}

// TestProviderFile runs docs/gateway/provider.yaml.
func TestProviderFile(t *testing.T) {
	d := newDatabase(t)
	d.partner("acme", "riskos", sealane.ServerSide, riskosSandbox, sealanetest.ProviderKey(),
		sealanetest.CustomerKey())
	ca := newAuthority(t)
	certificate, key := ca.issue("gateway", x509.ExtKeyUsageServerAuth)
	var app seen
	config := documented(t, "provider.yaml", append(d.ofDatabase(), ":8443", "127.0.0.1:0",
		"http://127.0.0.1:8080", serve(t, app.answer(200, `{"eval_id":"e-1"}`)))...)
	g := start(t, config, d.open(nil), withFiles("server.crt", certificate, "server.key", key))
	r, err := http.NewRequestWithContext(t.Context(), "POST", "https://"+g.addresses["api"].String()+"/api/evaluation",
		strings.NewReader(sealedEvaluation(t)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Payload-Encrypted", "true")
	r.Header.Set("Authorization", "Bearer api-key-of-acme")
	response, err := ca.client("", 0).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if a := readAnswer(t, response); a.status != 200 || opened(t, a.body) != `{"eval_id":"e-1"}` {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestVCASFile runs docs/gateway/vcas.yaml: the path names the partner, whose URL the registry has.
func TestVCASFile(t *testing.T) {
	resolve(t, "127.0.0.1")
	ca := newAuthority(t)
	certificate, key := ca.issue("issuer", x509.ExtKeyUsageServerAuth, "rdx.bank.example")
	pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	var got seen
	issuer := httptest.NewUnstartedServer(got.answer(200, `{"Status":"SUCCESS"}`))
	issuer.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	issuer.StartTLS()
	defer issuer.Close()
	_, port, _ := strings.Cut(issuer.Listener.Addr().String(), ":")

	d := newDatabase(t)
	d.partner("bank", "rdx", sealane.ClientSide, registry.Environment{
		Name: "STAG", URL: "https://rdx.bank.example:" + port + "/rdx",
	}, sealanetest.KeyPair{}, sealanetest.IssuerKey())
	d.partner("other", "rdx", sealane.ClientSide, registry.Environment{Name: "STAG"}, sealanetest.KeyPair{},
		sealanetest.KeyPair{})
	config := documented(t, "vcas.yaml", append(d.ofDatabase(), "127.0.0.1:8082", "127.0.0.1:0")...)
	trusting := strings.Replace(config, "partner: path", "partner: path, upstream: {tls: {ca: ca.pem}}", 1)
	allowing := strings.Replace(config, "partner: path", "partner: path, upstream: {tls: {ca: ca.pem}, "+
		"allow_addresses: 127.0.0.0/8}", 1)

	prohibited := start(t, trusting, d.open(nil), withFiles("ca.pem", ca.pem()))
	a := post(t, prohibited.url("issuers")+"/bank/STAG/v1/risk", `{"n":1}`)
	if a.problem(t); a.status != 503 || a.header.Get("Proxy-Status") != "sealane; "+
		"error=destination_ip_prohibited" || got.count() != 0 {
		t.Errorf("a name that leads to loopback: %d %v %s", a.status, a.header, a.body)
	}
	g := start(t, allowing, d.open(nil), withFiles("ca.pem", ca.pem()))
	if a := post(t, g.url("issuers")+"/bank/STAG/v1/risk?a=%zz", `{"n":1}`); a.status != 200 ||
		a.body != `{"Status":"SUCCESS"}` {
		t.Errorf("%d %s", a.status, a.body)
	}
	if r, body := got.last(t); r.RequestURI != "/rdx/v1/risk?a=%zz" || r.Host != "rdx.bank.example:"+port ||
		!strings.HasPrefix(body, "ey") {
		t.Error(r.RequestURI, r.Host, body)
	}
	for path, want := range map[string]int{
		"/bank/PROD/v1/risk": 404, "/nobody/STAG/v1/risk": 404, "/bank/STAG": 404, "/bank": 404, "/": 404,
		"/bank%2f/STAG/x":     404,
		"/other/STAG/v1/risk": 503, "/bank/STAG/v1/../risk": 400, "/bank/STAG/../../x": 400, "/bank/STAG//x": 400,
		"/bank/STAG/%2e%2e/x": 400,
	} {
		text := raw(t, g.addresses["issuers"], "POST "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: "+
			"close\r\nContent-Length: 2\r\n\r\n{}")
		if !strings.HasPrefix(text, fmt.Sprintf("HTTP/1.1 %d ", want)) {
			t.Errorf("%s: %s, want %d", path, text, want)
		}
	}
	if got.count() != 1 {
		t.Errorf("%d requests arrived", got.count())
	}
	if err := g.Dial(t.Context()); err != nil {
		t.Error(err)
	}
	if err := prohibited.Dial(t.Context()); err == nil || !strings.Contains(err.Error(), "not public") {
		t.Error(err)
	}
}

// resolve makes every name lead to an address until the test ends.
func resolve(t *testing.T, to string) {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		packet := make([]byte, 512)
		for {
			n, from, err := c.ReadFrom(packet)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(packet[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.Additionals = true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
					Body:   &dnsmessage.AResource{A: netip.MustParseAddr(to).As4()},
				}}
			}
			if answer, err := m.Pack(); err == nil {
				c.WriteTo(answer, from)
			}
		}
	}()
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn,
		error) {
		return new(net.Dialer).DialContext(ctx, "udp", c.LocalAddr().String())
	}}
	t.Cleanup(func() { net.DefaultResolver = before; c.Close() })
}

// TestDocumentedFilesAreStrict: all five files read without a fault, but for files that are not here.
func TestDocumentedFilesAreStrict(t *testing.T) {
	for _, name := range []string{"customer.yaml", "provider.yaml", "issuer.yaml", "vcas.yaml", "local.yaml"} {
		if _, err := gateway.Read(docs + name); err != nil {
			t.Error(err)
		}
	}
}

// TestProblemsAreDocumented: the type of each problem leads to a heading of docs/gateway.md.
func TestProblemsAreDocumented(t *testing.T) {
	page := read(t, "../../docs/gateway.md")
	source := read(t, "problem.go")
	kinds := regexp.MustCompile(`kind[A-Za-z]+ += "([a-z-]+)"`).FindAllStringSubmatch(source, -1)
	if len(kinds) < 8 {
		t.Errorf("%d kinds", len(kinds))
	}
	for _, kind := range kinds {
		if !strings.Contains(page, "\n### "+kind[1]+"\n") {
			t.Errorf("docs/gateway.md has no heading %q", kind[1])
		}
	}
	for _, name := range []string{
		"Sealane-Partner", "Sealane-Environment", "Sealane-Message", "Sealane-Signer", "Sealane-Request-Id",
		"Sealane-Processed", "Sealane-Token", "Sealane-Opened-By", "Sealane-Bound", "Sealane-Endpoint",
		"Sealane-Request",
	} {
		if !strings.Contains(page+read(t, "../../docs/gateway-local.md"), name) {
			t.Errorf("docs/gateway.md and docs/gateway-local.md do not name %s", name)
		}
	}
}
