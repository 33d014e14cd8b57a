package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func newTold() *cobra.Command {
	var in operation.PartnerWord
	c := &cobra.Command{
		Use:   "told IDENTITY",
		Short: "Record that a partner knows the new key ID of its certificate",
		Long: `Told records that a partner knows the key ID (alias) of its new certificate. A key of
another size has another key ID, and messages carry it: the partner must know it before
the certificate is activated.`,
		Example: `  sealane told c-7k2m4q6z3x --said "J. Roe, mail of 3 December: alias is set up"`,
		Args:    cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	c.Flags().StringVar(&in.Said, "said", "", "who has said so, how, and the words (required)")
	must(c.MarkFlagRequired("said"))
	input := func(_ *cobra.Command, args []string) (operation.PartnerWord, error) {
		in.ID = args[0]
		return in, nil
	}
	c.RunE = does(flags, operation.KeyIDTold, input, func(c *cobra.Command, n operation.ShownRenewal) error {
		return writeRenewalStep(c, n, "It is recorded that %s knows the key ID of %s (renewal %s).", n.Partner,
			n.Successor, n.ID)
	})
	return c
}
