package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/exchange"
)

func exchangeRetire(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "retire CERTIFICATE",
		Short: "End the use of a partner's certificate that is replaced, expired, or the last",
		Long: `Retire ends the use of a partner's certificate that another has replaced, or that has
expired. An active one ends only with --last: after that nothing can be sealed to the
partner, or verified, in that environment.`,
		Args: cobra.ExactArgs(1),
	}
	last := c.Flags().Bool("last", false, "no other is to follow: end the lane with this partner")
	const said = "Certificate %s is out of use."
	c.RunE = flags.withStep(said, func(c *cobra.Command, x exchange.Exchange, args []string) error {
		return x.Retire(c.Context(), args[0], *last)
	})
	return c
}
