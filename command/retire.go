package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func newRetire() *cobra.Command {
	var in operation.Retirement
	c := &cobra.Command{
		Use:   "retire IDENTITY",
		Short: "End the use of a replaced certificate or key pair",
		Long: `Retire ends the use of a partner's certificate, or of a key pair of yours, that another
has replaced, that has expired, or that is not in use yet. The last one ends only with
--last: after that, messages can no longer be sealed or opened in that lane. A key pair
that all partners of a profile share can be retired when each of them has installed
another.

A partner may use its old certificate until it has the mail that confirms the new one.
Before that mail is recorded as sent, say who has told you that they don't (--said).`,
		Example: `  sealane retire c-7k2m4q6z3x --reason "it was replaced"
  sealane retire k-5n3w2p7r4t --last --reason "the contract ends"`,
		Args: cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	asksWhy(c)
	c.Flags().BoolVar(&in.Last, "last", false, "no other follows: end the lane")
	c.Flags().StringVar(&in.Said, "said", "", "who at the partner has said that it is not used any more, and how")
	input := func(_ *cobra.Command, args []string) (operation.Retirement, error) {
		in.ID = args[0]
		return in, nil
	}
	c.RunE = does(flags, operation.Retire, input, func(c *cobra.Command, s operation.Step) error {
		return writeStep(c, s, "%s is %s.", noun(s.ID), s.State)
	})
	return c
}
