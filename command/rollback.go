package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func newRollback() *cobra.Command {
	var in operation.RollbackTo
	c := &cobra.Command{
		Use:   "rollback IDENTITY",
		Short: "Use the key before the active one again",
		Long: `Rollback ends the use of the successor in a renewal, and uses the key before it again.
The successor is staged: it still opens or verifies, and can be activated again.

A partner's certificate goes back until the mail that confirms the new one is planned. A
key pair of yours goes back as long as the partner holds both certificates. After that
the partner may have ended the old key: ask, and record who said what (--said).`,
		Example: `  sealane rollback n-4w7jr2kq5d --reason "answers can't be opened, INC-0815"`,
		Args:    cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	asksWhy(c)
	f := c.Flags()
	f.StringVar(&in.Word, "said", "", "what the partner has said: who, how, and the words")
	f.StringVar(&in.Partner, "partner", "", "with whom, for a key pair that all partners of a profile share")
	input := func(_ *cobra.Command, args []string) (operation.RollbackTo, error) {
		in.ID = args[0]
		return in, nil
	}
	c.RunE = does(flags, operation.Rollback, input, func(c *cobra.Command, n operation.ShownRenewal) error {
		return writeRenewalStep(c, n, "Renewal %s is rolled back: %s is used again, and %s still counts.", n.ID,
			n.Replaces, n.Successor)
	})
	return c
}
