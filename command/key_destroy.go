package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func keyDestroy() *cobra.Command {
	c := &cobra.Command{
		Use:     "destroy KEYPAIR",
		Short:   "Delete the private key of a retired key pair permanently",
		Example: `  sealane key destroy k-5n3w2p7r4t --reason "it was renewed"`,
		Args:    cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	asksWhy(c)
	c.RunE = does(flags, operation.DestroyKey, identity, func(c *cobra.Command, s operation.Step) error {
		return say(c, "The private key of key pair %s is deleted. Older backups still have it, encrypted.", s.ID)
	})
	return c
}
