package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

// Programs that start at the same moment on a new database all come up.
func TestManyMigrateAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		var starts sync.WaitGroup
		for i := range 4 {
			starts.Go(func() {
				s, err := store.Open(t.Context(), address, store.Options{})
				if err != nil {
					t.Errorf("start %d: %v", i, err)
					return
				}
				if err := s.View(t.Context(), func(tx registry.Tx) error { _, err := tx.People(); return err }); err != nil {
					t.Errorf("start %d: %v", i, err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		starts.Wait()
	})
}

func TestNewerDatabaseIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		update(t, open(t, address), func(tx registry.Tx) error { return agreement(tx, "acme", "PROD") })
		applied := "1"
		if strings.HasPrefix(address, "postgres") {
			applied = "true"
		}
		db := raw(t, address)
		if _, err := db.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9042, "+applied+")"); err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(t.Context(), address, store.Options{})
		if err == nil {
			s.Close()
			t.Fatal("it was opened")
		}
		for _, want := range []string{"9042", "up to 1", "newer program"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the error says no %q: %v", want, err)
			}
		}
	})
}

func TestFilesAreForTheirOwnerAlone(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "a b?c#d%41.db") // all of it is the file's name
	s := open(t, path)
	update(t, s, func(tx registry.Tx) error { return agreement(tx, "acme", "PROD") })
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 3 {
		t.Errorf("files %v, want the database and its -wal and -shm", files)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(f.Name(), filepath.Base(path)) || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", f.Name(), info.Mode())
		}
	}
}

func TestAddressesThatAreNone(t *testing.T) {
	for address, want := range map[string]string{
		"":                           "empty",
		"sqlite:":                    "empty",
		"mysql://u:hunter2@h/d":      "mysql: address is not known",
		"postgres://u:hunter2@h:x/d": "not well formed",
		"postgres://u:hunter2@127.0.0.1:1/d?connect_timeout=5": "database d at 127.0.0.1",
		filepath.Join(t.TempDir(), "no", "such", "folder.db"):  "no such",
	} {
		s, err := store.Open(t.Context(), address, store.Options{})
		if err == nil {
			s.Close()
			t.Errorf("%q was opened", address)
			continue
		}
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", address, err)
		}
	}
}
