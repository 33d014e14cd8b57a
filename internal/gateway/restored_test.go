package gateway_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

// backup notes the state of the registry, and returns a function that restores it, as an administrator does, with so
// many records after it.
func (s *served) backup() (restore func(records int)) {
	s.t.Helper()
	driver := "sqlite"
	if s.proxy != nil {
		driver = "pgx"
	}
	db, err := sql.Open(driver, s.path)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { db.Close() })
	does := func(statement string, args ...any) {
		s.t.Helper()
		if _, err := db.ExecContext(s.t.Context(), statement, args...); err != nil {
			s.t.Fatal(err)
		}
	}
	more := func(records int) {
		for range records {
			s.update(func(registry.Tx) error { return nil })
		}
	}
	if s.proxy != nil {
		version, err := s.Store.Version(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		return func(records int) {
			back := s.away()
			s.update(func(tx registry.Tx) error {
				key, err := tx.APIKey("a-acme")
				if err != nil {
					return err
				}
				key.Revoked = time.Time{}
				return tx.PutAPIKey(&key)
			})
			does("DELETE FROM audit WHERE seq > $1", version.Seq)
			more(records)
			back()
		}
	}
	copied := filepath.Join(s.t.TempDir(), "backup.db")
	does("VACUUM INTO ?", copied)
	return func(records int) {
		open := func(path string) {
			var err error
			if s.Store, err = store.Open(s.t.Context(), path, store.Options{}); err != nil {
				s.t.Fatal(err)
			}
			s.t.Cleanup(func() { s.Store.Close() })
		}
		open(copied)
		more(records)
		if err := s.Store.Close(); err != nil {
			s.t.Fatal(err)
		}
		for _, name := range []string{"-wal", "-shm"} {
			if err := os.Remove(s.path + name); err != nil {
				s.t.Fatal(err)
			}
		}
		if err := os.Rename(copied, s.path); err != nil {
			s.t.Fatal(err)
		}
		open(s.path)
	}
}

// TestRestoredDatabase: when a backup is restored, a gateway that runs reads all, also where the log has become as
// long as before, or longer; and it follows the changes that come then. A file is replaced by another.
func TestRestoredDatabase(t *testing.T) {
	for _, records := range []int{0, 1, 5} {
		t.Run(fmt.Sprintf("%d records", records), func(t *testing.T) {
			servedOnBoth(t, func(t *testing.T, s *served) {
				n := s.start(t, ", node: n", 0)
				restore := s.backup()
				s.revoke()
				n.asked.read(t)
				if status := n.evaluate(t); status != 401 {
					t.Fatalf("a revoked key: %d", status)
				}
				restore(records)
				n.log.wait(t, "the database was restored, or is another one", 1)
				n.asked.read(t)
				if status := n.evaluate(t); status != 200 {
					t.Errorf("a key that is not revoked in the backup: %d", status)
				}
				s.revoke()
				n.asked.read(t)
				if status := n.evaluate(t); status != 401 {
					t.Errorf("a key that was revoked again: %d", status)
				}
				log := n.logged()
				if !strings.Contains(log, `"level":"WARN","msg":"all lanes were read again"`) {
					t.Error(log)
				}
				s.wantUsed("k-acme in n 1, k-acme out n 1", "k-acme")
			})
		})
	}
}
