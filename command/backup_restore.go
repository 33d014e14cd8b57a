package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

func backupRestore(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Restore a backup into an empty database",
		Long: `Restore reads a backup into an empty database (--db), completely or not at all, and
verifies the audit log of the restored copy. It needs no token: an empty database has no
people.`,
		Example: `  sealane backup restore registry-2026-11-21.backup --db sqlite:restored.db`,
		Args:    cobra.ExactArgs(1),
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		sum, err := store.Restore(c.Context(), flags.database(), args[0], store.Options{})
		if err != nil {
			return err
		}
		r, done, err := flags.open(c, false)
		if err != nil {
			return err
		}
		defer done()
		var report audit.Report
		err = r.Store.View(c.Context(), func(tx registry.Tx) error {
			report, err = audit.Verify(c.Context(), tx, nil)
			return err
		})
		if err != nil {
			return err
		}
		if !report.Holds {
			err := fmt.Errorf("the backup is restored as it is, but its audit record does not hold: %s", report)
			return refused(err)
		}
		return flags.say(c, sum, "%s is restored: %s\nIts audit record holds: %d changes.",
			args[0], backupText(sum), report.Records)
	}
	return c
}

func backupText(sum store.Summary) string {
	return fmt.Sprintf("%d rows of version %d, SHA-256 %.16s…", sum.Rows, sum.Version, sum.SHA256)
}
