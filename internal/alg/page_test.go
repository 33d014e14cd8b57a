package alg_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/alg"
)

var update = flag.Bool("update", false, "write docs/profiles/algorithms.md anew")

const page = "../../docs/profiles/algorithms.md"

// TestPage checks that the page about algorithms agrees with the table.
func TestPage(t *testing.T) {
	var b strings.Builder
	b.WriteString("# The algorithms that a profile may name\n\n" +
		"RFC 7518 defines them. For each direction, a profile names one algorithm to seal with and a list to\n" +
		"open; all others are refused. The shipped profiles name RS256, RSA-OAEP-256 and A256GCM.\n" +
		"`go test ./internal/alg -update` writes this page.\n\n" +
		"## `sign.alg`: signatures\n\n| name | what it is |\n|---|---|\n")
	for _, s := range alg.Signatures {
		scheme := "RSASSA-PKCS1-v1_5"
		if s.PSS {
			scheme = fmt.Sprintf("RSASSA-PSS, MGF1 with %v, a salt of exactly %d bytes", s.Hash, s.Hash.Size())
		}
		fmt.Fprintf(&b, "| `%s` | %v, %s |\n", s, s.Hash, scheme)
	}
	b.WriteString("\n## `encrypt.alg`: key encryption\n\n| name | what it is |\n|---|---|\n")
	for _, k := range alg.KeyEncryptions {
		note := ""
		if k.OpenOnly {
			note = "; to open only, and best under `lane_may_add`"
		}
		if !k.Approved {
			note += "; not with FIPS 140-3 enforcement"
		}
		fmt.Fprintf(&b, "| `%s` | RSAES-OAEP with %v, for MGF1 too%s |\n", k, k.Hash, note)
	}
	b.WriteString("\n## `encrypt.enc`: content encryption\n\n" +
		"| name | key | initialization vector | tag | what it is |\n|---|---|---|---|---|\n")
	for _, c := range alg.Contents {
		what := "AES-GCM"
		if c.Block > 0 {
			what = fmt.Sprintf("AES-CBC with HMAC and %v; the tag is checked before anything is decrypted", c.Hash)
		}
		fmt.Fprintf(&b, "| `%s` | %d bits | %d bits | %d bits | %s |\n", c, c.CEK*8, c.IV*8, c.Tag*8, what)
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
		t.Error("docs/profiles/algorithms.md is not what the table says: go test ./internal/alg -update")
	}
}
