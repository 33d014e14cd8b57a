package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func newReject() *cobra.Command {
	var in operation.ID
	c := &cobra.Command{
		Use:   "reject IDENTITY",
		Short: "End the exchange of a certificate, or a request",
		Long: `Reject ends the exchange of a partner's certificate, at any step before it is in use.
For a key pair of yours that is on offer it withdraws the offer: the pair is retired. A
request (r-…) ends; its act is not done.`,
		Example: `  sealane reject c-7k2m4q6z3x --reason "key usage is missing"`,
		Args:    cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	asksWhy(c)
	c.Flags().StringVar(&in.Partner, "partner", "",
		"whose offer is withdrawn, for a key pair that all partners of a profile share")
	input := func(_ *cobra.Command, args []string) (operation.ID, error) {
		in.ID = args[0]
		return in, nil
	}
	reject := does(flags, operation.Reject, input, func(c *cobra.Command, s operation.Step) error {
		return writeStep(c, s, "%s is %s.", noun(s.ID), s.State)
	})
	request := does(flags, operation.RejectRequest, requestNamed, func(c *cobra.Command, r operation.Request) error {
		return say(c, "Request %s is rejected.", r.ID)
	})
	c.RunE = func(c *cobra.Command, args []string) error {
		if operation.IsRequest(args[0]) {
			return request(c, args)
		}
		return reject(c, args)
	}
	return c
}
