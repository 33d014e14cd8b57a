package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"github.com/sealane/sealane/internal/registry"
)

// patience is how long a change waits for other programs that write.
const patience = 30 * time.Second

var errBusy = fmt.Errorf("another program has been writing for more than %v; try again when it is done", patience)

func sqliteDialect() *dialect {
	return &dialect{
		goose:        goose.DialectSQLite3,
		hints:        true,
		prepare:      true,
		types:        strings.NewReplacer(),
		begin:        beginSQLite,
		plain:        plainSQLite,
		afterRestore: checkSQLite,
	}
}

func openSQLite(ctx context.Context, path string, version int64, o Options) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open the registry %s: %w", path, err)
	}
	// SQLite gives its -wal and -shm files the mode of this one.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the registry: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("open the registry: %w", err)
	}
	s := &Store{dialect: sqliteDialect(), name: path, options: o}
	if err := migrateSQLite(ctx, s, path, version); err != nil {
		return nil, fmt.Errorf("open the registry %s: %w", path, err)
	}
	common := []string{"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"}
	s.writer, err = sql.Open("sqlite", sqliteName(path, append(common, "cache_size(-65536)")...))
	if err == nil {
		s.reader, err = sql.Open("sqlite", sqliteName(path, append(common, "query_only(1)")...))
	}
	if err != nil {
		return nil, fmt.Errorf("open the registry %s: %w", path, err)
	}
	s.writer.SetMaxOpenConns(1)
	s.reader.SetMaxOpenConns(readers)
	s.reader.SetMaxIdleConns(readers)
	return s, nil
}

// sqliteName is what the driver opens. Transactions that are not read-only begin
// by taking the write lock: one that took it later could find that what it read
// is out of date.
func sqliteName(path string, pragmas ...string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/…
	}
	query := url.Values{"_txlock": {"immediate"}, "_busy_timeout": {"1000"}, "_dqs": {"0"}, "_pragma": pragmas}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + query.Encode()
}

// beginSQLite waits in short turns, because SQLite's own waiting does not hear
// that the context has ended.
func beginSQLite(ctx context.Context, db *sql.DB) (*sql.Tx, error) {
	for end := time.Now().Add(patience); ; {
		t, err := db.BeginTx(ctx, nil)
		if err == nil || !busy(err) || ctx.Err() != nil {
			return t, err
		}
		if time.Now().After(end) {
			return nil, errBusy
		}
	}
}

func busy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code()&0xff == codes.SQLITE_BUSY || e.Code()&0xff == codes.SQLITE_LOCKED)
}

// plainSQLite: SQLite's texts name tables and columns, and no values.
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
