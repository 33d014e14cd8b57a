package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/exchange"
)

func exchangeProve(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "prove CERTIFICATE ANSWER",
		Short: "Check the partner's answer to the challenge",
		Args:  cobra.ExactArgs(2),
	}
	const said = "The answer is right: the partner has the private key of %s."
	c.RunE = flags.withStep(said, func(c *cobra.Command, x exchange.Exchange, args []string) error {
		return x.Prove(c.Context(), exchange.Proof{Certificate: args[0], Answer: args[1]})
	})
	return c
}
