// Package store stores the registry in a database: SQLite in one file, or
// PostgreSQL. It implements [registry.Store].
//
// Each table is declared once ([table]): which columns it has, and which member of
// a row each stores. The statements, the JSON of the members that have no column,
// and the backup are made from the declaration. There is one set of statements, in
// SQL that both databases read; [dialect] holds what differs.
//
// Writers take turns in both databases, so a change never fails because of an
// unrelated one. The schema has a version ([Open]); the files in migrations make
// each version from the one before.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sealane/sealane/internal/registry"
)

var _ registry.Store = (*Store)(nil)

// Options configure a store. The zero value is right for programs.
type Options struct {
	// Trace is called with each statement of a change before it runs, and with BEGIN,
	// COMMIT, COMMITTED and MIGRATED. The change waits until it returns. Statements
	// hold no values.
	Trace func(statement string)

	// Memory keeps the database of a path in memory, until it is closed: tests use it where they need
	// many. Readers and writers wait for each other. It has no effect on PostgreSQL.
	Memory bool

	files fs.FS // the migrations; nil: those of this program

	patience time.Duration // 0: see the constant
	idle     time.Duration // 0: see maxIdle
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
	writer  *sql.DB // one connection: writers of this process wait for it, or for the end of their context
	reader  *sql.DB
	watch   *sql.DB // one connection, for the version and the lanes; see ReadLanes
	options Options

	migrations migrations
}

// readers is how many transactions may read at once.
const readers = 8

// Open opens the database and brings it to this program's version. The address
// is a path, "sqlite:PATH", or a "postgres://" URL. If there is no such file, Open
// creates it, readable by its owner only; its folder must exist.
//
// Open accepts a database that is one version newer than the program, so that
// programs can be replaced one after the other. It refuses one that is newer than
// that; if another program makes it so later, View and Update refuse it.
func Open(ctx context.Context, address string, o Options) (*Store, error) {
	m, err := o.migrations()
	if err != nil {
		return nil, err
	}
	return openAt(ctx, address, m.latest(), o)
}

// OpenServing is like Open for a program that serves messages: it never changes the schema, and makes
// no database. The error is ErrVersion if the database is older than the program, or too new.
func OpenServing(ctx context.Context, address string, o Options) (*Store, error) {
	s, err := connect(address, o)
	if err != nil {
		return nil, fmt.Errorf("open the registry: %w", err)
	}
	if s.migrations, err = o.migrations(); err == nil {
		err = s.fitsServing(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the registry: %s: %w", s.name, err), s.Close())
	}
	return s, nil
}

// openAt is like Open, but migrates only to a version.
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

// File returns the path of an address if it is that of a file.
func File(address string) (path string, file bool) {
	path, named := strings.CutPrefix(address, "sqlite:")
	scheme, _, found := strings.Cut(path, ":")
	return path, named || !found || strings.ContainsAny(scheme, `/\.`) || len(scheme) == 1
}

// Place returns a text that identifies the database of an address: without its user and password,
// and without options of the connection.
func Place(address string) string {
	if path, file := File(address); file {
		if full, err := filepath.Abs(path); err == nil {
			path = full
		}
		return path
	}
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return address
	}
	return "postgres://" + net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port))) + "/" + config.Database
}

// connect does not access the database yet.
func connect(address string, o Options) (s *Store, err error) {
	switch scheme, rest, found := strings.Cut(address, ":"); {
	case address == "" || address == "sqlite:":
		return nil, errors.New("its address is empty; use a path, sqlite:PATH or postgres://HOST/DATABASE")
	case found && (scheme == "postgres" || scheme == "postgresql"):
		s, err = openPostgres(address, o)
	case found && scheme == "sqlite":
		s, err = openSQLite(rest, o)
	case found && strings.HasPrefix(rest, "//"):
		return nil, fmt.Errorf("a %s: address is not known; use a path, sqlite:PATH or postgres://HOST/DATABASE",
			scheme)
	default:
		s, err = openSQLite(address, o)
	}
	if err != nil {
		return nil, err
	}
	s.writer.SetMaxOpenConns(1)
	s.reader.SetMaxOpenConns(readers)
	s.reader.SetMaxIdleConns(readers)
	s.watch.SetMaxOpenConns(1)
	return s, nil
}

// Close closes the database.
func (s *Store) Close() error {
	return errors.Join(s.reader.Close(), s.watch.Close(), s.writer.Close())
}

// View calls read with a transaction that reads the database as it is at one moment.
func (s *Store) View(ctx context.Context, read func(registry.Reader) error) error {
	return s.view(ctx, s.reader, func(t *tx) error { return read(t) })
}

func (s *Store) view(ctx context.Context, pool *sql.DB, read func(*tx) error) error {
	opened, err := s.begin(ctx, pool, &sql.TxOptions{ReadOnly: true, Isolation: s.dialect.viewIsolation})
	if err != nil {
		return s.failed(ctx, "read the registry", err)
	}
	defer opened.Rollback()
	t := newTx(ctx, s, opened, false)
	defer t.close()
	if err := t.fits(); err != nil {
		return err
	}
	if err := read(t); err != nil {
		return err
	}
	return t.broken
}

// begin begins a transaction. A connection that the server has ended meanwhile, such as by its
// restart, is noticed only when it is used; each of the pool is passed over.
func (s *Store) begin(ctx context.Context, pool *sql.DB, o *sql.TxOptions) (t *sql.Tx, err error) {
	for range readers + 1 {
		if t, err = pool.BeginTx(ctx, o); err == nil || s.dialect.lost == nil || !s.dialect.lost(err) {
			break
		}
	}
	return t, err
}

// Update calls change with a transaction, and commits it if change returns nil.
// Writers take turns: Update waits for those of this process until the context
// ends, and for those of other programs for half a minute. It must not be called
// by change. After an error of the database, each further call in the transaction
// fails, and it is not committed, whatever change returns.
func (s *Store) Update(ctx context.Context, change func(registry.Tx) error) error {
	return s.update(ctx, func(t *tx) error { return change(t) })
}

func (s *Store) update(ctx context.Context, change func(*tx) error) error {
	return s.commit(ctx, s.dialect.begin, change)
}

// commit calls change with a transaction that begin has begun, and commits it.
func (s *Store) commit(
	ctx context.Context, begin func(context.Context, *Store) (*sql.Tx, error), change func(*tx) error,
) error {
	s.options.trace("BEGIN")
	opened, err := begin(ctx, s)
	if err != nil {
		return s.failed(ctx, "change the registry", err)
	}
	defer opened.Rollback() // also after a panic
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
			err = fmt.Errorf("%w; %w", err, registry.ErrUncertain)
		}
		return err
	}
	s.options.trace("COMMITTED")
	return nil
}

// failed returns an error of the database without values of rows. The end of a
// context is returned as its cause.
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
