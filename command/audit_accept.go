package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/termtext"
)

func auditAccept() *cobra.Command {
	c := &cobra.Command{
		Use:   "accept ROW…",
		Short: "Record rows as they are now, which differ from their records",
		Long: `Accept records rows that sealane audit verify --rows has found, after somebody has looked
into each. A row that was changed unlawfully must be changed back instead. --findings is
the checksum that verify has printed: if anything is found otherwise meanwhile, nothing
is accepted.`,
		Example: `  sealane audit accept certificate/c-7k2m4q6z3x --findings 0f3a9c04d2b81e67 \
      --reason "restored by hand, CHG-4711"`,
		Args: cobra.MinimumNArgs(1),
	}
	flags := registryVerb(c)
	asksWhy(c)
	var in operation.RowNames
	c.Flags().StringVar(&in.Findings, "findings", "", "the checksum of the findings (required)")
	must(c.MarkFlagRequired("findings"))
	input := func(_ *cobra.Command, args []string) (operation.RowNames, error) {
		in.Rows = args
		return in, nil
	}
	c.RunE = does(flags, operation.AcceptRows, input, func(c *cobra.Command, r operation.RowNames) error {
		return say(c, "Recorded as they are: %s.", termtext.Counted(len(r.Rows), "row"))
	})
	return c
}
