package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/internal/store"
)

func newBackup() *cobra.Command {
	c := &cobra.Command{
		Use: "backup", Short: "Back up the registry, check a backup, restore one",
		Long: `A backup is one file for either database: SQLite's can be restored into PostgreSQL and
the other way round. Private keys are in it as they are in the registry: sealed under
the root key, which is NOT in it. Keep that one apart.`,
	}
	o := officeFlags(c)
	c.AddCommand(backupMake(o), backupCheck(o), backupRestore(o))
	return c
}

func backupMake(o *office) *cobra.Command {
	c := &cobra.Command{Use: "make FILE", Short: "Write a backup into a new file", Args: cobra.ExactArgs(1)}
	c.RunE = o.atDesk(false, func(c *cobra.Command, d *registry.Desk, args []string) error {
		s, ok := d.Store.(*store.Store)
		if !ok {
			return fmt.Errorf("a %T can't be backed up", d.Store)
		}
		// Recorded before, so that the backup holds its own record.
		err := d.Change(c.Context(), registry.Entry{Action: "backup", Subject: "backup/" + filepath.Base(args[0]), Reason: o.reason},
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
		return o.said(c, sum, "%s is written and was read back: %s", args[0], backupText(sum))
	})
	return c
}

func backupCheck(o *office) *cobra.Command {
	return &cobra.Command{
		Use: "check FILE", Short: "Read a backup to its end and say what is in it", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			sum, err := store.CheckBackup(c.Context(), args[0])
			if err != nil {
				return asRefused(err)
			}
			return o.said(c, sum, "%s is whole: %s", args[0], backupText(sum))
		},
	}
}

func backupRestore(o *office) *cobra.Command {
	c := &cobra.Command{
		Use: "restore FILE", Short: "Restore a backup into an empty database", Args: cobra.ExactArgs(1),
		Long: `Restore reads a backup into an empty database (--db), all of it or nothing, and verifies
the audit record of the restored copy. Nobody's token is needed: there is nobody yet.`,
		Example: `  sealane backup restore registry-2026-11-21.backup --db sqlite:restored.db`,
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		address := orEnvironment(o.db, "SEALANE_DB", "sqlite:sealane.db")
		sum, err := store.Restore(c.Context(), address, args[0], store.Options{})
		if err != nil {
			return err
		}
		r, done, err := o.open(c, false)
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
		return o.said(c, sum, "%s is restored: %s\nIts audit record holds: %d changes.", args[0], backupText(sum), report.Records)
	}
	return c
}

func newRootKey() *cobra.Command {
	c := &cobra.Command{
		Use: "rootkey", Short: "The key under which the registry keeps private keys",
		Long: `Private keys in the registry are sealed (AES-256-GCM) under a root key, which is never in
the database: it comes from a file (file:PATH), an environment variable (env:NAME), or
a passphrase (passphrase:NAME, the variable that holds it). Without it private keys
are lost: keep a copy in a safe place, apart from the backups.`,
	}
	o := officeFlags(c)
	c.AddCommand(rootKeyCreate(o), rootKeyRotate(o))
	return c
}

func rootKeyCreate(o *office) *cobra.Command {
	return &cobra.Command{
		Use: "create FILE", Short: "Make a root key in a new file", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			key, err := rootkey.Create(args[0])
			if err != nil {
				return err
			}
			return o.said(c, map[string]string{"file": args[0], "root_key": key.ID()}, "%s holds root key %s. To use it: --root-key file:%s\nKeep a copy in a safe place: without it the registry's private keys are lost.", args[0], key.ID(), absolute(args[0]))
		},
	}
}

func rootKeyRotate(o *office) *cobra.Command {
	var to string
	c := &cobra.Command{
		Use: "rotate", Short: "Seal all private keys under another root key", Args: cobra.NoArgs,
		Long: `Rotate seals every private key of the registry under the root key named by --to. It may
be killed and run again at any time, with the same keys. From the end on only the new
one is needed.`,
		Example: `  sealane rootkey create new.rootkey
  sealane rootkey rotate --root-key file:sealane.rootkey --to file:new.rootkey --reason "yearly"`,
	}
	c.Flags().StringVar(&to, "to", "", "the new root key (required)")
	must(c.MarkFlagRequired("to"))
	c.RunE = o.atDesk(false, func(c *cobra.Command, d *registry.Desk, _ []string) error {
		if err := o.setRoot(c, d); err != nil {
			if key := rotatedTo(c, d, to); key != nil {
				return o.rotated(c, key, 0)
			}
			return &exit{exitFailed, err}
		}
		next, parameters, err := loadRoot(c, d.Registry, to, true)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w; %s", err, howToMakeRoot)
		}
		if err != nil {
			return &exit{exitFailed, err}
		}
		n, err := d.RotateRoot(c.Context(), next, parameters, o.reason)
		if err != nil {
			return err
		}
		return o.rotated(c, next, n)
	})
	return c
}

// rotatedTo gives the key that spec names, if it is the registry's own already: a
// rotation may be killed behind its last step, when nobody has heard of its end.
func rotatedTo(c *cobra.Command, d *registry.Desk, spec string) *rootkey.Key {
	key, _, err := loadRoot(c, d.Registry, spec, false)
	if err != nil || d.UseRoot(c.Context(), key) != nil {
		return nil
	}
	return key
}

func (o *office) rotated(c *cobra.Command, key *rootkey.Key, n int) error {
	return o.said(c, map[string]any{"root_key": key.ID(), "private_keys": n}, "All private keys are under root key %s now; %d of them were not before. The old one is not needed any more, but for old backups.", key.ID(), n)
}

func backupText(sum store.Summary) string {
	return fmt.Sprintf("%d rows of version %d, SHA-256 %.16s…", sum.Rows, sum.Version, sum.SHA256)
}
