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

// A backup is the same for both databases, so that it moves a registry from one
// to the other: lines of JSON. The first says what it is, then each table's name
// and columns come before its rows, which are lists of values, and the last line
// has the SHA-256 of all lines before it. Private keys in it are sealed, as they
// are in the database.
type (
	backupStart struct {
		Backup  string `json:"backup"` // backupKind
		Version int64  `json:"version"`
	}
	backupTable struct {
		Table   string   `json:"table"`
		Columns []string `json:"columns"` // NAME, or NAME:bytes for base64
		Order   string   `json:"order"`   // the first columns, by which rows are sorted
	}
	backupEnd struct {
		Rows   int64  `json:"rows"`
		SHA256 string `json:"sha256"`
	}
)

const backupKind = "sealane registry"

// backedUp are the tables of a backup, in an order in which rows refer only to earlier ones.
func backedUp() []backupTable {
	return slices.Concat(partnerTable.backup(), environmentTable.backup(), apiKeyTable.backup(), useTable.backup(),
		keyPairTable.backup(), offerTable.backup(), certificateTable.backup(), blockedTable.backup(),
		personTable.backup(), settingTable.backup(), auditTable.backup())
}

// backup returns the tables of a declaration.
func (d *table[T]) backup() []backupTable {
	var all []backupTable
	for _, p := range d.parts("") {
		b := backupTable{Table: p.name, Order: strings.Join(namesOf(p.key), ", ")}
		for _, c := range slices.Concat(p.key, p.columns) {
			name := c.name
			if c.bytes {
				name += ":bytes"
			}
			b.Columns = append(b.Columns, name)
		}
		if p.version {
			b.Columns = append(b.Columns, "version")
		}
		all = append(all, b)
	}
	return all
}

// Backup writes everything, as it is at one moment, into a new file that only its
// owner reads. Others go on reading and writing meanwhile. What was written is
// read again before it counts. A database that is newer than the program is refused.
func (s *Store) Backup(ctx context.Context, path string) error {
	err := newfile.WriteFrom(path, 0o600, func(w io.Writer) error {
		out := bufio.NewWriterSize(w, 1<<16)
		d := dump{out: out, sum: sha256.New()}
		err := s.view(ctx, func(t *tx) error {
			version, err := t.version()
			if err == nil && version > s.migrations.latest() {
				err = fmt.Errorf("the database has version %d, this program knows versions up to %d and not all that is "+
					"in it; use the newer program", version, s.migrations.latest())
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

// dump writes rows as lines; with no writer it only counts and sums.
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
	names, bytes := table.columns()
	written := "SELECT " + strings.Join(names, ", ") + " FROM " + table.Table + " ORDER BY " + table.Order
	return t.rows("table "+table.Table, written, nil, func(row scan) error {
		values, to := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			to[i] = &values[i]
		}
		if err := row(to...); err != nil {
			return err
		}
		for i, v := range values {
			switch v := v.(type) {
			case []byte:
				if values[i] = notNull(v); !bytes[i] {
					values[i] = string(v)
				}
			case nil:
				if bytes[i] { // SQLite's driver returns nil for no bytes
					values[i] = []byte{}
				}
			case string, int64:
			default:
				return fmt.Errorf("table %s: its column %s holds a %T", table.Table, names[i], v)
			}
		}
		d.rows++
		return d.line(values)
	})
}

// columns returns the names, and which of them hold bytes.
func (b backupTable) columns() (names []string, bytes []bool) {
	for _, c := range b.Columns {
		name, is := strings.CutSuffix(c, ":bytes")
		names, bytes = append(names, name), append(bytes, is)
	}
	return names, bytes
}

var plainName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// check refuses names that are not plain, because statements are made of them.
func (b backupTable) check() error {
	names, _ := b.columns()
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
