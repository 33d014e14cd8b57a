package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/termtext"
)

func newRevoke() *cobra.Command {
	c := &cobra.Command{
		Use:        "revoke IDENTITY",
		Short:      "End the use of a compromised key at once, and block it",
		SuggestFor: []string{"compromised", "compromise", "block"},
		Long: `Revoke ends the use of a partner's certificate, or of a key pair of yours, at once and
without an overlap, and blocks its public key permanently. Tell the partner.

If its renewal has a successor that the partner surely accepts, that one is used from
then on. Revoke names the nodes that may not know of it yet, and the uses of the key.`,
		Example: `  sealane revoke k-5n3w2p7r4t --reason "the key was in a public repository"`,
		Args:    cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	asksWhy(c)
	c.RunE = does(flags, operation.Revoke, identity, func(c *cobra.Command, r operation.Revoked) error {
		if r.Successor != "" {
			if err := say(c, "%s is used in its place from now on.", noun(r.Successor)); err != nil {
				return err
			}
		}
		for _, node := range r.Nodes {
			if err := say(c, "! Node %s may still accept it: see sealane node list.", node); err != nil {
				return err
			}
		}
		for _, u := range r.Uses {
			if err := say(c, "Used on node %s, %s, from %s to %s.", u.Node, termtext.Counted(int(u.Count), "time"),
				timeText(u.First), timeText(u.Last)); err != nil {
				return err
			}
		}
		return writeStep(c, r.Step, "%s is out of use, and its key is blocked.", noun(r.ID))
	})
	return c
}
