package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/registry"
)

var _ registry.Tx = (*tx)(nil)

// errEnough ends rows for a receiver that wants no more.
var errEnough = errors.New("enough")

// tx is one transaction. It is for one goroutine.
type tx struct {
	ctx    context.Context
	store  *Store
	sql    *sql.Tx
	writes bool

	prepared  map[string]*sql.Stmt
	streaming bool        // rows are being given to somebody; PostgreSQL can't answer anything else meanwhile
	broken    error       // the first error of the database
	head      *audit.Head // of the log, once it was read
}

func (t *tx) close() {
	for _, s := range t.prepared {
		s.Close()
	}
	t.prepared = nil
}

// ready says whether a statement may run. What PostgreSQL could not store or
// answer is refused for SQLite, too.
func (t *tx) ready(args []any) error {
	if t.broken != nil {
		return t.broken
	}
	if t.streaming {
		return errors.New("store: the transaction is giving rows to a function; that can't use the transaction")
	}
	for _, a := range args {
		if s, ok := a.(string); ok && (!utf8.ValidString(s) || strings.ContainsRune(s, 0)) {
			return errors.New("store: a text is not UTF-8, or has a NUL in it")
		}
	}
	return nil
}

// fail notes an error of the database: PostgreSQL takes no more statements after
// one, so neither does SQLite.
func (t *tx) fail(what string, err error) error {
	t.broken = t.store.failed(t.ctx, what, err)
	return t.broken
}

func (t *tx) statement(written string) (*sql.Stmt, error) {
	if s, ok := t.prepared[written]; ok {
		return s, nil
	}
	s, err := t.sql.PrepareContext(t.ctx, written)
	if err != nil {
		return nil, err
	}
	if t.prepared == nil {
		t.prepared = map[string]*sql.Stmt{}
	}
	t.prepared[written] = s
	return s, nil
}

// exec runs a change and says how many rows it touched.
func (t *tx) exec(what, written string, args ...any) (int64, error) {
	if !t.writes {
		return 0, fmt.Errorf("store: %s: this is a look at the registry, which changes nothing", what)
	}
	if err := t.ready(args); err != nil {
		return 0, err
	}
	t.store.options.trace(written)
	var result sql.Result
	var err error
	if t.store.dialect.prepare {
		var s *sql.Stmt
		if s, err = t.statement(written); err == nil {
			result, err = s.ExecContext(t.ctx, args...)
		}
	} else {
		result, err = t.sql.ExecContext(t.ctx, t.store.dialect.statement(written), args...)
	}
	if err != nil {
		return 0, t.fail(what, err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, t.fail(what, err)
	}
	return n, nil
}

// rows gives every row to each, which scans it, until that gives an error.
func (t *tx) rows(what, written string, args []any, each func(scan) error) error {
	if err := t.ready(args); err != nil {
		return err
	}
	if t.writes {
		t.store.options.trace(written)
	}
	var rows *sql.Rows
	var err error
	if t.store.dialect.prepare {
		var s *sql.Stmt
		if s, err = t.statement(written); err == nil {
			rows, err = s.QueryContext(t.ctx, args...)
		}
	} else {
		rows, err = t.sql.QueryContext(t.ctx, t.store.dialect.statement(written), args...)
	}
	if err != nil {
		return t.fail(what, err)
	}
	t.streaming = true
	defer func() {
		rows.Close()
		t.streaming = false
	}()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return t.fail(what, err)
	}
	return nil
}

type scan func(to ...any) error

// list collects what read makes of each row.
func list[T any](t *tx, what string, read func(scan) (T, error), written string, args ...any) ([]T, error) {
	var all []T
	err := t.rows(what, written, args, func(row scan) error {
		one, err := read(row)
		if err != nil {
			return t.unreadable(what, err)
		}
		all = append(all, one)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// one is list, of what is there once or not at all.
func one[T any](t *tx, what string, read func(scan) (T, error), written string, args ...any) (T, error) {
	all, err := list(t, what, read, written, args...)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%s: %w", what, registry.ErrNotFound)
	}
	if err != nil {
		var none T
		return none, err
	}
	return all[0], nil
}

// rowError says which row of many it is that can't be read.
type rowError struct {
	row string
	err error
}

func (e *rowError) Error() string { return e.row + ": " + e.err.Error() }
func (e *rowError) Unwrap() error { return e.err }

func ofRow(row string, err error) error {
	if err == nil || row == "" {
		return err
	}
	return &rowError{row, err}
}

// unreadable leaves out what the reader says, which may quote the row.
func (t *tx) unreadable(what string, err error) error {
	var row *rowError
	if errors.As(err, &row) {
		what, err = what+", "+row.row, row.err
	}
	if t.ctx.Err() != nil {
		return t.fail(what, err)
	}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("%s: the stored row is damaged: no JSON at byte %d", what, syntax.Offset)
	case errors.As(err, &kind):
		return fmt.Errorf("%s: the stored row is damaged: its %s is not what it should be", what, kind.Field)
	}
	return fmt.Errorf("%s: the stored row is damaged: a %T", what, err)
}

// inserted and updated say what became of a Put, by the rows it touched.
func inserted(what string, n int64, err error) error {
	if err == nil && n == 0 {
		err = fmt.Errorf("%s: %w", what, registry.ErrExists)
	}
	return err
}

func updated(what string, n int64, err error) error {
	if err == nil && n == 0 {
		err = fmt.Errorf("%s: %w", what, registry.ErrConflict)
	}
	return err
}

// body is the JSON of a row's rest.
func body(what string, rest any) (string, error) {
	text, err := json.Marshal(rest)
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	return string(text), nil
}

// null is for texts of which NULL says that there is none, so that they may be
// missing more than once.
func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func nullBytes(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// blob is for columns that are never NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// bytesInto scans bytes; none are nil.
type bytesInto struct{ to *[]byte }

func (b bytesInto) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*b.to = nil
	case []byte:
		*b.to = append([]byte(nil), v...)
	case string:
		*b.to = append([]byte(nil), v...)
	default:
		return fmt.Errorf("%T is not bytes", value)
	}
	return nil
}
