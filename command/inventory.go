package command

import (
	"encoding/csv"
	"errors"
	"iter"
	"regexp"

	"github.com/spf13/cobra"
	"golang.org/x/text/unicode/norm"

	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/termtext"
)

func newInventory() *cobra.Command {
	var asCSV, asCalendar, ours, theirs bool
	var q operation.InventoryQuery
	var states []string
	c := &cobra.Command{
		Use:   "inventory",
		Short: "List all keys and certificates, as PCI DSS asks for it",
		Long: `Inventory lists every key pair and certificate of the registry with what PCI DSS 4.2.1.1
requires: as a table, as CSV for a spreadsheet, or as JSON lines. Key pairs that all
partners of a profile share belong to no partner.

--ics writes the ends of what is in use, or on its way, as a calendar. Programs that read it
again replace each event. A calendar tells nobody: notices do (sealane notice).`,
		Example: `  sealane inventory --csv > inventory.csv
  sealane inventory --ics > ends.ics
  sealane inventory --theirs --ends-within 90
  sealane inventory --partner acme --state active --state retiring`,
		Args: cobra.NoArgs,
	}
	flags := registryVerb(c)
	f := c.Flags()
	f.BoolVar(&asCSV, "csv", false, "write CSV")
	f.BoolVar(&asCalendar, "ics", false, "write a calendar (iCalendar)")
	c.MarkFlagsMutuallyExclusive("csv", "ics", "json")
	f.StringVar(&q.Partner, "partner", "", "only those of this partner")
	f.StringVar(&q.Environment, "env", "", "only those of this environment")
	f.StringArrayVar(&states, "state", nil, "only those in this state, such as active; repeat it for several")
	f.BoolVar(&ours, "ours", false, "only your key pairs")
	f.BoolVar(&theirs, "theirs", false, "only certificates of partners")
	f.IntVar(&q.EndsWithin, "ends-within", 0,
		"only those in use or on their way that end within so many days, or have ended")
	c.MarkFlagsMutuallyExclusive("ours", "theirs")
	c.RunE = func(c *cobra.Command, _ []string) error {
		for _, state := range states {
			q.States = append(q.States, operation.State(state))
		}
		switch {
		case ours:
			q.Owner = operation.Ours
		case theirs:
			q.Owner = operation.Theirs
		}
		return flags.session(c, func(s *operation.Session) error {
			if asCalendar {
				data, err := operation.EndsCalendar.Do(c.Context(), s, q)
				if err == nil {
					_, err = c.OutOrStdout().Write(data)
				}
				return err
			}
			rows, err := operation.Inventory.Do(c.Context(), s, q)
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
		row.detail("damaged", r.Damaged)
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
			err = w.Write(forSpreadsheet(r.Cells()))
		}
		if err != nil {
			w.Flush()
			return errors.Join(err, w.Error())
		}
	}
	w.Flush()
	return w.Error()
}

// forSpreadsheet returns cells as text for a spreadsheet: some are a partner's. What a spreadsheet
// would take for a formula gets an apostrophe, and characters that a terminal obeys, or that change
// the order of others, are escaped.
func forSpreadsheet(cells []string) []string {
	for i, cell := range cells {
		cell = termtext.EscapeLine(cell)
		if formula.MatchString(norm.NFKC.String(cell)) && !word.MatchString(cell) {
			cell = "'" + cell
		}
		cells[i] = cell
	}
	return cells
}

var (
	formula = regexp.MustCompile(`^\s*[=+@-]|^[\t\r\n]`)
	// word is a key ID that begins with a hyphen. It calls no function, and stays as it is, so that
	// it is found.
	word = regexp.MustCompile(`^-[A-Za-z0-9_-]+$`)
)
