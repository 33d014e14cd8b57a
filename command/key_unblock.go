package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func keyUnblock() *cobra.Command {
	c := &cobra.Command{
		Use:   "unblock SHA256",
		Short: "Lift the block of a key, if a second person agrees",
		Long: `Unblock lets a key come in again that was blocked by mistake, by the SHA-256 that the
block names. What the block has ended stays ended. If there is another approver, they
must approve the request.`,
		Args: cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	asksWhy(c)
	input := func(_ *cobra.Command, args []string) (in operation.BlockedSum, err error) {
		if in.SHA256 = sumOf(args[0]); in.SHA256 == nil {
			err = refused(fmt.Errorf("%q is not a SHA-256 checksum (64 hexadecimal digits)", printable(args[0])))
		}
		return in, err
	}
	c.RunE = does(flags, operation.UnblockKey, input, func(c *cobra.Command, _ operation.None) error {
		return say(c, "The block is lifted. The key may come in again.")
	})
	return c
}
