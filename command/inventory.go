package command

import (
	"encoding/csv"
	"errors"
	"iter"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func newInventory() *cobra.Command {
	var asCSV bool
	c := &cobra.Command{
		Use:   "inventory",
		Short: "List all keys and certificates, as PCI DSS asks for it",
		Long: `Inventory lists every key pair and certificate of the registry with what PCI DSS 4.2.1.1
requires: as a table, as CSV for a spreadsheet, or as JSON lines.`,
		Args: cobra.NoArgs,
	}
	flags := registryVerb(c)
	c.Flags().BoolVar(&asCSV, "csv", false, "write CSV")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return flags.session(c, func(s *operation.Session) error {
			rows, err := operation.Inventory.Do(c.Context(), s, operation.None{})
			switch {
			case err != nil:
				return err
			case flags.json:
				return writeJSONLines(c, rows)
			case asCSV:
				return writeCSV(c, rows)
			}
			return writeInventory(c, rows)
		})
	}
	return c
}

func writeInventory(c *cobra.Command, rows iter.Seq2[operation.InventoryRow, error]) error {
	t := newTable("IDENTITY", "WHOSE", "PARTNER", "ENVIRONMENT", "STRENGTH", "UNTIL", "STATE")
	for r, err := range rows {
		if err != nil {
			return err
		}
		row := t.add(r.ID, r.Owner, r.Partner, r.Environment, r.Strength, dateText(r.NotAfter), r.State)
		row.detail("common name", r.CommonName)
		row.detail("waived", r.Waived)
	}
	return t.write(c.OutOrStdout())
}

func writeJSONLines(c *cobra.Command, rows iter.Seq2[operation.InventoryRow, error]) error {
	for r, err := range rows {
		if err != nil {
			return err
		}
		if err := encodeJSON(c.OutOrStdout(), r, ""); err != nil {
			return err
		}
	}
	return nil
}

func writeCSV(c *cobra.Command, rows iter.Seq2[operation.InventoryRow, error]) error {
	w := csv.NewWriter(c.OutOrStdout())
	if err := w.Write(operation.InventoryColumns); err != nil {
		return err
	}
	for r, err := range rows {
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
