package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Restore fills a new or empty database from a backup: with all of it or, after an
// error, with nothing. It compares the checksum first; at the end it reads the
// database and compares that with the backup. The caller must verify the chain of
// the audit log.
func Restore(ctx context.Context, address, path string, o Options) (sum Summary, err error) {
	sum, err = CheckBackup(ctx, path)
	if err != nil {
		return Summary{}, err
	}
	m, err := o.migrations()
	if err != nil {
		return Summary{}, err
	}
	if sum.Version > m.latest() {
		return Summary{}, fmt.Errorf("backup %s: it has version %d, this program knows versions up to %d; "+
			"use the newer program that it belongs to", path, sum.Version, m.latest())
	}
	s, err := openAt(ctx, address, sum.Version, o)
	if err != nil {
		return Summary{}, err
	}
	if err := s.restore(ctx, path, sum); err != nil {
		return Summary{}, errors.Join(fmt.Errorf("restore: %w", err), s.Close())
	}
	err = s.dialect.afterRestore(ctx, s.writer)
	if err := errors.Join(err, s.Close()); err != nil {
		return Summary{}, fmt.Errorf("restore: check %s: %w", s.name, err)
	}
	// Open migrates the data of an older backup.
	s, err = Open(ctx, address, o)
	if err != nil {
		return Summary{}, err
	}
	return sum, s.Close()
}

func (s *Store) restore(ctx context.Context, path string, want Summary) error {
	return s.update(ctx, func(t *tx) error {
		version, err := t.version()
		if err != nil {
			return err
		}
		if version != want.Version {
			return fmt.Errorf("%s has version %d, the backup has version %d, which no migration would follow; "+
				"restore into a new database", s.name, version, want.Version)
		}
		load := loading{t: t}
		got, err := readBackup(ctx, path, &load)
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("backup %s: it was changed while it was read", path)
		}
		again := dump{sum: sha256.New()}
		if err := again.all(t, got.Version, load.tables); err != nil {
			return err
		}
		if again.rows != want.Rows || again.content != want.SHA256 {
			return fmt.Errorf("what %s stored is not what the backup has (%d rows, %d in the backup); "+
				"nothing was kept", s.name, again.rows, want.Rows)
		}
		return nil
	})
}

func (t *tx) empty(table string) error {
	rows, err := texts(t, "table "+table, "SELECT 'there is one' FROM "+table+" LIMIT 1")
	if err == nil && len(rows) > 0 {
		err = fmt.Errorf("%s is not empty: its table %s has rows; restore into a new database", t.store.name, table)
	}
	return err
}

// loading puts a backup's rows into tables. It is a [receiver].
type loading struct {
	t      *tx
	tables []backupTable

	columns []backupColumn // of the last table
	insert  string
}

func (l *loading) table(table backupTable) error {
	if !slices.ContainsFunc(backedUp(), func(known backupTable) bool { return known.Table == table.Table }) {
		return fmt.Errorf("the registry has no table %s", table.Table)
	}
	if err := l.t.empty(table.Table); err != nil {
		return err
	}
	l.tables = append(l.tables, table)
	l.columns, l.insert = table.columns(), insertInto(table.Table, table.names())
	return nil
}

func (l *loading) row(line []byte) error {
	var values []json.RawMessage
	if json.Unmarshal(line, &values) != nil {
		return errors.New("this is not a row")
	}
	if len(l.tables) == 0 {
		return errors.New("a row is before the first table")
	}
	if len(values) != len(l.columns) {
		return errors.New("a row has not as many values as its table has columns")
	}
	args := make([]any, len(values))
	for i, v := range values {
		var err error
		if args[i], err = l.columns[i].decode(v); err != nil {
			return fmt.Errorf("value %d of a row is not of its column's kind", i+1)
		}
	}
	_, err := l.t.exec("table "+l.tables[len(l.tables)-1].Table, l.insert, args...)
	return err
}

// checkSQLite detects damage of the file itself.
func checkSQLite(ctx context.Context, db *sql.DB) error {
	var said string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&said); err != nil {
		return err
	}
	if said != "ok" {
		return errors.New("SQLite found the file damaged: " + said)
	}
	return nil
}

// analyzePostgres makes the statistics by which the server chooses indexes.
func analyzePostgres(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, "ANALYZE")
	return err
}
