package command

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// usesAndNodes looks at what a gateway by the name of provider has stored after one message of acme and
// its answer, in the provider's registry. pair is the provider's.
func usesAndNodes(t *testing.T, provider *office, pair string) {
	t.Helper()
	says := func(want string, args ...string) {
		t.Helper()
		if text := provider.run(args...); !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("sealane %s: no %s in\n%s", strings.Join(args, " "), want, text)
		}
	}
	once := `(?s)used +on node provider for 1 message of the partner\n +first 2.* UTC, last 2.* UTC\n` +
		` +used +on node provider for 1 message of ours\n.*uses are not audited`
	says(once, "show", pair)
	certificate := regexp.MustCompile(`\bc-[a-z2-7]{10}\b`).FindString(provider.run("status", "acme"))
	says(once, "show", certificate)
	used := `(?s)last used: 2\S+ \S+ UTC for a message of the partner, +2\S+.* for one of ours\s+\(not\s+audited\)`
	says(used+".*"+used, "status", "acme")
	says(used, "status", "acme", "DEV")
	says(used, "partner", "show", "acme")
	says(`provider +ended +\d+ +0 `, "node", "list")
	says(`hold`, "audit", "verify", "--rows")

	var shown struct {
		Uses []struct {
			Node, Direction string
			Count, Partners int
		}
	}
	err := json.Unmarshal([]byte(provider.run("show", pair, "--json")), &shown)
	if err != nil || len(shown.Uses) != 2 || shown.Uses[0].Direction != "in" || shown.Uses[1].Direction != "out" ||
		shown.Uses[0].Count != 1 || shown.Uses[0].Partners != 1 || shown.Uses[0].Node != "provider" {
		t.Errorf("%+v, %v", shown, err)
	}
	says(`"last_use": \{\s+"in": "2`, "status", "acme", "--json")

	backup := filepath.Join(provider.dir, "backup")
	provider.run("backup", "make", backup)
	restored := "sqlite:" + filepath.Join(provider.dir, "restored.db")
	provider.run("backup", "restore", backup, "--db", restored)
	says(once, "show", pair, "--db", restored)
	says("No node", "node", "list", "--db", restored)
}
