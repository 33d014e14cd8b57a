package store

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/sealane/sealane/internal/newfile"
)

// A backup is the same for both databases, so that a registry can be moved from one
// to the other. It consists of lines of JSON: the first says what it is; a line with
// the name and the columns of a table comes before the table's rows, which are lists
// of values; the last has the SHA-256 of all lines before it. Private keys are sealed
// in it, as they are in the database.
type (
	backupStart struct {
		Backup  string `json:"backup"` // backupKind
		Version int64  `json:"version"`
	}
	backupTable struct {
		Table   string   `json:"table"`
		Columns []string `json:"columns"` // NAME, NAME:bytes for base64, or NAME:bytes? for base64 or null
		Order   string   `json:"order"`   // the first columns, by which rows are sorted
	}
	backupEnd struct {
		Rows   int64  `json:"rows"`
		SHA256 string `json:"sha256"`
	}
)

const backupKind = "sealane registry"

// backedUp are the tables of a backup, in an order in which rows refer only to earlier ones. Nodes are
// not in it: programs that are restored elsewhere report themselves there.
func backedUp() []backupTable {
	return slices.Concat(partnerTable.backup(), environmentTable.backup(), apiKeyTable.backup(), useTable.backup(),
		keyPairTable.backup(), offerTable.backup(), certificateTable.backup(), blockedTable.backup(),
		renewalTable.backup(), requestTable.backup(), personTable.backup(), settingTable.backup(),
		auditTable.backup(), keyUseTable.backup())
}

// backup returns the tables of a declaration.
func (d *table[T]) backup() []backupTable {
	var all []backupTable
	for _, p := range d.parts("") {
		b := backupTable{Table: p.name, Order: strings.Join(namesOf(p.key), ", ")}
		for _, c := range slices.Concat(p.key, p.columns) {
			b.Columns = append(b.Columns, backupColumn{c.name, c.bytes, c.null}.String())
		}
		if p.version {
			b.Columns = append(b.Columns, "version")
		}
		all = append(all, b)
	}
	return all
}

// Backup writes everything, as it is at one moment, into a new file that only its
// owner can read, and then checks the file. Others can read and write meanwhile.
// Backup refuses a database that is newer than the program.
func (s *Store) Backup(ctx context.Context, path string) error {
	err := newfile.WriteFrom(path, 0o600, func(w io.Writer) error {
		out := bufio.NewWriterSize(w, 1<<16)
		d := dump{out: out, sum: sha256.New()}
		err := s.view(ctx, s.reader, func(t *tx) error {
			version, err := t.version()
			if err == nil && version > s.migrations.latest() {
				err = fmt.Errorf("the database has version %d, this program knows versions up to %d "+
					"and not all that is in it; use the newer program", version, s.migrations.latest())
			}
			if err != nil {
				return err
			}
			return d.all(t, version, backedUp())
		})
		return errors.Join(err, out.Flush())
	})
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if _, err := CheckBackup(ctx, path); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// dump writes rows as lines. Without a writer it only counts and sums.
type dump struct {
	out  io.Writer
	sum  hash.Hash
	rows int64

	content string // SHA-256 of all lines but the last, once they are done
}

func (d *dump) line(value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	text = append(text, '\n')
	d.sum.Write(text)
	if d.out == nil {
		return nil
	}
	_, err = d.out.Write(text)
	return err
}

func (d *dump) all(t *tx, version int64, tables []backupTable) error {
	if err := d.line(backupStart{backupKind, version}); err != nil {
		return err
	}
	for _, table := range tables {
		if err := d.table(t, table); err != nil {
			return err
		}
	}
	d.content = hex.EncodeToString(d.sum.Sum(nil))
	return d.line(backupEnd{d.rows, d.content})
}

func (d *dump) table(t *tx, table backupTable) error {
	if err := d.line(table); err != nil {
		return err
	}
	columns := table.columns()
	written := "SELECT " + strings.Join(table.names(), ", ") + " FROM " + table.Table + " ORDER BY " + table.Order
	return t.rows("table "+table.Table, written, nil, func(row scan) error {
		values, to := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			to[i] = &values[i]
		}
		if err := row(to...); err != nil {
			return err
		}
		for i, c := range columns {
			var err error
			if values[i], err = c.encode(values[i]); err != nil {
				return fmt.Errorf("table %s: %w", table.Table, err)
			}
		}
		d.rows++
		return d.line(values)
	})
}

// backupColumn is a column as a table's line has it.
type backupColumn struct {
	name        string
	bytes, null bool
}

// String returns the column as it is written.
func (c backupColumn) String() string {
	switch {
	case c.null:
		return c.name + ":bytes?"
	case c.bytes:
		return c.name + ":bytes"
	}
	return c.name
}

func (b backupTable) columns() []backupColumn {
	var all []backupColumn
	for _, written := range b.Columns {
		name, kind, _ := strings.Cut(written, ":")
		all = append(all, backupColumn{name, kind != "", kind == "bytes?"})
	}
	return all
}

func (b backupTable) names() []string {
	var names []string
	for _, c := range b.columns() {
		names = append(names, c.name)
	}
	return names
}

// encode returns a value of the database as a value of JSON.
func (c backupColumn) encode(value any) (any, error) {
	switch v := value.(type) {
	case []byte:
		if !c.bytes {
			return string(v), nil
		}
		return notNull(v), nil
	case nil:
		if c.bytes && !c.null { // SQLite's driver returns nil for no bytes
			return []byte{}, nil
		}
		return nil, nil
	case string:
		if c.bytes { // else restoring would fail
			return []byte(v), nil
		}
		return v, nil
	case int64:
		return v, nil
	}
	return nil, fmt.Errorf("its column %s holds a %T", c.name, value)
}

// decode returns a value of a backup as the database stores it.
func (c backupColumn) decode(value json.RawMessage) (any, error) {
	switch {
	case string(value) == "null":
		return nil, nil
	case c.bytes:
		var b []byte
		err := json.Unmarshal(value, &b)
		return notNull(b), err
	case value[0] == '"':
		var s string
		err := json.Unmarshal(value, &s)
		return s, err
	default:
		var n int64
		err := json.Unmarshal(value, &n)
		return n, err
	}
}

var plainName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// check refuses names that are not plain, because statements are made from them.
func (b backupTable) check() error {
	names := b.names()
	if len(names) == 0 {
		return errors.New("a table's line has no columns")
	}
	for _, name := range append(append(names, b.Table), strings.Split(b.Order, ", ")...) {
		if !plainName.MatchString(name) {
			return errors.New("a table's line has a name that is none")
		}
	}
	return nil
}
