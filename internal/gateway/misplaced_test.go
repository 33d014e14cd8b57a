package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/strictyaml"
)

// misplacedFiles are words of a route with a file, in whose place FILE stands for any other.
var misplacedFiles = map[string]string{
	"profile":              "egress: ./FILE",
	"ours":                 "keys: {ours: FILE, theirs: provider.cer}",
	"theirs":               "keys: {ours: customer.key, theirs: FILE}",
	"folder":               "keys: FILE",
	"description":          "keys: lane",
	"passphrase":           `keys: {ours: encrypted.key, theirs: provider.cer, passphrase: "file:FILE"}`,
	"certificate":          "tls: {certificate: FILE, key: customer.key}",
	"key":                  "tls: {certificate: customer.cer, key: FILE}",
	"client_ca":            "tls: {certificate: customer.cer, key: customer.key, client_ca: FILE, client_names: [a]}",
	"upstream ca":          `upstream: {url: "https://127.0.0.1:1", tls: {ca: FILE}}`,
	"upstream certificate": `upstream: {url: "https://127.0.0.1:1", tls: {certificate: FILE, key: customer.key}}`,
	"upstream key":         `upstream: {url: "https://127.0.0.1:1", tls: {certificate: customer.cer, key: FILE}}`,
	"authorization":        "authorization: file:FILE",
	"token":                `clients: {token: "file:FILE"}`,
	"root key":             `registry: {db: registry.db, root_key: "file:FILE"}`,
	"database":             `registry: {db: FILE, root_key: "file:root.key"}`,
	"cache":                `registry: {db: registry.db, root_key: "file:root.key", cache: FILE}`,
}

// misplacedTexts are words of a route in which SECRET stands for a secret itself.
var misplacedTexts = map[string]string{
	"authorization":             "authorization: SECRET",
	"authorization, a list":     "authorization: [SECRET]",
	"authorization, a mapping":  "authorization: {value: SECRET}",
	"authorization, misspelled": "authorisation: SECRET",
	"passphrase":                "keys: {ours: encrypted.key, theirs: provider.cer, passphrase: SECRET}",
	"passphrase, of a route":    "passphrase: SECRET",
	"passphrase, a list":        "keys: {ours: encrypted.key, theirs: provider.cer, passphrase: [SECRET]}",
	"token":                     "clients: {token: SECRET}",
	"token, alone":              "clients: SECRET",
	"token, twice":              "clients: {token: SECRET, token: SECRET}",
	"token of a program":        "tokens: [{name: a, token: SECRET}]",
	"command":                   `authorization: "exec:sh -c 'SECRET'"`,
	"command that fails":        "authorization: exec:./tell",
	"upstream":                  `upstream: "https://user:SECRET@127.0.0.1:1"`,
	"upstream, no URL":          `upstream: "https://user:SECRET@127.0.0.1:x%zz"`,
	"upstream, query":           `upstream: "https://127.0.0.1:1/?key=SECRET"`,
	"password":                  `registry: {db: "postgres://a:SECRET@127.0.0.1:1/a", root_key: "file:root.key"}`,
	"password, no URL":          `registry: {db: "postgres://a:SECRET@127.0.0.1:x%zz/a", root_key: "file:root.key"}`,
	"password, other scheme":    `registry: {db: "mysql://a:SECRET@127.0.0.1:1/a", root_key: "file:root.key"}`,
	"root key":                  "registry: {db: registry.db, root_key: SECRET}",
	"ours":                      "keys: {ours: SECRET, theirs: provider.cer}",
	"ours, a file":              "keys: {ours: {file: SECRET}, theirs: provider.cer}",
	"theirs":                    "keys: {ours: customer.key, theirs: SECRET}",
	"key":                       "tls: {certificate: customer.cer, key: SECRET}",
	"upstream key":              `upstream: {url: "https://h", tls: {certificate: customer.cer, key: SECRET}}`,
}

// pathWord is a word whose value is a path.
var pathWord = regexp.MustCompile(`(ours|theirs|file|[{ ]key|certificate): $|keys: $`)

// routeWith returns a configuration whose route has a word, in place of its own.
func routeWith(word string) string {
	words := map[string]string{
		"egress": "riskos", "environment": "SANDBOX", "listen": "127.0.0.1:0", "upstream": "https://127.0.0.1:1",
		"keys": "{ours: customer.key, theirs: provider.cer}",
	}
	name, value, _ := strings.Cut(word, ": ")
	text := "admin: 127.0.0.1:0\nlog: {level: debug}\n"
	if name == "registry" {
		text += word + "\n"
	} else {
		words[name] = value
	}
	text += "routes:\n- name: out\n"
	for _, name := range slices.Sorted(maps.Keys(words)) {
		text += "  " + name + ": " + words[name] + "\n"
	}
	return text
}

// TestMisplacedSecrets: a file with a secret where another file belongs, and a secret that stands in the configuration
// itself, are refused without being shown, or serve without being shown.
func TestMisplacedSecrets(t *testing.T) {
	p := plant(t)
	p.registry = registryFiles(t)
	var refused, served int
	for place, word := range misplacedFiles {
		for name, text := range p.files {
			config := routeWith(strings.ReplaceAll(word, "FILE", name))
			shown := p.tell(t, config, map[string]string{"lane/lane.yaml": text}, &refused, &served)
			if part := p.in(shown); part != "" {
				t.Errorf("%s in the place of %s: %q is shown:\n%s", name, place, part, shown)
			}
		}
	}
	for name, text := range p.files {
		if shown := p.tell(t, text, nil, &refused, &served); p.in(shown) != "" {
			t.Errorf("%s as the configuration: %q is shown:\n%s", name, p.in(shown), shown)
		}
	}
	for place, word := range misplacedTexts {
		secrets := map[string]string{"passphrase": p.passphrase, "authorization": p.authorization, "token": p.token}
		before, _, _ := strings.Cut(word, "SECRET")
		if strings.Count(before, `"`)%2 == 0 { // a key is a text of several lines, which is written in quotes
			secrets["private key"] = fmt.Sprintf("%q", p.files["plain.key"])
			secrets["private key in one line"] = strings.Join(strings.Fields(p.files["plain.key"]), " ")
		}
		for kind, secret := range secrets {
			if pathWord.MatchString(before) && !strings.HasPrefix(kind, "private key") {
				continue // it can be the path of a file
			}
			config := routeWith(strings.ReplaceAll(word, "SECRET", secret))
			tell := "#!/bin/sh\necho " + p.passphrase + "; echo " + p.passphrase + " >&2; exit 3\n"
			shown := p.tell(t, config, map[string]string{"tell": tell}, &refused, &served)
			if part := p.in(shown); part != "" {
				t.Errorf("%s in the place of %s: %q is shown:\n%s", kind, place, part, shown)
			}
		}
	}
	if refused < 100 || served < 10 {
		t.Errorf("%d were refused, and %d served", refused, served)
	}
}

// tell returns all that a gateway tells of a configuration: why it refuses it, or, if it serves, its log, its pages
// and its answers.
func (p *planted) tell(t *testing.T, config string, more map[string]string, refused, served *int) string {
	t.Helper()
	dir := keyFolder(t)
	if err := os.Mkdir(filepath.Join(dir, "lane"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, texts := range []map[string]string{p.files, p.registry, more} {
		for name, text := range texts {
			write(t, filepath.Join(dir, name), text)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "tell"), 0o700); err != nil && more["tell"] != "" {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "sealane.yaml")
	write(t, file, config)
	o := options(nil)
	log := &logBuffer{}
	o.Log = log
	g, err := gateway.New(t.Context(), file, o)
	if err != nil {
		*refused++
		text := err.Error() + log.String()
		for _, f := range gateway.Faults(err) {
			text += fmt.Sprintf("\n%+v", f)
		}
		if f, ok := errors.AsType[*strictyaml.Faults](err); ok {
			text += fmt.Sprintf("\n%+v", f.List)
		}
		return text
	}
	*served++
	return p.use(t, g, log)
}

// use runs a gateway, and returns its log, its pages and its answers.
func (p *planted) use(t *testing.T, g *gateway.Gateway, log *logBuffer) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ready, ended := make(chan map[string]net.Addr, 1), make(chan error, 1)
	go func() { ended <- g.Run(ctx, func(a map[string]net.Addr) { ready <- a }) }()
	text := ""
	select {
	case addresses := <-ready:
		for _, headers := range [][]string{nil, {"Sealane-Token", p.token}} {
			a := tried(t, "http://"+addresses["out"].String()+"/api/evaluation", p.files["payload.json"], headers...)
			text += a.body + fmt.Sprint(a.header)
		}
		for _, page := range []string{"/metrics", "/status", "/readyz"} {
			text += call(t, "GET", "http://"+addresses["admin"].String()+page, "").body
		}
		if err := g.Dial(t.Context()); err != nil {
			text += err.Error()
		}
		cancel()
	case err := <-ended:
		ended <- err
	}
	if err := <-ended; err != nil {
		text += err.Error()
	}
	return text + log.String()
}

// registryFiles are an empty registry, and its root key.
func registryFiles(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	root, db := filepath.Join(dir, "root.key"), filepath.Join(dir, "registry.db")
	_, err := operation.Init(t.Context(), operation.Config{Database: "sqlite:" + db, RootKey: "file:" + root},
		operation.Person{ID: "anna", Name: "Anna", Email: "anna@bank.example",
			Roles: []registry.Role{registry.Administrator}})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"root.key": read(t, root), "registry.db": read(t, db)}
}
