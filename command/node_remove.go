package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func nodeRemove() *cobra.Command {
	c := &cobra.Command{
		Use:   "remove NODE",
		Short: "Forget a node that is gone for good",
		Long: `Remove takes a node out of the list that has ended, or is silent and will not come back.
How often it has used each key stays known. A process of that name that still runs
reports itself again.`,
		Example: `  sealane node remove gateway-3 --reason "its machine is gone, CHG-4711"`,
		Args:    cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	asksWhy(c)
	input := func(_ *cobra.Command, args []string) (operation.NodeName, error) {
		return operation.NodeName{Node: args[0]}, nil
	}
	c.RunE = does(flags, operation.RemoveNode, input, func(c *cobra.Command, n operation.NodeName) error {
		return say(c, "Node %s is forgotten.", printable(n.Node))
	})
	return c
}
