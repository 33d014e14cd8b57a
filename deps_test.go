package sealane_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sealane/sealane"

// imports lists what each package may import, directly or through a package that it may import.
// docs/architecture.md shows the same. Before you add a package or an import here, ask whether the
// design should change instead.
var imports = map[string][]string{
	"fault":               {},
	"internal/strictjson": {},
	"internal/alg":        {},
	"internal/jose":       {"cert", "fault", "internal/strictjson"},
	"internal/termtext":   {},
	"internal/readlimit":  {},
	"internal/pasted":     {},
	"cert":                {"internal/alg", "internal/termtext", "internal/pasted"},
	"internal/filekind":   {},
	"internal/unpack":     {"internal/filekind", "internal/pasted"},
	"keyfile":             {"cert", "internal/unpack"},
	"internal/sharedlib":  {},
	"internal/rsapad":     {},
	"internal/libcrypto":  {"internal/sharedlib", "internal/rsapad"},
	"profile":             {"cert", "internal/readlimit", "internal/strictyaml"},
	"keyring":             {"cert"},
	"kms":                 {"keyfile", "keyring", "internal/readlimit"},
	"rsaengine":           {"keyring", "internal/libcrypto", "internal/multibuffer"},
	".":                   {"internal/jose", "fault", "profile", "keyring"},
	"internal/unread":     {},
	"internal/framing":    {},
	"internal/loopback":   {},
	"sealhttp": {".", "internal/filekind", "internal/strictjson", "profile", "internal/unread",
		"internal/framing"},
	"internal/inspect":     {".", "internal/unpack"},
	"internal/malform":     {"fault", "internal/alg"},
	"internal/sandbox":     {"sealhttp", "internal/malform"},
	"sealanetest":          {"internal/sandbox/riskos", "internal/sandbox/rdx"},
	"internal/nearest":     {},
	"internal/strictyaml":  {"internal/nearest"},
	"lanedir":              {".", "kms", "rsaengine", "internal/strictyaml", "internal/newfile"},
	"internal/testkey":     {"keyring", "internal/jose"},
	"internal/testcert":    {"cert"},
	"internal/testlane":    {"."},
	"internal/hostile":     {"fault", "profile"},
	"internal/newfile":     {},
	"internal/httpserver":  {"internal/unread"},
	"internal/audit":       {"internal/newfile", "internal/termtext", "internal/loopback", "internal/readlimit"},
	"internal/secretfile":  {"internal/newfile", "internal/readlimit"},
	"internal/secretplace": {"internal/readlimit"},
	"internal/notify": {"internal/strictyaml", "internal/secretplace", "internal/secretfile", "internal/termtext",
		"internal/loopback"},
	"internal/rootkey":  {"internal/secretfile"},
	"internal/lanes":    {".", "rsaengine"},
	"internal/batchgcd": {},

	"internal/countdown": {},

	"internal/registry/internal/guard": {},
	"internal/registry/guardtest":      {"internal/registry/internal/guard"},

	"internal/registry": {"internal/registry/internal/guard", "internal/lanes", "internal/batchgcd", "keyfile",
		"internal/audit", "internal/rootkey", "internal/countdown"},
	"internal/exchange":  {"internal/registry", "internal/nearest"},
	"internal/store":     {"internal/registry"},
	"internal/renewal":   {"internal/exchange", "internal/notify"},
	"internal/todo":      {"internal/renewal"},
	"internal/operation": {"internal/renewal", "internal/todo", "internal/store", "internal/nearest"},

	"internal/rsabatch":    {"internal/rsapad"},
	"internal/multibuffer": {"internal/rsabatch", "internal/sharedlib"},

	"internal/admission": {},
	"internal/gateway": {"sealhttp", "internal/lanes", "lanedir", "internal/httpserver",
		"internal/admission", "internal/unread", "internal/framing", "internal/loopback", "internal/secretplace",
		"internal/countdown", "internal/notify"},

	"internal/store/pgtest":        {},
	"internal/mailserver":          {},
	"internal/notify/smtptest":     {"internal/notify", "internal/mailserver"},
	"internal/sandbox/rdx":         {"internal/sandbox"},
	"internal/sandbox/riskos":      {"internal/sandbox"},
	"internal/sandbox/conformance": {"internal/sandbox"},
	"internal/sandbox/trial":       {"internal/sandbox/conformance", "internal/inspect"},
	"internal/sandbox/sandboxtest": {},
	"internal/keydir":              {"kms", "internal/exchange"},
	"internal/demo": {"internal/keydir", "internal/sandbox/riskos", "internal/sandbox/rdx",
		"internal/store", "internal/httpserver", "internal/gateway", "internal/renewal", "internal/mailserver"},
	"command": {"internal/operation", "internal/demo", "internal/inspect", "internal/gateway",
		"internal/sandbox/trial"},
	"cmd/sealane": {"command"},
}

// notDirectly lists what a package must not import itself, although it reaches it: what the command
// line does with a registry, it does by an operation, as any other front end will.
var notDirectly = map[string][]string{
	"command": {"internal/registry", "internal/exchange", "internal/renewal", "internal/todo", "internal/store",
		"internal/audit", "internal/rootkey"},
}

// never lists what a package must not reach even if imports is changed: code that serves messages
// must not depend on rules, permissions or SQL.
var never = map[string][]string{
	"sealhttp":       {"internal/registry", "internal/store"},
	"internal/lanes": {"internal/registry", "internal/store"},

	"internal/gateway": {"internal/registry", "internal/store"},
}

// noSQL lists packages that must not use a database: on their paths there is no SQL. A library that they use may
// import it for others.
var noSQL = []string{"sealhttp", "internal/lanes", "internal/gateway"}

// onlyTests lists packages that only tests may import, and the exceptions.
var onlyTests = map[string][]string{
	"sealanetest":           {},
	"internal/testkey":      {},
	"internal/testcert":     {},
	"internal/testlane":     {},
	"internal/hostile":      {},
	"internal/store/pgtest": {},

	"internal/notify/smtptest":     {},
	"internal/registry/guardtest":  {},
	"internal/sandbox/sandboxtest": {},

	"internal/malform": {"internal/sandbox"},
}

func TestImportsGoOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		seen++
		from := packageOf(p.ImportPath)
		if _, known := imports[from]; !known {
			t.Errorf("package %s is not in the policy", from)
			continue
		}
		if slices.Contains(noSQL, from) && slices.Contains(p.Imports, "database/sql") {
			t.Errorf("%s imports database/sql", from)
		}
		for _, path := range p.Imports {
			if path != module && !strings.HasPrefix(path, module+"/") {
				continue
			}
			to := packageOf(path)
			if !reaches(from, to, map[string]bool{}) {
				t.Errorf("%s imports %s", from, to)
			}
			if slices.Contains(notDirectly[from], to) {
				t.Errorf("%s imports %s itself", from, to)
			}
			if users, limited := onlyTests[to]; limited && !slices.Contains(users, from) {
				t.Errorf("%s imports %s, which only tests may import", from, to)
			}
		}
	}
	for from, list := range never {
		for _, to := range list {
			if reaches(from, to, map[string]bool{}) {
				t.Errorf("the policy lets %s reach %s", from, to)
			}
		}
	}
	if seen != len(imports) {
		t.Errorf("there are %d packages, the policy has %d", seen, len(imports))
	}
}

// TestThirdPartyPackages lists all third-party packages that the root package depends on.
func TestThirdPartyPackages(t *testing.T) {
	allowed := []string{
		"github.com/emmansun/base64", // with SIMD, for the fast path
		"go.yaml.in/yaml/v3",         // profiles
		"golang.org/x/sys/cpu",       // by base64
	}
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for path := range strings.Lines(string(out)) {
		if path = strings.TrimSpace(path); path != module && !strings.HasPrefix(path, module+"/") {
			found = append(found, path)
		}
	}
	slices.Sort(found)
	if !slices.Equal(found, allowed) {
		t.Errorf("third-party packages of the root: %q; allowed are %q", found, allowed)
	}
}

func packageOf(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}

func reaches(from, to string, seen map[string]bool) bool {
	for _, next := range imports[from] {
		if next == to {
			return true
		}
		if !seen[next] {
			seen[next] = true
			if reaches(next, to, seen) {
				return true
			}
		}
	}
	return false
}
