// Package store keeps the registry in a database: SQLite in one file, or
// PostgreSQL. It implements [registry.Store].
//
// There is one set of statements, in SQL that both databases read; [dialect] holds
// what differs. Writers take turns in both, so a change never fails because of
// another one that has nothing to do with it.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/sealane/sealane/internal/registry"
)

var _ registry.Store = (*Store)(nil)

// Options are what a store may be told. The zero value is right for programs.
type Options struct {
	// Trace hears of each statement of a change before it runs, and of BEGIN, COMMIT,
	// COMMITTED and MIGRATED, and holds the change up until it returns. Statements
	// hold no values.
	Trace func(statement string)

	files fs.FS // the migrations; nil: those of this program
}

func (o Options) migrations() (migrations, error) {
	if o.files == nil {
		return readMigrations(embedded)
	}
	return readMigrations(o.files)
}

func (o Options) trace(statement string) {
	if o.Trace != nil {
		o.Trace(statement)
	}
}

// Store is an open database.
type Store struct {
	dialect *dialect
	name    string  // the database as errors name it; never with a password
	writer  *sql.DB // one connection: writers of this process queue here, and hear their contexts
	reader  *sql.DB
	options Options

	migrations migrations
}

// readers is how many looks at the database there may be at once.
const readers = 8

// Open opens the database and brings it to this program's version. The address
// is a path, "sqlite:PATH", or a "postgres://" URL. A file that is not there is
// made, readable for its owner alone; its folder must be there.
//
// A database that is one version newer can be used, as it is while one program
// after the other is replaced by its next version. One that is newer than that is
// refused, and if another program makes it so later, so are View and Update.
func Open(ctx context.Context, address string, o Options) (*Store, error) {
	m, err := o.migrations()
	if err != nil {
		return nil, err
	}
	return openAt(ctx, address, m.latest(), o)
}

// openAt is Open for a database that a migration to a version is enough for.
func openAt(ctx context.Context, address string, version int64, o Options) (*Store, error) {
	s, err := connect(address, o)
	if err != nil {
		return nil, fmt.Errorf("open the registry: %w", err)
	}
	if s.migrations, err = o.migrations(); err == nil {
		err = s.migrate(ctx, version)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the registry: %s: %w", s.name, err), s.Close())
	}
	return s, nil
}

// connect does not use the database yet.
func connect(address string, o Options) (s *Store, err error) {
	switch scheme, rest, found := strings.Cut(address, ":"); {
	case address == "" || address == "sqlite:":
		return nil, errors.New("its address is empty; use a path, sqlite:PATH or postgres://HOST/DATABASE")
	case found && (scheme == "postgres" || scheme == "postgresql"):
		s, err = openPostgres(address, o)
	case found && scheme == "sqlite":
		s, err = openSQLite(rest, o)
	case found && strings.HasPrefix(rest, "//"):
		return nil, fmt.Errorf("a %s: address is not known; use a path, sqlite:PATH or postgres://HOST/DATABASE", scheme)
	default:
		s, err = openSQLite(address, o)
	}
	if err != nil {
		return nil, err
	}
	s.writer.SetMaxOpenConns(1)
	s.reader.SetMaxOpenConns(readers)
	s.reader.SetMaxIdleConns(readers)
	return s, nil
}

// Close ends all looks and changes.
func (s *Store) Close() error { return errors.Join(s.reader.Close(), s.writer.Close()) }

// View gives a consistent look at everything. What changes meanwhile is not seen.
func (s *Store) View(ctx context.Context, look func(registry.Tx) error) error {
	return s.view(ctx, func(t *tx) error { return look(t) })
}

func (s *Store) view(ctx context.Context, look func(*tx) error) error {
	opened, err := s.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: s.dialect.viewIsolation})
	if err != nil {
		return s.failed(ctx, "look at the registry", err)
	}
	defer opened.Rollback()
	t := newTx(ctx, s, opened, false)
	defer t.close()
	if err := t.fits(); err != nil {
		return err
	}
	if err := look(t); err != nil {
		return err
	}
	return t.broken
}

// Update runs a transaction. Writers take turns: it waits for the others of this
// process as long as the context lets it, and for those of other programs for at
// most half a minute. It must not be called inside of itself. After an error
// of the database itself nothing more works in the transaction, and it does not
// commit, whatever change returns.
func (s *Store) Update(ctx context.Context, change func(registry.Tx) error) error {
	return s.update(ctx, func(t *tx) error { return change(t) })
}

func (s *Store) update(ctx context.Context, change func(*tx) error) error {
	s.options.trace("BEGIN")
	opened, err := s.dialect.begin(ctx, s.writer)
	if err != nil {
		return s.failed(ctx, "change the registry", err)
	}
	defer opened.Rollback() // after a panic, too
	t := newTx(ctx, s, opened, true)
	defer t.close()
	if err := t.fits(); err != nil {
		return err
	}
	if err := change(t); err != nil {
		return err
	}
	if t.broken != nil {
		return t.broken
	}
	t.close()
	s.options.trace("COMMIT")
	if err := opened.Commit(); err != nil {
		err = s.failed(ctx, "commit", err)
		if !errors.Is(err, registry.ErrConflict) {
			err = fmt.Errorf("%w; look whether the change was stored before you repeat it", err)
		}
		return err
	}
	s.options.trace("COMMITTED")
	return nil
}

// failed words an error of the database, so that it holds no value of a row, and
// so that a context's end and a lost race are told from the rest.
func (s *Store) failed(ctx context.Context, what string, err error) error {
	if ended := context.Cause(ctx); ended != nil {
		return fmt.Errorf("%s: %w", what, ended)
	}
	return &failure{fmt.Errorf("%s: %s: %w", what, s.name, s.dialect.plain(err))}
}

// failure is an error of the database.
type failure struct{ err error }

func (f *failure) Error() string        { return f.err.Error() }
func (f *failure) Unwrap() error        { return f.err }
func (f *failure) Is(target error) bool { return target == registry.ErrStore }
