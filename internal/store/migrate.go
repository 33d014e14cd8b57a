package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// The files are migrations in the order of their names: the n-th makes version n of version
// n-1. docs/architecture.md says what a migration may do.
//
//go:embed migrations/*.sql
var embedded embed.FS

// migrations make each version of the database from the one before.
type migrations []migration

// migration is what makes one version.
type migration struct {
	name       string // of its file, without the number and the suffix
	statements []string
}

func readMigrations(files fs.FS) (migrations, error) {
	names, err := fs.Glob(files, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	var all migrations
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		_, title, _ := strings.Cut(strings.TrimSuffix(path.Base(name), ".sql"), "_")
		all = append(all, migration{title, statements(string(text))})
	}
	return all, nil
}

// statements returns the statements of a file, each in one line and without comments.
func statements(text string) []string {
	var bare strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "--") {
			bare.WriteString(line)
		}
	}
	var all []string
	for statement := range strings.SplitSeq(bare.String(), ";\n") {
		if words := strings.Fields(statement); len(words) > 0 {
			all = append(all, strings.Join(words, " "))
		}
	}
	return all
}

// ErrVersion means that a program can't work with the version of a database.
var ErrVersion = errors.New("the versions of database and program do not fit")

// latest is the version that the migrations make.
func (m migrations) latest() int64 { return int64(len(m)) }

// fit refuses a version that the program cannot work with. It can work with the next one,
// which has everything that the program knows, and more. So programs can be upgraded one
// after the other.
func (m migrations) fit(version int64) error {
	if version > m.latest()+1 {
		return fmt.Errorf("%w: the database has version %d, this program knows versions up to %d and can work "+
			"with %d; use the newer program that it belongs to", ErrVersion, version, m.latest(), m.latest()+1)
	}
	return nil
}

// fitsServing refuses a database that another program has to upgrade first.
func (s *Store) fitsServing(ctx context.Context) error {
	have, err := s.version(ctx, s.watch)
	if err != nil {
		return s.dialect.plain(err)
	}
	if latest := s.migrations.latest(); have < latest {
		return fmt.Errorf("%w: the database has version %d, this program needs %d; programs that serve messages "+
			"change no schema: open the registry with another command of this version first (docs/operating.md, "+
			"Upgrading)", ErrVersion, have, latest)
	}
	return s.migrations.fit(have)
}

// migrate upgrades the database to a version, if it is older.
func (s *Store) migrate(ctx context.Context, version int64) error {
	have, err := s.version(ctx, s.writer)
	for err == nil && have < version {
		have, err = s.step(ctx, version)
	}
	if err != nil {
		return s.dialect.plain(err)
	}
	return s.migrations.fit(have)
}

// step makes the database's next version, in one transaction, and returns it. Programs that
// start at the same time take turns.
func (s *Store) step(ctx context.Context, last int64) (int64, error) {
	t, err := s.dialect.beginMigration(ctx, s)
	if err != nil {
		return 0, err
	}
	defer t.Rollback()
	have, err := s.version(ctx, t)
	if err != nil || have >= last {
		return have, err
	}
	next := have + 1
	record := fmt.Sprintf("INSERT INTO schema_version (version) VALUES (%d)", next)
	m := s.migrations[have]
	for _, statement := range append(m.statements, record) {
		statement = s.dialect.types.Replace(statement)
		s.options.trace(statement)
		if _, err := t.ExecContext(ctx, statement); err != nil {
			return 0, err
		}
	}
	if fill := filled[m.name]; fill != nil {
		if err := fill(ctx, s, t); err != nil {
			return 0, err
		}
	}
	if err := t.Commit(); err != nil {
		return 0, err
	}
	s.options.trace("MIGRATED")
	return next, nil
}

const selectVersion = "SELECT COALESCE(MAX(version), 0) FROM schema_version"

// version returns the database's version; that of a new one is 0.
func (s *Store) version(ctx context.Context, db interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}) (n int64, err error) {
	if err = db.QueryRowContext(ctx, s.dialect.countVersionTables).Scan(&n); err != nil || n == 0 {
		return 0, err
	}
	err = db.QueryRowContext(ctx, selectVersion).Scan(&n)
	return n, err
}

// version is the database's version in this transaction.
func (t *tx) version() (int64, error) {
	return one(t, "version of the database", selection[int64]{selectVersion, func(row scan) (n int64, err error) {
		err = row(&n)
		return n, err
	}}, "")
}

// fits refuses a database that another program has upgraded beyond what this one can work
// with. It is checked in each transaction, because programs run for months. Memory has no other program.
func (t *tx) fits() error {
	if t.store.options.Memory {
		return nil
	}
	version, err := t.version()
	if err != nil {
		return err
	}
	return t.store.migrations.fit(version)
}
