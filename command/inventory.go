package command

import (
	"encoding/csv"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/registry"
)

func newInventory() *cobra.Command {
	var asCSV bool
	c := &cobra.Command{
		Use:   "inventory",
		Short: "List all keys and certificates: purpose, strength, issuer, expiry, custodian, state",
		Long: `Inventory lists every key pair and certificate of the registry with what PCI DSS 4.2.1.1
requires: as a table, as CSV for a spreadsheet, or as JSON lines.`,
		Args: cobra.NoArgs,
	}
	flags := addRegistryFlags(c)
	c.Flags().BoolVar(&asCSV, "csv", false, "write CSV")
	c.RunE = flags.withView(func(c *cobra.Command, v view, _ []string) error {
		switch {
		case flags.json:
			for r, err := range v.Inventory(c.Context()) {
				if err != nil {
					return err
				}
				if err := encodeJSON(c.OutOrStdout(), r, ""); err != nil {
					return err
				}
			}
			return nil
		case asCSV:
			return writeCSV(c, v)
		}
		var broken error
		const head = "IDENTITY,WHOSE,PARTNER,ENVIRONMENT,STRENGTH,COMMON NAME,UNTIL,STATE,CUSTODIAN,WAIVED"
		err := flags.show(c, nil, head, func(add func(...any)) {
			for r, err := range v.Inventory(c.Context()) {
				if err != nil {
					broken = err
					return
				}
				add(r.ID, r.Owner, r.Partner, r.Environment, r.Strength, r.CommonName,
					r.NotAfter.Format(time.DateOnly), r.State, r.Custodian, r.Waived)
			}
		})
		return errors.Join(broken, err)
	})
	return c
}

func writeCSV(c *cobra.Command, v view) error {
	w := csv.NewWriter(c.OutOrStdout())
	if err := w.Write(registry.InventoryColumns); err != nil {
		return err
	}
	for r, err := range v.Inventory(c.Context()) {
		if err == nil {
			err = w.Write(noFormulas(r.Cells()))
		}
		if err != nil {
			w.Flush()
			return errors.Join(err, w.Error())
		}
	}
	w.Flush()
	return w.Error()
}

// noFormulas marks as text what a spreadsheet would take for a formula: some cells are
// a partner's text.
func noFormulas(cells []string) []string {
	for i, cell := range cells {
		if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
			cells[i] = "'" + cell
		}
	}
	return cells
}
