package fault_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sealane/sealane/fault"
)

var update = flag.Bool("update", false, "rewrite docs/faults.md")

const page = "../docs/faults.md"

// TestPage checks that docs/faults.md agrees with the catalog.
func TestPage(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Fault codes\n\n" +
		"These are the faults that Sealane can name in logs (`fault=`), in errors (in square brackets), and\n" +
		"in the output of `sealane inspect`. The part before the dot is the layer.\n" +
		"`go test ./fault -update` writes this page.\n\n" +
		"| code | what it is | what to do |\n|---|---|---|\n")
	for _, c := range fault.All() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c, c.Meaning(), c.Next())
	}
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Error("docs/faults.md is not what the catalog says: go test ./fault -update")
	}
}

func TestCatalog(t *testing.T) {
	seen := map[fault.Code]bool{}
	for _, c := range fault.All() {
		if seen[c] {
			t.Errorf("%s is there twice", c)
		}
		seen[c] = true
		if !c.Known() || c.Layer() == "" || !strings.HasSuffix(c.Meaning(), ".") || !strings.HasSuffix(c.Next(), ".") {
			t.Errorf("%s: %q, %q", c, c.Meaning(), c.Next())
		}
	}
}
