package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func partnerImport() *cobra.Command {
	c := &cobra.Command{
		Use:   "import FILE.csv",
		Short: "Import partners and certificates from a table, with a report for each row",
		Long: `Import reads a CSV file whose first line names its columns:

  partner, name, profile, side, environment, sealing   (all but name required)
  caller, account, contact_role, contact_name, contact_email
  certificate                                           a file, relative to the table
  sha256                                                its checksum, if it came by another way
  key_id                                                the alias that it has already

Partners, environments and certificates that exist are not changed, so that a row can
be corrected and imported again. A row stops at its first step that fails; the report
says which steps are done. The columns may also be separated by semicolons or tabs.`,
		Args: cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return flags.session(c, func(s *operation.Session) error {
			rows, err := operation.ImportPartners.Do(c.Context(), s, operation.Table{File: args[0]})
			if err != nil {
				return err
			}
			results, failed := []operation.ImportResult{}, 0
			for r, problem := range rows {
				if err = problem; err != nil {
					break
				}
				results = append(results, r)
				if r.Error != "" {
					failed++
				}
				if len(results)%1000 == 0 {
					warn(c, "%d rows, %d of them not imported", len(results), failed)
				}
			}
			return reportImport(c, flags, results, failed, err)
		})
	}
	return c
}

// reportImport writes the result of each row. ended is the error that ended the import early.
func reportImport(
	c *cobra.Command, flags *registryFlags, results []operation.ImportResult, failed int, ended error,
) (err error) {
	switch {
	case ended != nil && len(results) == 0:
		return ended
	case flags.json:
		err = writeJSON(c.OutOrStdout(), results)
	default:
		t := newTable("LINE", "PARTNER", "ENVIRONMENT", "DONE")
		for _, r := range results {
			row := t.add(r.Line, r.Partner, r.Environment, strings.Join(r.Done, ", "))
			row.detail("not imported", r.Error)
		}
		err = t.write(c.OutOrStdout())
	}
	switch {
	case err != nil:
		return err
	case ended != nil:
		return fmt.Errorf("the import ended after %d rows, and can be run again: %w", len(results), ended)
	case failed > 0:
		return refused(fmt.Errorf("%d of %d rows were not imported: correct them and import the table again",
			failed, len(results)))
	}
	return nil
}
