package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func newRevoke() *cobra.Command {
	c := &cobra.Command{
		Use:        "revoke IDENTITY",
		Short:      "End the use of a compromised key at once, and block it",
		SuggestFor: []string{"compromised", "compromise", "block"},
		Long: `Revoke ends the use of a partner's certificate, or of a key pair of yours, at once and
without an overlap, and blocks its public key permanently. Tell the partner.`,
		Example: `  sealane revoke k-5n3w2p7r4t --reason "the key was in a public repository"`,
		Args:    cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	asksWhy(c)
	c.RunE = does(flags, operation.Revoke, identity, func(c *cobra.Command, s operation.Step) error {
		return writeStep(c, s, "%s is out of use, and its key is blocked.", noun(s.ID))
	})
	return c
}
