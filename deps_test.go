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

// rooms says which other rooms each may import, directly or by way of one that
// it may import. docs/architecture.md draws the same. A room that is not here
// has not been thought about: mend the design, then this table.
var rooms = map[string][]string{
	"fault":               {},
	"internal/strictjson": {},
	"internal/alg":        {},
	"internal/jose":       {"cert", "fault", "internal/strictjson"},
	"internal/termtext":   {},
	"internal/readlimit":  {},
	"cert":                {"internal/alg", "internal/termtext"},
	"keyfile":             {"cert", "internal/termtext"},
	"internal/libcrypto":  {},
	"profile":             {"cert", "internal/readlimit"},
	"keyring":             {"cert"},
	"kms":                 {"keyfile", "keyring", "internal/readlimit"},
	"rsaengine":           {"keyring", "internal/libcrypto"},
	".":                   {"internal/jose", "fault", "profile", "keyring"},
	"sealhttp":            {".", "internal/strictjson", "profile"},
	"internal/inspect":    {"."},
	"internal/malform":    {"fault", "internal/alg"},
	"internal/sandbox":    {"sealhttp", "internal/malform"},
	"sealanetest":         {"internal/sandbox/riskos", "internal/sandbox/rdx"},
	"internal/testkey":    {"keyring", "internal/jose"},
	"internal/testcert":   {"cert"},
	"internal/testlane":   {"."},
	"internal/hostile":    {"fault", "profile"},
	"internal/newfile":    {},
	"internal/httpserver": {},
	"internal/audit":      {"internal/newfile"},
	"internal/rootkey":    {"internal/newfile", "internal/readlimit"},
	"internal/lanes":      {".", "rsaengine"},
	"internal/batchgcd":   {},
	"internal/registry":   {"internal/lanes", "internal/batchgcd", "keyfile", "internal/audit", "internal/rootkey"},
	"internal/exchange":   {"internal/registry"},
	"internal/store":      {"internal/registry"},

	"internal/store/pgtest":        {},
	"internal/sandbox/rdx":         {"internal/sandbox"},
	"internal/sandbox/riskos":      {"internal/sandbox"},
	"internal/sandbox/sandboxtest": {},
	"internal/keydir":              {"kms", "internal/exchange"},
	"internal/demo": {"internal/keydir", "internal/sandbox/riskos", "internal/sandbox/rdx",
		"internal/store", "internal/httpserver"},
	"command":     {"internal/demo", "internal/inspect"},
	"cmd/sealane": {"command"},
}

// never lists what a package must not reach, whatever the policy becomes: what serves
// messages knows no rule, no permission and no SQL.
var never = map[string][]string{
	"sealhttp":       {"internal/registry", "internal/store"},
	"internal/lanes": {"internal/registry", "internal/store"},
}

// onlyTests lists rooms that no other room's code may import, beside those named.
var onlyTests = map[string][]string{
	"sealanetest":           {},
	"internal/testkey":      {},
	"internal/testcert":     {},
	"internal/testlane":     {},
	"internal/hostile":      {},
	"internal/store/pgtest": {},

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
		from := room(p.ImportPath)
		if _, known := rooms[from]; !known {
			t.Errorf("room %s is not in the policy", from)
			continue
		}
		for _, path := range p.Imports {
			if path != module && !strings.HasPrefix(path, module+"/") {
				continue
			}
			to := room(path)
			if !reaches(from, to, map[string]bool{}) {
				t.Errorf("%s imports %s", from, to)
			}
			if users, limited := onlyTests[to]; limited && !slices.Contains(users, from) {
				t.Errorf("%s imports %s, which is not for it", from, to)
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
	if seen != len(rooms) {
		t.Errorf("there are %d rooms, the policy has %d", seen, len(rooms))
	}
}

// TestThirdPartyPackages names all code by others that comes with the root package.
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
		t.Errorf("packages by others behind the root: %q; allowed are %q", found, allowed)
	}
}

func room(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}

func reaches(from, to string, been map[string]bool) bool {
	for _, next := range rooms[from] {
		if next == to {
			return true
		}
		if !been[next] {
			been[next] = true
			if reaches(next, to, been) {
				return true
			}
		}
	}
	return false
}
