package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// A file's name begins with the version that it makes, four digits.
//
//go:embed migrations/*.sql
var migrations embed.FS

// latest is the version that this program knows.
func latest() int64 {
	names, _ := fs.Glob(migrations, "migrations/*.sql")
	return versionOf(names[len(names)-1])
}

func versionOf(name string) int64 {
	n, err := strconv.ParseInt(strings.TrimPrefix(name, "migrations/")[:4], 10, 64)
	if err != nil {
		panic("store: the migration " + name + " has no version")
	}
	return n
}

// migrate brings a database to a version, under a lock that its caller or the
// options take. Each version is a transaction.
func (s *Store) migrate(ctx context.Context, db *sql.DB, version int64, options ...goose.ProviderOption) error {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	var steps []*goose.Migration
	for _, name := range names {
		text, err := migrations.ReadFile(name)
		if err != nil {
			return err
		}
		steps = append(steps, goose.NewGoMigration(versionOf(name), &goose.GoFunc{
			RunTx: func(ctx context.Context, t *sql.Tx) error { return s.step(ctx, t, string(text)) },
		}, nil))
	}
	options = append(options, goose.WithGoMigrations(steps...), goose.WithDisableGlobalRegistry(true))
	provider, err := goose.NewProvider(s.dialect.goose, db, nil, options...)
	if err != nil {
		return err
	}
	for _, step := range steps {
		if step.Version > version {
			break
		}
		done, err := provider.UpTo(ctx, step.Version)
		if err != nil {
			return err
		}
		if len(done) > 0 {
			s.options.trace("MIGRATED")
		}
	}
	return nil
}

func (s *Store) step(ctx context.Context, t *sql.Tx, text string) error {
	var bare strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "--") {
			bare.WriteString(line)
		}
	}
	for statement := range strings.SplitSeq(bare.String(), ";\n") {
		statement = s.dialect.types.Replace(strings.Join(strings.Fields(statement), " "))
		if statement == "" {
			continue
		}
		s.options.trace(statement)
		if _, err := t.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// version gives the database's version; of a new one it is 0.
func version(ctx context.Context, db *sql.DB, tables string) (int64, error) {
	var n int64
	if err := db.QueryRowContext(ctx, tables).Scan(&n); err != nil || n == 0 {
		return 0, err
	}
	err := db.QueryRowContext(ctx, "SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version").Scan(&n)
	return n, err
}

// current reports whether nothing is to be done, and refuses a database that
// this program is too old for.
func current(ctx context.Context, db *sql.DB, tables string, want int64) (bool, error) {
	have, err := version(ctx, db, tables)
	if err != nil {
		return false, err
	}
	if known := latest(); have > known {
		return false, fmt.Errorf("the database has version %d, this program knows versions up to %d; use the newer program that it belongs to", have, known)
	}
	return have >= want, nil
}

func migratePostgres(ctx context.Context, s *Store, want int64) error {
	const tables = "SELECT COUNT(*) FROM pg_catalog.pg_class WHERE oid = to_regclass('goose_db_version')"
	if done, err := current(ctx, s.writer, tables, want); done || err != nil {
		return s.plainly(err)
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return err
	}
	if err := s.migrate(ctx, s.writer, want, goose.WithSessionLocker(locker)); err != nil {
		return s.plainly(err)
	}
	// Another program may have brought it further meanwhile.
	_, err = current(ctx, s.writer, tables, want)
	return s.plainly(err)
}

func (s *Store) plainly(err error) error {
	if err == nil {
		return nil
	}
	return s.dialect.plain(err)
}

// migrateSQLite migrates under SQLite's exclusive lock. It is tried again while
// another program has the database open: that may be another start of this one,
// which is about to migrate it.
func migrateSQLite(ctx context.Context, s *Store, path string, want int64) error {
	for end := time.Now().Add(patience); ; {
		done, err := tryMigrateSQLite(ctx, s, path, want)
		if done || err != nil && !busy(err) {
			return s.plainly(err)
		}
		if time.Now().After(end) {
			return errors.New("another program has the database open, so it can't be brought to this program's version; stop that first")
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Duration(5+rand.IntN(100)) * time.Millisecond):
		}
	}
}

func tryMigrateSQLite(ctx context.Context, s *Store, path string, want int64) (done bool, err error) {
	const tables = "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'goose_db_version'"
	look, err := sql.Open("sqlite", sqliteName(path))
	if err != nil {
		return false, err
	}
	done, err = current(ctx, look, tables, want)
	if err := errors.Join(err, look.Close()); done || err != nil {
		return done, err
	}

	// Of two that want the lock, each may keep the other from it: they give up at
	// different times.
	wait := fmt.Sprintf("busy_timeout(%d)", rand.IntN(400))
	db, err := sql.Open("sqlite", sqliteName(path, wait, "locking_mode(EXCLUSIVE)", "synchronous(FULL)"))
	if err != nil {
		return false, err
	}
	db.SetMaxOpenConns(1) // closing it gives the lock back
	defer db.Close()
	for _, statement := range []string{"BEGIN EXCLUSIVE", "COMMIT", "PRAGMA journal_mode = WAL"} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return false, err
		}
	}
	if done, err = current(ctx, db, tables, want); done || err != nil {
		return done, err
	}
	return false, s.migrate(ctx, db, want)
}
