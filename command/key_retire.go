package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/registry"
)

func keyRetire(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "retire KEYPAIR",
		Short: "Stop opening messages with a key pair",
		Long: `Retire ends the use of a key pair that another has replaced, that is not in use yet, or
that is the last (--last). After the last, messages to it can no longer be opened. A
pair for all partners of a profile can be retired when each of them has confirmed
another.`,
		Args: cobra.ExactArgs(1),
	}
	last := c.Flags().Bool("last", false, "no other is to follow, although it is in use: end the lane")
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		return flags.moveKey(c, s, args[0], registry.Retired, *last)
	})
	return c
}
