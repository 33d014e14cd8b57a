package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/termtext"
)

func backupRestore() *cobra.Command {
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Restore a backup into an empty database",
		Long: `Restore reads a backup into an empty database (--db), completely or not at all, and
verifies the audit log of the restored copy. It needs no token: an empty database has no
people.`,
		Example: `  sealane backup restore registry-2026-11-21.backup --db sqlite:restored.db`,
		Args:    cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		config, err := flags.config(c)
		if err != nil {
			return err
		}
		restored, err := operation.Restore(c.Context(), config, args[0])
		if err != nil {
			return err
		}
		if flags.json {
			return writeJSON(c.OutOrStdout(), restored)
		}
		return say(c, "%s is restored: %s\nIts audit record holds: %s.", args[0], backupText(restored.BackupSummary),
			termtext.Counted(int(restored.Changes), "change"))
	}
	return c
}

func backupText(sum operation.BackupSummary) string {
	return fmt.Sprintf("%s of version %d, SHA-256 %.16s…",
		termtext.Counted(int(sum.Rows), "row"), sum.Version, sum.SHA256)
}
