package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/registry"
)

func keyDestroy(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "destroy KEYPAIR",
		Short: "Delete the private key of a retired key pair for good",
		Args:  cobra.ExactArgs(1),
	}
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		return flags.moveKey(c, s, args[0], registry.Destroyed, false)
	})
	return c
}
