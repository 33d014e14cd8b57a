package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/exchange"
)

func exchangeStage(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "stage CERTIFICATE",
		Short: "Let an approved certificate verify, but go on encrypting to the one before it",
		Long: `Stage is for a renewal without a fixed day: what the partner signs with the new key is
verified from now on, but messages are encrypted to the old one until sealane exchange
activate.`,
		Args: cobra.ExactArgs(1),
	}
	const said = "Certificate %s is staged."
	c.RunE = flags.withStep(said, func(c *cobra.Command, x exchange.Exchange, args []string) error {
		return x.Stage(c.Context(), args[0])
	})
	return c
}
