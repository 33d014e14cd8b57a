package main

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
		Use: "backup", Short: "Back up the registry, check a backup, restore one",
		Long: `A backup is one file for either database: SQLite's can be restored into PostgreSQL and
the other way round. Private keys are in it as they are in the registry: sealed under
the root key, which is NOT in it. Keep that one apart.`,
	}
	flags := addRegistryFlags(c)
	c.AddCommand(backupMake(flags), backupCheck(flags), backupRestore(flags))
	return c
}

func backupMake(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{Use: "make FILE", Short: "Write a backup into a new file", Args: cobra.ExactArgs(1)}
	c.RunE = flags.withSession(func(c *cobra.Command, d *registry.Session, args []string) error {
		s, ok := d.Store.(*store.Store)
		if !ok {
			return fmt.Errorf("a %T can't be backed up", d.Store)
		}
		// Recorded before, so that the backup holds its own record.
		err := d.Change(c.Context(), registry.Entry{Action: "backup", Subject: "backup/" + filepath.Base(args[0]), Reason: flags.reason},
			func(registry.Tx, *registry.Entry) error { return nil })
		if err != nil {
			return err
		}
		if err := s.Backup(c.Context(), args[0]); err != nil {
			return err
		}
		sum, err := store.CheckBackup(c.Context(), args[0])
		if err != nil {
			return err
		}
		return flags.said(c, sum, "%s is written and was read back: %s", args[0], backupText(sum))
	})
	return c
}

func backupCheck(flags *registryFlags) *cobra.Command {
	return &cobra.Command{
		Use: "check FILE", Short: "Read a backup to its end and say what is in it", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			sum, err := store.CheckBackup(c.Context(), args[0])
			if err != nil {
				return asRefused(err)
			}
			return flags.said(c, sum, "%s is whole: %s", args[0], backupText(sum))
		},
	}
}

func backupRestore(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use: "restore FILE", Short: "Restore a backup into an empty database", Args: cobra.ExactArgs(1),
		Long: `Restore reads a backup into an empty database (--db), all of it or nothing, and verifies
the audit record of the restored copy. Nobody's token is needed: there is nobody yet.`,
		Example: `  sealane backup restore registry-2026-11-21.backup --db sqlite:restored.db`,
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		address := orEnvironment(flags.db, "SEALANE_DB", "sqlite:sealane.db")
		sum, err := store.Restore(c.Context(), address, args[0], store.Options{})
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
			return refused(fmt.Errorf("the backup is restored as it is, but its audit record does not hold: %s", report))
		}
		return flags.said(c, sum, "%s is restored: %s\nIts audit record holds: %d changes.", args[0], backupText(sum), report.Records)
	}
	return c
}

func backupText(sum store.Summary) string {
	return fmt.Sprintf("%d rows of version %d, SHA-256 %.16s…", sum.Rows, sum.Version, sum.SHA256)
}
