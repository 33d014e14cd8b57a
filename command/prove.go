package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func newProve() *cobra.Command {
	c := &cobra.Command{
		Use:   "prove CERTIFICATE ANSWER",
		Short: "Check the partner's answer to the challenge",
		Args:  cobra.ExactArgs(2),
	}
	input := func(_ *cobra.Command, args []string) (operation.Proof, error) {
		return operation.Proof{Certificate: args[0], Answer: args[1]}, nil
	}
	c.RunE = does(registryVerb(c), operation.Prove, input, func(c *cobra.Command, s operation.Step) error {
		return writeStep(c, s, "The answer is right: the partner has the private key of %s.", s.ID)
	})
	return c
}
