package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func newReject() *cobra.Command {
	c := &cobra.Command{
		Use:   "reject IDENTITY",
		Short: "End the exchange of a certificate before it is in use",
		Long: `Reject ends the exchange of a partner's certificate, at any step before it is in use.
For a key pair of yours that is on offer it withdraws the offer: the pair is retired.`,
		Example: `  sealane reject c-7k2m4q6z3x --reason "key usage is missing"`,
		Args:    cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	asksWhy(c)
	c.RunE = does(flags, operation.Reject, identity, func(c *cobra.Command, s operation.Step) error {
		return writeStep(c, s, "%s is %s.", noun(s.ID), s.State)
	})
	return c
}
