package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func backupCheck() *cobra.Command {
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Read a backup to its end, and say what is in it",
		Args:  cobra.ExactArgs(1),
	}
	asJSON := c.Flags().Bool("json", false, "write JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		sum, err := operation.CheckBackup(c.Context(), args[0])
		if err != nil {
			return err
		}
		if *asJSON {
			return writeJSON(c.OutOrStdout(), sum)
		}
		return say(c, "%s is whole: %s", args[0], backupText(sum))
	}
	return c
}
