package command

import (
	"github.com/spf13/cobra"
)

func newLane() *cobra.Command {
	c := &cobra.Command{Use: "lane", Short: "Lanes as folders, for programs without a registry"}
	c.AddCommand(laneExport())
	return c
}
