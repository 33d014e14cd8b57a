package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func newActivate() *cobra.Command {
	c := &cobra.Command{
		Use:   "activate CERTIFICATE",
		Short: "Use an approved certificate of a partner",
		Long: `Activate makes a partner's approved certificate the one that messages are encrypted to.
The previously active one still verifies (retiring).

A key pair of yours becomes active when the partner has its certificate: sealane
installed.`,
		Args: cobra.ExactArgs(1),
	}
	input := func(c *cobra.Command, args []string) (operation.ID, error) {
		if operation.IsKeyPair(args[0]) {
			return operation.ID{}, usage("a key pair of yours becomes active when the partner has installed " +
				"its certificate: sealane installed " + printable(args[0]))
		}
		return identity(c, args)
	}
	c.RunE = does(registryVerb(c), operation.Activate, input, func(c *cobra.Command, s operation.Step) error {
		return writeStep(c, s, "Certificate %s is active.", s.ID)
	})
	return c
}
