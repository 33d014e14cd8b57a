package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"github.com/sealane/sealane/internal/registry"
)

// patience is how long a change waits for writers of other programs.
const patience = 30 * time.Second

func (o Options) waits() time.Duration { return cmp.Or(o.patience, patience) }

// busyFor is the error of a change that has waited in vain.
func (o Options) busyFor(who string) error {
	return fmt.Errorf("%s has been writing for more than %v; try again when it is done", who, o.waits())
}

func sqliteDialect() *dialect {
	return &dialect{
		prepare: true,
		types:   strings.NewReplacer(),
		plain:   plainSQLite,

		countVersionTables: "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'schema_version'",

		begin:          beginSQLite,
		beginMigration: beginSQLite,
		beginUses:      beginSQLite, // a file has one writer at a time
		afterRestore:   checkSQLite,
	}
}

func openSQLite(path string, o Options) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if o.Memory {
		return openSQLitePools(path, o, "&vfs=memdb"), nil
	}
	if readOnly(path) {
		return openSQLiteCopy(path, o)
	}
	// SQLite creates its -wal and -shm files with the mode of this one.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	if err := checkWriters(path); err != nil {
		return nil, err
	}
	return openSQLitePools(path, o, ""), nil
}

// openSQLitePools opens a database that may be changed. more are further parameters of its name.
func openSQLitePools(path string, o Options, more string) *Store {
	s := &Store{dialect: sqliteDialect(), name: path, options: o}
	common := []string{"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"}
	s.writer = sql.OpenDB(connector(sqliteName(path, append(common, "cache_size(-65536)")...) + more))
	for _, pool := range []**sql.DB{&s.reader, &s.watch} {
		*pool = sql.OpenDB(connector(sqliteName(path, append(common, "query_only(1)")...) + more))
	}
	return s
}

// readOnly reports whether nobody may change a file, such as an auditor's copy of a registry.
func readOnly(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o222 == 0
}

// openSQLiteCopy opens a file that nobody may change. SQLite makes no files next to it.
func openSQLiteCopy(path string, o Options) (*Store, error) {
	// Changes that SQLite has not moved into the file yet are next to it.
	if wal, err := os.Stat(path + "-wal"); err == nil && wal.Size() > 0 {
		return nil, fmt.Errorf("%s is read-only, and changes that belong to it are in %[1]s-wal: copy it when no "+
			"program uses the registry, or restore a backup", path)
	}
	s := &Store{dialect: sqliteDialect(), name: path + " (read-only)", options: o}
	name := sqliteName(path, "query_only(1)") + "&mode=ro&immutable=1"
	for _, pool := range []**sql.DB{&s.writer, &s.reader, &s.watch} {
		*pool = sql.OpenDB(connector(name))
	}
	return s, nil
}

// sqliteName returns the name for the driver.
func sqliteName(path string, pragmas ...string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/…
	}
	query := url.Values{"_busy_timeout": {"1000"}, "_dqs": {"0"}, "_pragma": pragmas}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + query.Encode()
}

// beginSQLite waits in short intervals, because SQLite does not stop waiting when the
// context ends.
func beginSQLite(ctx context.Context, s *Store) (*sql.Tx, error) {
	for end := time.Now().Add(s.options.waits()); ; {
		t, err := s.writer.BeginTx(ctx, nil)
		if err == nil || !busy(err) || ctx.Err() != nil {
			return t, err
		}
		if time.Now().After(end) {
			return nil, s.options.busyFor("another program")
		}
	}
}

func busy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code()&0xff == codes.SQLITE_BUSY || e.Code()&0xff == codes.SQLITE_LOCKED)
}

// plainSQLite wraps the errors of [registry]. SQLite's own texts name tables and
// columns, but no values.
func plainSQLite(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() {
	case codes.SQLITE_CONSTRAINT_FOREIGNKEY:
		return fmt.Errorf("what it belongs to (a partner, an environment): %w", registry.ErrNotFound)
	case codes.SQLITE_CONSTRAINT_UNIQUE, codes.SQLITE_CONSTRAINT_PRIMARYKEY:
		return fmt.Errorf("%w (%w)", registry.ErrExists, err)
	case codes.SQLITE_BUSY_SNAPSHOT:
		return fmt.Errorf("%w (%w)", registry.ErrConflict, err)
	}
	return err
}
