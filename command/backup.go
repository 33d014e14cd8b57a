package command

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

func newBackup() *cobra.Command {
	c := &cobra.Command{
		Use:   "backup",
		Short: "Back up the registry, check a backup, restore one",
		Long: `A backup is one file for either database: one of SQLite can be restored into PostgreSQL,
and the other way round. Private keys are in it as they are in the registry: encrypted
under the root key, which is NOT in it. Keep the root key apart.`,
	}
	flags := addRegistryFlags(c)
	c.AddCommand(backupMake(flags), backupCheck(flags), backupRestore(flags))
	return c
}

func backupMake(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{Use: "make FILE", Short: "Write a backup into a new file", Args: cobra.ExactArgs(1)}
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		db, ok := s.Registry.Store.(*store.Store)
		if !ok {
			return fmt.Errorf("a %T can't be backed up", s.Registry.Store)
		}
		// Recorded before, so that the backup has its own record.
		e := registry.Entry{Action: registry.ActionBackup, Subject: "backup/" + filepath.Base(args[0])}
		if err := s.Change(c.Context(), e, func(registry.Tx, *registry.Entry) error { return nil }); err != nil {
			return err
		}
		if err := db.Backup(c.Context(), args[0]); err != nil {
			return err
		}
		sum, err := store.CheckBackup(c.Context(), args[0])
		if err != nil {
			return err
		}
		return flags.say(c, sum, "%s is written and was read back: %s", args[0], backupText(sum))
	})
	return c
}

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
