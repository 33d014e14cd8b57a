package command

import (
	"github.com/spf13/cobra"
)

func newBackup() *cobra.Command {
	c := &cobra.Command{
		Use:   "backup",
		Short: "Back up the registry, check a backup, restore one",
		Long: `A backup is one file for either database: one of SQLite can be restored into PostgreSQL,
and the other way round. Private keys are in it as they are in the registry: encrypted
under the root key, which is NOT in it. Keep the root key apart.`,
	}
	c.AddCommand(backupMake(), backupCheck(), backupRestore())
	return c
}
