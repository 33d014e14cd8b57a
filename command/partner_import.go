package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

func partnerImport(flags *registryFlags) *cobra.Command {
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
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		results, failed := []exchange.RowResult{}, 0
		var ended error
		for r, err := range exchange.New(s).ImportCSV(c.Context(), args[0]) {
			if err != nil {
				ended = err
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
		if ended != nil && len(results) == 0 {
			return ended
		}
		err := flags.show(c, results, "LINE,PARTNER,ENVIRONMENT,DONE,ERROR", func(add func(...any)) {
			for _, r := range results {
				add(r.Line, r.Partner, r.Environment, strings.Join(r.Done, ", "), r.Error)
			}
		})
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
	})
	return c
}
