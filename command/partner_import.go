package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/termtext"
)

func partnerImport() *cobra.Command {
	var in operation.Table
	c := &cobra.Command{
		Use:   "import FILE.csv",
		Short: "Import partners and certificates from a table, with a report for each row",
		Long: `Import reads a CSV file whose first line names its columns:

  partner                                       required
  name, profile, side                           a new partner needs profile and side
  environment, sealing, caller, account         a new environment needs sealing
  contact_role, contact_name, contact_email
  certificate                                   a file, relative to the table, or PEM
  sha256                                        its checksum, if it came by another way
  key_id                                        the alias that it has already
  waive                                         RULE=REASON, as with sealane receive

A table may have some of them only. What its cells do not say stays as it is.

Partners, environments and certificates that exist are not changed, so that a row can
be corrected and imported again. A row stops at its first step that fails; the report
says which steps are done. A row whose environment loosens production makes a request:
import the table again when somebody else has approved it. The columns may also be
separated by semicolons or tabs.

With --dry-run nothing is stored. Each row is tried with the registry as it is, without
the rows before it.`,
		Example: `  sealane partner import partners.csv --dry-run
  sealane partner import partners.csv --reason "migration from the old list"`,
		Args: cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	c.Flags().BoolVar(&in.DryRun, "dry-run", false, "try each row, and store nothing")
	c.RunE = func(c *cobra.Command, args []string) error {
		in.File = args[0]
		return flags.session(c, func(s *operation.Session) error {
			rows, err := operation.ImportPartners.Do(c.Context(), s, in)
			if err != nil {
				return err
			}
			results, sum := []operation.ImportResult{}, importSum{dry: in.DryRun}
			for r, problem := range rows {
				if err = problem; err != nil {
					break
				}
				results = append(results, r)
				if sum.add(r); sum.rows%1000 == 0 {
					warn(c, "%s", sum)
				}
			}
			return reportImport(c, flags, results, sum, err)
		})
	}
	return c
}

// reportImport writes the result of each row. ended is the error that ended the import early.
func reportImport(
	c *cobra.Command, flags *registryFlags, results []operation.ImportResult, sum importSum, ended error,
) (err error) {
	switch {
	case ended != nil && len(results) == 0:
		return ended
	case flags.json:
		err = writeJSON(c.OutOrStdout(), results)
	default:
		err = writeImport(c, results, sum)
	}
	switch {
	case err != nil:
		return err
	case ended != nil:
		return fmt.Errorf("the import ended after %s, and can be run again: %w",
			termtext.Counted(len(results), "row"), ended)
	case sum.failed > 0:
		return refused(fmt.Errorf("rows to correct: %d; then import the table again", sum.failed))
	case sum.waiting > 0 && !sum.dry:
		return &exit{exitPending, errors.New("another person runs sealane approve for each request; " +
			"import the table again after that")}
	}
	return nil
}

func writeImport(c *cobra.Command, results []operation.ImportResult, sum importSum) error {
	done := "DONE"
	if sum.dry {
		done = "TO DO"
	}
	t := newTable("LINE", "PARTNER", "ENVIRONMENT", done)
	for _, r := range results {
		row := t.add(r.Line, r.Partner, r.Environment, strings.Join(r.Done, ", "))
		name := "not imported"
		if r.Second != nil {
			name = "waits"
		}
		row.detail(name, oneLineOf.Replace(r.Error))
	}
	if err := t.write(c.OutOrStdout()); err != nil {
		return err
	}
	if sum.dry {
		if err := say(c, "\nDry run, nothing is stored."); err != nil {
			return err
		}
		return say(c, "%s", wrap(sum.String(), ""))
	}
	return say(c, "\n%s", wrap(sum.String(), ""))
}

// importSum counts the results of rows.
type importSum struct {
	dry                                  bool
	rows, changed, same, waiting, failed int
}

func (s *importSum) add(r operation.ImportResult) {
	s.rows++
	switch {
	case r.Second != nil:
		s.waiting++
	case r.Error != "":
		s.failed++
	case len(r.Done) == 0:
		s.same++
	default:
		s.changed++
	}
}

// String returns one line.
func (s importSum) String() string {
	text := "Rows: %d. Imported: %d; there already: %d; waiting for a second person: %d; not imported: %d."
	if s.dry {
		text = "Rows: %d. To import: %d; there already: %d; need a second person: %d; to correct: %d."
	}
	return fmt.Sprintf(text, s.rows, s.changed, s.same, s.waiting, s.failed)
}

// oneLineOf writes the lines of an error as one.
var oneLineOf = strings.NewReplacer(":\n", ": ", "\n", "; ")
