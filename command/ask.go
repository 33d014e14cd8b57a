package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func newAsk() *cobra.Command {
	c := &cobra.Command{
		Use:   "ask IDENTITY",
		Short: "Record that you have asked a partner for its next certificate",
		Long: `Ask records that a partner was asked for the certificate that follows the one in use. It
sends nothing. Name the certificate in use, or its renewal. Status shows from then on
that the partner has to act.`,
		Example: `  sealane ask c-7k2m4q6z3x`,
		Args:    cobra.ExactArgs(1),
	}
	said := "It is recorded that %s was asked for the certificate that follows %s (renewal %s)."
	c.RunE = does(registryVerb(c), operation.Asked, renewalNamed,
		func(c *cobra.Command, n operation.ShownRenewal) error {
			return writeRenewalStep(c, n, said, n.Partner, n.Replaces, n.ID)
		})
	return c
}
