package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/store"
)

func backupCheck(flags *registryFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Read a backup to its end, and say what is in it",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			sum, err := store.CheckBackup(c.Context(), args[0])
			if err != nil {
				return asRefused(err)
			}
			return flags.say(c, sum, "%s is whole: %s", args[0], backupText(sum))
		},
	}
}
