package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/registry"
)

var _ registry.Tx = (*tx)(nil)

// errEnough ends a query when the caller wants no more rows.
var errEnough = errors.New("enough")

// tx is one transaction. It is for one goroutine.
type tx struct {
	ctx    context.Context
	store  *Store
	sql    *sql.Tx
	writes bool

	prepared  map[string]*sql.Stmt
	streaming bool        // rows are being read; PostgreSQL cannot answer anything else during that time
	broken    error       // the first error of the database
	head      *audit.Head // of the log, once it was read
}

func newTx(ctx context.Context, s *Store, opened *sql.Tx, writes bool) *tx {
	return &tx{ctx: ctx, store: s, sql: opened, writes: writes, prepared: map[string]*sql.Stmt{}}
}

func (t *tx) close() {
	for _, s := range t.prepared {
		s.Close()
	}
	clear(t.prepared)
}

// ready returns an error if a statement can't run. What PostgreSQL could not store
// or answer is refused for SQLite too.
func (t *tx) ready(args []any) error {
	if t.broken != nil {
		return t.broken
	}
	if t.streaming {
		return errors.New("store: a function that takes the rows of a transaction can't use the transaction")
	}
	for _, a := range args {
		if s, ok := a.(string); ok && (!utf8.ValidString(s) || strings.ContainsRune(s, 0)) {
			return errors.New("store: a text is not UTF-8, or contains NUL")
		}
	}
	return nil
}

// fail notes an error of the database. PostgreSQL takes no more statements after
// one, so the same is done for SQLite.
func (t *tx) fail(what string, err error) error {
	t.broken = t.store.failed(t.ctx, what, err)
	return t.broken
}

// statement is what runs one: prepared, or with the text.
type statement interface {
	ExecContext(context.Context, ...any) (sql.Result, error)
	QueryContext(context.Context, ...any) (*sql.Rows, error)
}

// unprepared leaves it to the driver to keep what it prepares.
type unprepared struct {
	sql  *sql.Tx
	text string
}

func (u unprepared) ExecContext(ctx context.Context, args ...any) (sql.Result, error) {
	return u.sql.ExecContext(ctx, u.text, args...)
}

func (u unprepared) QueryContext(ctx context.Context, args ...any) (*sql.Rows, error) {
	return u.sql.QueryContext(ctx, u.text, args...)
}

func (t *tx) statement(written string) (statement, error) {
	if !t.store.dialect.prepare {
		return unprepared{t.sql, t.store.dialect.statement(written)}, nil
	}
	if s, ok := t.prepared[written]; ok {
		return s, nil
	}
	s, err := t.sql.PrepareContext(t.ctx, written)
	if err != nil {
		return nil, err
	}
	t.prepared[written] = s
	return s, nil
}

// exec runs a change and returns how many rows it changed.
func (t *tx) exec(what, written string, args ...any) (int64, error) {
	if !t.writes {
		return 0, fmt.Errorf("store: %s: this transaction only reads, and changes nothing", what)
	}
	if err := t.ready(args); err != nil {
		return 0, err
	}
	t.store.options.trace(written)
	n, err := t.run(written, args)
	if err != nil {
		return 0, t.fail(what, err)
	}
	return n, nil
}

// Attempt uses a savepoint.
func (t *tx) Attempt(f func() error) error {
	const what = "savepoint"
	if _, err := t.exec(what, "SAVEPOINT attempt"); err != nil {
		return err
	}
	head := t.head
	err := f()
	if err == nil {
		_, err = t.exec(what, "RELEASE SAVEPOINT attempt")
		return err
	}
	t.head = head
	if _, failed := t.exec(what, "ROLLBACK TO SAVEPOINT attempt"); failed != nil {
		return errors.Join(err, failed)
	}
	return err
}

func (t *tx) run(written string, args []any) (int64, error) {
	s, err := t.statement(written)
	if err != nil {
		return 0, err
	}
	result, err := s.ExecContext(t.ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// rows calls each with every row, to scan it, until each returns an error.
func (t *tx) rows(what, written string, args []any, each func(scan) error) error {
	if err := t.ready(args); err != nil {
		return err
	}
	if t.writes {
		t.store.options.trace(written)
	}
	rows, err := t.query(written, args)
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

func (t *tx) query(written string, args []any) (*sql.Rows, error) {
	s, err := t.statement(written)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(t.ctx, args...)
}

type scan func(to ...any) error

// list returns the rows that a selection finds under a condition. Where some can't be read, the
// error is registry.DamagedRows, and the others are returned with it.
func list[T any](t *tx, what string, from selection[T], condition string, args ...any) ([]T, error) {
	return listUpTo(t, 0, what, from, condition, args...)
}

// listUpTo is list for about as many rows as most. Rows that are large are not copied again and again.
func listUpTo[T any](
	t *tx, most int, what string, from selection[T], condition string, args ...any,
) ([]T, error) {
	all := make([]T, 0, most)
	var damaged registry.DamagedRows
	for row, err := range stream(t, what, from.statement+condition, from.read, args...) {
		if one, is := errors.AsType[*registry.DamagedRow](err); is {
			damaged = append(damaged, one)
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	if damaged != nil {
		return all, damaged
	}
	return all, nil
}

// one is list for a row that is there once or not at all.
func one[T any](t *tx, what string, from selection[T], condition string, args ...any) (T, error) {
	all, err := list(t, what, from, condition, args...)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%s: %w", what, registry.ErrNotFound)
	}
	if err != nil {
		var none T
		return none, err
	}
	return all[0], nil
}

// texts returns the texts that a statement finds.
func texts(t *tx, what, statement string, args ...any) ([]string, error) {
	read := func(row scan) (text string, err error) {
		err = row(&text)
		return text, err
	}
	return list(t, what, selection[string]{statement, read}, "", args...)
}

// rowError is the error of one row among many.
type rowError struct {
	row, table, id string
	version        int64 // 0: it is not known
	err            error
}

func (e *rowError) Error() string { return e.row + ": " + e.err.Error() }
func (e *rowError) Unwrap() error { return e.err }

// scanned is how database/sql names the column that it could not scan.
var scanned = regexp.MustCompile(`sql: Scan error on column index \d+, name "(\w+)"`)

// unreadable returns the error of a row that can't be read, without the text of err, which may
// quote the row.
func (t *tx) unreadable(what string, err error) error {
	if t.ctx.Err() != nil {
		return t.fail(what, err)
	}
	damaged := &registry.DamagedRow{Row: what, Why: "its body can't be read"}
	if row, is := errors.AsType[*rowError](err); is {
		damaged.Row, damaged.Table, damaged.ID, damaged.Version = row.row, row.table, row.id, row.version
	}
	if column := scanned.FindStringSubmatch(err.Error()); column != nil {
		damaged.Why = fmt.Sprintf("its %s can't be read", column[1])
	}
	if why, is := errors.AsType[unfit](err); is {
		damaged.Why = string(why)
	}
	if column, is := errors.AsType[unlike](err); is {
		damaged.Why, damaged.Readable = column.Error(), true
	}
	if syntax, is := errors.AsType[*json.SyntaxError](err); is {
		damaged.Why = fmt.Sprintf("no JSON at byte %d", syntax.Offset)
	}
	if kind, is := errors.AsType[*json.UnmarshalTypeError](err); is {
		damaged.Why = fmt.Sprintf("its %s is of another type", kind.Field)
	}
	return damaged
}
