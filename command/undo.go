package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func newUndo() *cobra.Command {
	var in operation.ID
	c := &cobra.Command{
		Use:   "undo IDENTITY",
		Short: "Take back the last step, if that is safe",
		Long: `Undo brings a certificate or key pair back into the state before its last step:

  matched, approved            the state before
  staged                       approved, unless messages are verified by it
  rejected                     received, or matched
  retired                      retiring: it opens or verifies again, and is not used to seal;
                               a partner's certificate within 30 days, and unless another was
                               activated since
  installed (a key pair)       staged; the pair before it signs again, if it has not ended

Not everything can be undone. A revocation, a block and a destroyed private key stay.
For a certificate that is active, roll its renewal back (sealane rollback). One that was
retired too long ago is received again, and approved like a new one.`,
		Example: `  sealane undo c-7k2m4q6z3x --reason "approved the wrong one"`,
		Args:    cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	asksWhy(c)
	c.Flags().StringVar(&in.Partner, "partner", "", "whose word is taken back, for a key pair that partners share")
	input := func(_ *cobra.Command, args []string) (operation.ID, error) {
		in.ID = args[0]
		return in, nil
	}
	c.RunE = does(flags, operation.Undo, input, func(c *cobra.Command, s operation.Step) error {
		return writeStep(c, s, "%s is %s again.", noun(s.ID), s.State)
	})
	return c
}
