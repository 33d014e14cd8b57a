package command

import (
	"github.com/spf13/cobra"
)

func newNode() *cobra.Command {
	c := &cobra.Command{
		Use:   "node",
		Short: "The processes that serve messages with the registry's lanes",
		Long: `Each gateway reports itself in the registry by a name (registry.node in its file): which
record of the audit log is in force in it, and, at its end, that it has ended.`,
	}
	c.AddCommand(nodeList(), nodeRemove())
	return c
}
