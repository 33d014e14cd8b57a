package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/exchange"
)

func exchangeCompromised(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "compromised CERTIFICATE",
		Short: "End the use of a partner's certificate at once, and block its key",
		Args:  cobra.ExactArgs(1),
	}
	const said = "Certificate %s is out of use, and its key is blocked."
	c.RunE = flags.withStep(said, func(c *cobra.Command, x exchange.Exchange, args []string) error {
		return x.Compromised(c.Context(), args[0])
	})
	return c
}
