package command

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

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
