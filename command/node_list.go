package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func nodeList() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the nodes, with the record that is in force in each",
		Long: `List shows each node with its state, the last record of the audit log that is in force in
it, how many records it is behind, and its last report. A node that runs reports itself
every ten seconds. One that is silent has not signed off, and may still serve messages
with the lanes that it has.`,
		Args: cobra.NoArgs,
	}
	c.RunE = does(registryVerb(c), operation.ListNodes, nothing, writeNodes)
	return c
}

func writeNodes(c *cobra.Command, list operation.NodeList) error {
	warnDamaged(c, list.Damaged)
	if len(list.Nodes) == 0 {
		return say(c, "No node has reported itself.")
	}
	t := newTable("NODE", "STATE", "RECORD", "BEHIND", "REPORTED", "STARTED")
	for _, n := range list.Nodes {
		row := t.add(n.Name, n.State, n.Record, n.Behind, n.Reported, n.Started)
		row.detail("ended", timeText(n.Ended))
		row.detail("uses stored until", timeText(n.Counted))
		if n.State == operation.NodeSilent {
			row.detail("may serve messages until", timeText(n.Serves))
		}
		if !n.Shared.IsZero() {
			text := fmt.Sprintf("last at %s; each needs its own", timeText(n.Shared))
			row.detail("two processes had this name", text)
		}
	}
	return t.write(c.OutOrStdout())
}
