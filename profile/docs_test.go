package profile_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/profile"
)

var update = flag.Bool("update", false, "write the tables of errors in docs anew")

// TestErrorTables checks that the tables of errors in the pages agree with the profiles.
func TestErrorTables(t *testing.T) {
	riskos, rdx := testlane.Profile(t, "riskos"), testlane.Profile(t, "rdx")
	for page, table := range map[string]string{
		"profiles/riskos.md": errorTable(riskos),
		"profiles/rdx.md":    errorTable(rdx),
		"hostile.md":         outcomeTable(riskos, rdx),
	} {
		file := "../docs/" + page
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parts := section.FindSubmatch(got)
		if parts == nil {
			t.Errorf("%s has no lines <!-- errors … --> and <!-- end -->", file)
			continue
		}
		want := strings.Replace(string(got), string(parts[0]), string(parts[1])+"\n"+table+string(parts[2]), 1)
		if *update {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if string(got) != want {
			t.Errorf("%s does not have the errors of the profiles: go test ./profile -update", file)
		}
	}
}

var section = regexp.MustCompile(`(?s)(<!-- errors: go test ./profile -update -->\n).*?(<!-- end -->)`)

// errorTable returns the table of one profile's errors.
func errorTable(p *profile.Profile) string {
	var b strings.Builder
	b.WriteString("| outcome | what happened | status | text |\n|---|---|---|---|\n")
	for _, on := range profile.TableOutcomes() {
		if row, ok := p.Errors.Row(on); ok {
			fmt.Fprintf(&b, "| `%s` | %s | %d | %s |\n", string(on), on.Error(), row.Status, texts(row))
		}
	}
	fmt.Fprintf(&b, "\nThe body is `%s`.\n\n", strings.NewReplacer("$id", "…", "$text", "…").Replace(p.Errors.Body))
	return b.String()
}

func texts(row profile.ErrorRow) string {
	return strings.Join(append([]string{row.Text}, row.Also...), ", or ")
}

// outcomeTable returns the table of all outcomes.
func outcomeTable(riskos, rdx *profile.Profile) string {
	var b strings.Builder
	b.WriteString("| outcome | RiskOS | VCAS RDX |\n|---|---|---|\n")
	cell := func(p *profile.Profile, on profile.Outcome) string {
		row, ok := p.Errors.Row(on)
		if !ok {
			return "–"
		}
		return fmt.Sprintf("%d `%s`", row.Status, row.Text)
	}
	for _, on := range profile.TableOutcomes() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", string(on), cell(riskos, on), cell(rdx, on))
	}
	b.WriteString("\n")
	return b.String()
}
