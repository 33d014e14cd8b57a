package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func auditAccept() *cobra.Command {
	c := &cobra.Command{
		Use:   "accept ROW…",
		Short: "Record rows as they are now, which differ from their records",
		Long: `Accept records rows that sealane audit verify --rows has found, after somebody has looked
into each. A row that was changed unlawfully must be changed back instead.`,
		Example: `  sealane audit accept certificate/c-7k2m4q6z3x --reason "restored by hand, CHG-4711"`,
		Args:    cobra.MinimumNArgs(1),
	}
	flags := registryVerb(c)
	asksWhy(c)
	input := func(_ *cobra.Command, args []string) (operation.RowNames, error) {
		return operation.RowNames{Rows: args}, nil
	}
	c.RunE = does(flags, operation.AcceptRows, input, func(c *cobra.Command, r operation.RowNames) error {
		return say(c, "Recorded as they are: %d rows.", len(r.Rows))
	})
	return c
}
