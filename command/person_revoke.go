package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func personRevoke() *cobra.Command {
	c := &cobra.Command{Use: "revoke PERSON", Short: "Revoke a person's token", Args: cobra.ExactArgs(1)}
	flags := registryVerb(c)
	asksWhy(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return does(flags, operation.RevokePerson, personNamed, func(c *cobra.Command, _ operation.None) error {
			return say(c, "The token of %s is revoked.", printable(args[0]))
		})(c, args)
	}
	return c
}
