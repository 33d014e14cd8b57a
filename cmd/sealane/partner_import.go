package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

func partnerImport(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use: "import FILE.csv", Short: "Import partners and certificates from a table, with a report per row", Args: cobra.ExactArgs(1),
		Long: `Import reads a CSV file whose first line names its columns:

  partner, name, profile, side, environment, sealing   (all but name required)
  caller, account, contact_role, contact_name, contact_email
  certificate                                           a file, relative to the table
  sha256                                                its checksum, where it came by another way
  key_id                                                the alias that it has already

Partners, environments and certificates that are there already are left as they are, so
that a row can be mended and imported again. A row stops at its first step that fails;
the report says what of it is done. Semicolons or tabs between the columns will do, too.`,
	}
	c.RunE = flags.withSession(func(c *cobra.Command, d *registry.Session, args []string) error {
		results, failed := []exchange.RowResult{}, 0
		ended := exchange.New(d).ImportCSV(c.Context(), args[0], flags.reason, func(r exchange.RowResult) {
			results = append(results, r)
			if r.Error != "" {
				failed++
			}
			if len(results)%1000 == 0 {
				fmt.Fprintf(c.ErrOrStderr(), "sealane: %d rows, %d of them not imported\n", len(results), failed)
			}
		})
		if ended != nil && len(results) == 0 {
			return ended
		}
		if err := flags.show(c, results, "LINE,PARTNER,ENVIRONMENT,DONE,ERROR", func(add func(...any)) {
			for _, r := range results {
				add(r.Line, r.Partner, r.Environment, strings.Join(r.Done, ", "), r.Error)
			}
		}); err != nil {
			return err
		}
		if ended != nil {
			return fmt.Errorf("the import ended after %d rows, and can be run again: %w", len(results), ended)
		}
		if failed > 0 {
			return refused(fmt.Errorf("%d of %d rows were not imported: mend them and import the table again", failed, len(results)))
		}
		return nil
	})
	return c
}
