package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func backupMake() *cobra.Command {
	c := &cobra.Command{Use: "make FILE", Short: "Write a backup into a new file", Args: cobra.ExactArgs(1)}
	flags := registryVerb(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		input := func(_ *cobra.Command, args []string) (operation.BackupFile, error) {
			return operation.BackupFile{File: args[0]}, nil
		}
		return does(flags, operation.MakeBackup, input, func(c *cobra.Command, sum operation.BackupSummary) error {
			return say(c, "%s is written and was read back: %s", args[0], backupText(sum))
		})(c, args)
	}
	return c
}
