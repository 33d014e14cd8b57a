package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
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
		lost:          lostPostgres,
		notify:        "SELECT pg_notify('" + channel + "', '')",

		countVersionTables: "SELECT COUNT(*) FROM pg_catalog.pg_class WHERE oid = to_regclass('schema_version')",

		begin:          beginPostgres,
		beginMigration: beginPostgresMigration,
		beginUses:      beginPostgresUses,
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
		config.RuntimeParams["application_name"] = programName()
	}
	config.DialFunc = (&net.Dialer{KeepAliveConfig: keepAlive, Control: limitSilence}).DialContext
	s := &Store{dialect: postgresDialect(), options: o}
	if config.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		s.dialect.listen = func(ctx context.Context, wake func()) error { return listenPostgres(ctx, config, wake) }
	}
	s.name = fmt.Sprintf("database %s at %s", config.Database, config.Host)
	s.writer, s.reader, s.watch = stdlib.OpenDB(*config), stdlib.OpenDB(*config), stdlib.OpenDB(*config)
	return s, nil
}

// channel is the name by which listeners are told of new records.
const channel = "sealane_audit"

// listenPostgres listens on a connection of its own. An address with a default_query_exec_mode goes
// through a pooler, which passes no notifications on; there nobody listens.
func listenPostgres(ctx context.Context, config *pgx.ConnConfig, wake func()) error {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
		wake()
	}
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
	case "42501": // insufficient privilege
		return fmt.Errorf("%w; the role that Sealane connects as lacks a right: docs/operating.md says which role "+
			"has which, and the owner of the tables brings them to a new version", said)
	case "25P03": // idle in transaction session timeout
		return fmt.Errorf("%w; the program stood still in the middle of a change, which is undone", said)
	}
	return said
}
