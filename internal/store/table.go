package store

import (
	"cmp"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/sealane/sealane/internal/registry"
)

// table declares the columns that store a T. It is the only list of them: the statements
// that read and write rows, the JSON in the column body, and the backup are made from it.
type table[T any] struct {
	name    string
	row     func(*T) string // a row, as errors name it
	key     []column[T]     // finds a row; a backup is sorted by it
	columns []column[T]
	version func(*T) *int64 // counts the changes of a row; nil: rows do not change
	body    bool            // the column body stores the members that have no column, as JSON

	// long are the columns of a second table, NAME_text, which also has the body. It keeps
	// long values, which are read for few rows, apart from those that queries read of all
	// rows. A row that has none there is damaged.
	long []column[T]

	ofWhole, ofListed made[T]
}

// made is a selection that is made when it is first needed.
type made[T any] struct {
	once sync.Once
	selection[T]
}

func (m *made[T]) by(f func() selection[T]) selection[T] {
	m.once.Do(func() { m.selection = f() })
	return m.selection
}

// all returns the columns except version and body.
func (d *table[T]) all() []column[T] { return slices.Concat(d.key, d.columns, d.long) }

// encode returns the body: the row without the members that have columns.
func (d *table[T]) encode(row *T) (string, error) {
	if !d.body {
		return "", nil
	}
	rest, none := *row, new(T)
	for _, c := range d.all() {
		if c.copy != nil {
			c.copy(&rest, none)
		}
	}
	body, err := json.Marshal(rest)
	if err != nil {
		return "", fmt.Errorf("%s: %w", d.row(row), err)
	}
	return string(body), nil
}

// selection is a statement that reads rows, up to its condition, and how a row is read.
type selection[T any] struct {
	statement string
	read      func(scan) (T, error)
}

// whole selects rows with all columns.
func (d *table[T]) whole() selection[T] {
	return d.ofWhole.by(func() selection[T] { return d.selects(d.all()) })
}

// listed selects rows without their large columns.
func (d *table[T]) listed() selection[T] {
	return d.ofListed.by(func() selection[T] {
		return d.selects(slices.DeleteFunc(d.all(), func(c column[T]) bool { return c.large }))
	})
}

func (d *table[T]) selects(columns []column[T]) selection[T] {
	columns = slices.DeleteFunc(columns, func(c column[T]) bool { return c.into == nil })
	if d.version != nil { // before what may be damaged: a row that can't be read can be replaced
		columns = slices.Insert(columns, len(d.key), number("version", d.version))
	}
	var names []string
	for _, c := range columns {
		names = append(names, cmp.Or(c.from, c.name))
	}
	if d.body {
		names = append(names, "body")
	}
	from := d.name
	if len(d.long) > 0 {
		from += " LEFT JOIN " + d.name + "_text USING (" + strings.Join(namesOf(d.key), ", ") + ")"
	}
	return selection[T]{"SELECT " + strings.Join(names, ", ") + " FROM " + from, func(row scan) (T, error) {
		found, err := d.scan(row, columns)
		if err != nil {
			err = &rowError{d.row(&found), d.name, d.id(&found), d.versionOf(&found), err}
		}
		return found, err
	}}
}

// id returns what identifies a row in its table.
func (d *table[T]) id(row *T) string {
	var parts []string
	for _, value := range values(d.key, row) {
		if bytes, is := value.([]byte); is {
			value = hex.EncodeToString(bytes)
		}
		parts = append(parts, fmt.Sprint(value))
	}
	return strings.Join(parts, "/")
}

// versionOf returns the version of a row, or 0 if the table has none.
func (d *table[T]) versionOf(row *T) int64 {
	if d.version == nil {
		return 0
	}
	return *d.version(row)
}

// inOrder orders by the key.
func (d *table[T]) inOrder() string { return " ORDER BY " + strings.Join(namesOf(d.key), ", ") }

func (d *table[T]) scan(row scan, columns []column[T]) (T, error) {
	var found, rest T
	var body sql.NullString
	to := make([]any, 0, len(columns)+1)
	for _, c := range columns {
		to = append(to, c.into(&found))
	}
	if d.body {
		to = append(to, &body)
	}
	if err := row(to...); err != nil || !d.body {
		return found, err
	}
	if !body.Valid {
		return found, unfit("its body is not there")
	}
	err := json.Unmarshal([]byte(body.String), &rest)
	for _, c := range columns {
		c.copy(&rest, &found)
	}
	return rest, err
}

func namesOf[T any](columns []column[T]) []string {
	var names []string
	for _, c := range columns {
		names = append(names, c.name)
	}
	return names
}

// part is one of the tables of a declaration, with the columns that are written.
type part[T any] struct {
	name         string
	key, columns []column[T]
	version      bool
}

// parts returns the tables of a declaration. The body is the last column of the last one.
func (d *table[T]) parts(body string) []part[T] {
	parts := []part[T]{{d.name, d.key, d.columns, d.version != nil}}
	if len(d.long) > 0 {
		parts = append(parts, part[T]{d.name + "_text", d.key, d.long, false})
	}
	last := &parts[len(parts)-1]
	if d.body {
		last.columns = append(slices.Clip(last.columns), column[T]{name: "body", value: func(*T) any { return body }})
	}
	for i, p := range parts {
		parts[i].columns = slices.DeleteFunc(slices.Clone(p.columns), func(c column[T]) bool { return c.value == nil })
	}
	return parts
}

func values[T any](columns []column[T], row *T) []any {
	var all []any
	for _, c := range columns {
		all = append(all, c.value(row))
	}
	return all
}

// put stores a row. Version 0 makes a new one, another changes the row that has this
// version and increments the version.
func put[T any](t *tx, d *table[T], row *T) error {
	version := d.version(row)
	store, refusal := update[T], registry.ErrConflict
	if *version == 0 {
		store, refusal = insert[T], registry.ErrExists
	}
	done, err := store(t, d, row)
	if err == nil && !done {
		err = fmt.Errorf("%s: %w", d.row(row), refusal)
	}
	if err == nil {
		*version++
	}
	return err
}

// insert stores a new row. It reports false if there is one with this key.
func insert[T any](t *tx, d *table[T], row *T) (bool, error) {
	body, err := d.encode(row)
	if err != nil {
		return false, err
	}
	for _, p := range d.parts(body) {
		columns := slices.Concat(p.key, p.columns)
		if p.version {
			columns = append(columns, column[T]{name: "version", value: func(*T) any { return int64(1) }})
		}
		statement := insertInto(p.name, namesOf(columns)) + " ON CONFLICT DO NOTHING"
		n, err := t.exec(d.row(row), statement, values(columns, row)...)
		if err != nil || n == 0 {
			return false, err
		}
	}
	return true, nil
}

func insertInto(table string, columns []string) string {
	names := strings.Join(columns, ", ")
	return "INSERT INTO " + table + " (" + names + ") VALUES (" + placeholders(len(columns)) + ")"
}

// update changes the row with this key and version. It reports false if there is none.
func update[T any](t *tx, d *table[T], row *T) (bool, error) {
	body, err := d.encode(row)
	if err != nil {
		return false, err
	}
	for _, p := range d.parts(body) {
		var sets []string
		for _, c := range p.columns {
			value := "?"
			if c.large {
				value = "COALESCE(?, " + c.name + ")"
			}
			sets = append(sets, c.name+" = "+value)
		}
		where := d.byKey()
		args := append(values(p.columns, row), values(p.key, row)...)
		if p.version {
			sets, where = append(sets, "version = version + 1"), where+" AND version = ?"
			args = append(args, *d.version(row))
		}
		n, err := t.exec(d.row(row), "UPDATE "+p.name+" SET "+strings.Join(sets, ", ")+where, args...)
		if err != nil || n == 0 {
			return false, err
		}
	}
	return true, nil
}

// byKey is the condition that finds a row.
func (d *table[T]) byKey() string {
	var equal []string
	for _, c := range d.key {
		equal = append(equal, c.name+" = ?")
	}
	return " WHERE " + strings.Join(equal, " AND ")
}

// find returns the row that has the key of row.
func find[T any](t *tx, d *table[T], row T) (T, error) {
	return one(t, d.row(&row), d.whole(), d.byKey(), values(d.key, &row)...)
}
