package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

// Programs of two versions that start at the same moment on a new database all succeed.
func TestManyMigrateAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		var starts sync.WaitGroup
		for i := range 4 {
			starts.Go(func() {
				s, err := store.Open(t.Context(), address, []store.Options{{}, newer}[i%2])
				if err != nil {
					t.Errorf("start %d: %v", i, err)
					return
				}
				err = s.View(t.Context(), func(tx registry.Reader) error { _, err := tx.People(); return err })
				if err != nil {
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

// next is the migration of a program that is one version newer: all that a migration may do.
const next = `
ALTER TABLE certificate ADD COLUMN remark TEXT NOT NULL DEFAULT 'none';
ALTER TABLE certificate_text ADD COLUMN proof BLOB;
CREATE TABLE remark (id TEXT NOT NULL PRIMARY KEY REFERENCES certificate (id), said TEXT NOT NULL);
CREATE INDEX certificate_remark ON certificate (remark, id);
`

var newer = store.Options{}.WithMigration(next)

func openWith(t *testing.T, address string, o store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), address, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// A program continues while the next one changes the schema, and starts on the changed one.
// Columns that it does not know are not changed.
func TestProgramsRunOnASchemaThatIsOneNewer(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		running := open(t, address)
		update(t, running, beforeChange)
		view(t, running, func(tx registry.Reader) error {
			openWith(t, address, newer)
			_, err := tx.Environment("acme", "PROD")
			return err
		})
		db := raw(t, address)
		const change = "UPDATE certificate SET remark = 'said by the newer program'"
		if _, err := db.ExecContext(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		update(t, running, everyChange)
		started := open(t, address)
		var old registry.Certificate
		update(t, started, func(tx registry.Tx) (err error) {
			old, err = tx.Certificate("old")
			old.Provenance.Change = "CHG3"
			return all(err, tx.PutCertificate(&old))
		})
		if old.State != registry.Retired {
			t.Errorf("the certificate is %s, not as the running program left it", old.State)
		}
		for id, want := range map[string]string{"old": "said by the newer program", "new": "none"} {
			var got string
			err := db.QueryRowContext(t.Context(), "SELECT remark FROM certificate WHERE id = '"+id+"'").Scan(&got)
			if err != nil || got != want {
				t.Errorf("certificate %s: remark %q, %v, want %q", id, got, err, want)
			}
		}
		view(t, openWith(t, address, newer), func(tx registry.Reader) error {
			_, err := tx.Certificate("new")
			return err
		})
	})
}

// A database that is more than one version newer is refused: at the start, and by a program
// that was running when it was upgraded.
func TestNewerDatabaseIsRefused(t *testing.T) {
	for _, version := range []int64{store.Latest() + 2, 9042} {
		onBoth(t, func(t *testing.T, address string) {
			running := open(t, address)
			update(t, running, func(tx registry.Tx) error { return agreement(tx, "acme", "PROD") })
			insert := fmt.Sprintf("INSERT INTO schema_version (version) VALUES (%d)", version)
			if _, err := raw(t, address).ExecContext(t.Context(), insert); err != nil {
				t.Fatal(err)
			}
			s, err := store.Open(t.Context(), address, store.Options{})
			if err == nil {
				s.Close()
			}
			called := errors.New("it was called")
			look := func(registry.Reader) error { t.Error(called); return nil }
			change := func(registry.Tx) error { t.Error(called); return nil }
			for what, err := range map[string]error{
				"open": err, "view": running.View(t.Context(), look),
				"update": running.Update(t.Context(), change),
				"backup": running.Backup(t.Context(), filepath.Join(t.TempDir(), "backup")),
			} {
				known := fmt.Sprint("up to ", store.Latest())
				for _, want := range []string{fmt.Sprint(version), known, "newer program"} {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("%s: the error does not say %q: %v", what, want, err)
					}
				}
			}
		})
	}
}

// A backup has everything that the database has, or there is none.
func TestNoBackupOfWhatIsNotKnown(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s := open(t, address)
		openWith(t, address, newer)
		path := filepath.Join(t.TempDir(), "backup")
		if err := s.Backup(t.Context(), path); err == nil || !strings.Contains(err.Error(), "newer program") {
			t.Errorf("the error is %v", err)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a file was left: %v", err)
		}
	})
}

// A backup of an older program is restored and migrated; without the migration, its rows
// would lack changes.
func TestOlderBackup(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		source := open(t, databases[0].address(t))
		update(t, source, beforeChange)
		path := filepath.Join(t.TempDir(), "backup")
		if err := source.Backup(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		migrated := "sqlite:" + filepath.Join(t.TempDir(), "migrated.db")
		openWith(t, migrated, newer)
		_, err := store.Restore(t.Context(), migrated, path, newer)
		if err == nil || !strings.Contains(err.Error(), "new database") {
			t.Errorf("restored into a newer schema: %v", err)
		}
		sum, err := store.Restore(t.Context(), address, path, newer)
		if err != nil || sum.Version != store.Latest() {
			t.Fatalf("%+v, %v", sum, err)
		}
		var remark string
		const find = "SELECT remark FROM certificate WHERE id = 'old'"
		err = raw(t, address).QueryRowContext(t.Context(), find).Scan(&remark)
		if err != nil || remark != "none" {
			t.Errorf("remark %q, %v", remark, err)
		}
	})
}

// additive are the statements that a program of the version before does not notice.
var additive = regexp.MustCompile(`^(CREATE TABLE \w+ |CREATE INDEX |` +
	`ALTER TABLE \w+ ADD COLUMN \w+ (TEXT|BLOB|BIGINT)( NOT NULL DEFAULT ('[^']*'|-?\d+))?$)`)

// created finds the table of a unique index.
var created = regexp.MustCompile(`^CREATE UNIQUE INDEX \w+ ON (\w+) `)

func TestMigrationsAreAdditive(t *testing.T) {
	check := func(text string) error {
		for statement := range strings.SplitSeq(text, ";\n") {
			var words []string
			for line := range strings.Lines(statement) {
				if !strings.HasPrefix(line, "--") {
					words = append(words, strings.Fields(line)...)
				}
			}
			s := strings.Join(words, " ")
			if made := created.FindStringSubmatch(s); made != nil { // nobody knows the table yet
				made := made[1]
				s = strings.ReplaceAll(s, "UNIQUE INDEX", "INDEX")
				if !strings.Contains(text, "CREATE TABLE "+made+" ") {
					return errors.New(s)
				}
			}
			if s != "" && !additive.MatchString(s) {
				return errors.New(s)
			}
		}
		return nil
	}
	names, err := filepath.Glob("migrations/*.sql")
	if err != nil || int64(len(names)) != store.Latest() {
		t.Fatalf("%d migrations make version %d, %v", len(names), store.Latest(), err)
	}
	for i, name := range names {
		if want := fmt.Sprintf("%04d_", i+1); !strings.HasPrefix(filepath.Base(name), want) {
			t.Errorf("the name of %s does not begin with %s", name, want)
		}
		if err := check(string(read(t, name))); i > 0 && err != nil {
			t.Errorf("%s: programs of version %d, which run meanwhile, can't go on after: %v", name, i, err)
		}
	}
	if err := check(next); err != nil {
		t.Errorf("it is additive: %v", err)
	}
	for _, breaks := range []string{
		"ALTER TABLE person ADD COLUMN n TEXT NOT NULL;\n", "ALTER TABLE person DROP COLUMN body;\n",
		"DROP TABLE person;\n",
		"ALTER TABLE person ADD COLUMN n TEXT UNIQUE;\n", "CREATE UNIQUE INDEX i ON person (body);\n",
		"ALTER TABLE person RENAME COLUMN body TO rest;\n", "UPDATE person SET body = '{}';\n",
	} {
		if check(breaks) == nil {
			t.Errorf("it is not additive: %s", breaks)
		}
	}
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
