package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/registry"
)

func newInventory() *cobra.Command {
	var asCSV bool
	c := &cobra.Command{
		Use: "inventory", Short: "List all keys and certificates: purpose, strength, issuer, expiry, custodian, state", Args: cobra.NoArgs,
		Long: `Inventory lists every key pair and certificate of the registry with what PCI DSS 4.2.1.1
asks for, as a table, as CSV for a spreadsheet, or as JSON lines.`,
	}
	flags := addRegistryFlags(c)
	c.Flags().BoolVar(&asCSV, "csv", false, "write CSV")
	c.RunE = flags.withView(func(c *cobra.Command, v view, _ []string) error {
		switch {
		case flags.json:
			e := json.NewEncoder(c.OutOrStdout())
			return v.Inventory(c.Context(), func(r registry.InventoryRow) error { return e.Encode(r) })
		case asCSV:
			w := csv.NewWriter(c.OutOrStdout())
			if err := w.Write(registry.InventoryColumns); err != nil {
				return err
			}
			err := v.Inventory(c.Context(), func(r registry.InventoryRow) error { return w.Write(harmless(r.Cells())) })
			w.Flush()
			return errors.Join(err, w.Error())
		}
		var broken error
		err := flags.show(c, nil, "IDENTITY,WHOSE,PARTNER,ENVIRONMENT,STRENGTH,COMMON NAME,UNTIL,STATE,CUSTODIAN,WAIVED", func(add func(...any)) {
			broken = v.Inventory(c.Context(), func(r registry.InventoryRow) error {
				add(r.ID, r.Owner, r.Partner, r.Environment, r.Strength, r.CommonName, r.NotAfter.Format("2006-01-02"), r.State, r.Custodian, r.Waived)
				return nil
			})
		})
		return errors.Join(broken, err)
	})
	return c
}

// harmless keeps a spreadsheet from taking a partner's words for a formula.
func harmless(cells []string) []string {
	for i, cell := range cells {
		if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
			cells[i] = "'" + cell
		}
	}
	return cells
}
