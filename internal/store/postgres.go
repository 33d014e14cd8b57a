package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sealane/sealane/internal/registry"
)

func postgresDialect() *dialect {
	return &dialect{
		viewIsolation: sql.LevelRepeatableRead,
		numbered:      true,
		types:         strings.NewReplacer("BLOB", "BYTEA", "TEXT", `TEXT COLLATE "C"`),
		plain:         plainPostgres,

		countVersionTables: "SELECT COUNT(*) FROM pg_catalog.pg_class WHERE oid = to_regclass('schema_version')",

		begin:          beginPostgres,
		beginMigration: beginPostgresMigration,
		afterRestore:   analyzePostgres,
	}
}

func openPostgres(address string, o Options) (*Store, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		// The parser's error may contain the address, and with it a password.
		return nil, errors.New("its postgres:// address is not well formed; " +
			"it looks like postgres://USER@HOST:PORT/DATABASE?sslmode=verify-full")
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "sealane"
	}
	s := &Store{dialect: postgresDialect(), options: o}
	s.name = fmt.Sprintf("database %s at %s", config.Database, config.Host)
	s.writer, s.reader = stdlib.OpenDB(*config), stdlib.OpenDB(*config)
	return s, nil
}

// beginPostgres makes writers take turns. Otherwise two unrelated changes would both append
// to the audit log, and one of them would fail. The lock is taken before the first
// statement that reads, so that its result is not older than the lock. The table has no
// rows, so autovacuum never locks it.
func beginPostgres(ctx context.Context, db *sql.DB) (*sql.Tx, error) {
	return beginLocked(ctx, db, sql.LevelSerializable, "LOCK TABLE writer IN EXCLUSIVE MODE")
}

// beginPostgresMigration makes programs that start at the same time take turns, and other
// writers wait. The number is that of Sealane's migrations: a new database has no table to lock.
func beginPostgresMigration(ctx context.Context, db *sql.DB) (*sql.Tx, error) {
	return beginLocked(ctx, db, sql.LevelReadCommitted, `SELECT pg_advisory_xact_lock(7325203);
		DO $$ BEGIN
			IF to_regclass('writer') IS NOT NULL THEN LOCK TABLE writer IN EXCLUSIVE MODE; END IF;
		END $$`)
}

// beginLocked begins a transaction with a lock, for which it waits no longer than [patience].
func beginLocked(ctx context.Context, db *sql.DB, level sql.IsolationLevel, lock string) (*sql.Tx, error) {
	t, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: level})
	if err != nil {
		return nil, err
	}
	// Without arguments, pgx sends all statements at once.
	both := fmt.Sprintf("SET LOCAL lock_timeout = %d; %s", patience.Milliseconds(), lock)
	if _, err := t.ExecContext(ctx, both); err != nil {
		t.Rollback()
		return nil, err
	}
	return t, nil
}

// plainPostgres leaves out the detail of a server's error, which contains values.
func plainPostgres(err error) error {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return err
	}
	said := fmt.Errorf("PostgreSQL says %s (SQLSTATE %s)", e.Message, e.Code)
	switch e.Code {
	case "40001", "40P01": // serialization failure, deadlock
		return fmt.Errorf("%w (%w)", registry.ErrConflict, said)
	case "23505": // unique
		return fmt.Errorf("%w (%w)", registry.ErrExists, said)
	case "23503": // foreign key
		return fmt.Errorf("what it belongs to (a partner, an environment): %w", registry.ErrNotFound)
	case "55P03": // lock not available
		return errBusy
	case "42501": // insufficient privilege
		return fmt.Errorf("%w; the role that Sealane connects as must own the database's tables", said)
	}
	return said
}
