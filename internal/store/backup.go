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

// tables are in the order in which rows may refer to others.
var tables = []backupTable{
	{"partner", []string{"id", "name", "profile", "side", "version", "body"}, "id"},
	{"environment", []string{"partner", "name", "account", "sealing", "caller", "accept_rsa_oaep", "max_payload", "version", "body"}, "partner, name"},
	{"api_key", []string{"id", "partner", "environment", "sha256:bytes", "sealing", "revoked", "version", "body"}, "id"},
	{"api_key_use", []string{"id", "at"}, "id"},
	{"key_pair", []string{"id", "profile", "partner", "environment", "key_id", "state", "root_key", "spki_sha256:bytes", "spki:bytes", "sealed:bytes", "version", "body"}, "id"},
	{"offer", []string{"key_pair", "partner", "at", "confirmed", "version"}, "key_pair, partner"},
	{"certificate", []string{"id", "owner", "partner", "profile", "environment", "key_pair", "key_id", "state", "not_after", "sha256:bytes", "spki_sha256:bytes", "spki:bytes", "version"}, "id"},
	{"certificate_text", []string{"id", "der:bytes", "file:bytes", "body"}, "id"},
	{"blocked", []string{"spki_sha256:bytes", "body"}, "spki_sha256"},
	{"person", []string{"id", "sha256:bytes", "version", "body"}, "id"},
	{"setting", []string{"name", "value:bytes"}, "name"},
	{"audit", []string{"seq", "time", "actor", "action", "subject", "partner", "environment", "reason", "before:bytes", "after:bytes", "previous:bytes", "hash:bytes"}, "seq"},
}

// Backup writes everything, as it is at one moment, into a new file that only its
// owner reads. Others go on reading and writing meanwhile. What was written is
// read again before it counts.
func (s *Store) Backup(ctx context.Context, path string) error {
	err := newfile.WriteFrom(path, 0o600, func(w io.Writer) error {
		out := bufio.NewWriterSize(w, 1<<16)
		d := dump{out: out, sum: sha256.New()}
		if err := s.view(ctx, func(t *tx) error { return d.all(t, latest(), tables) }); err != nil {
			return err
		}
		return out.Flush()
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
				if values[i] = blob(v); !bytes[i] {
					values[i] = string(v)
				}
			case nil:
				if bytes[i] { // SQLite's driver gives none for no bytes
					values[i] = blob(nil)
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

// columns gives the names, and which hold bytes.
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
	for _, name := range append(append(names, b.Table), strings.Split(b.Order, ", ")...) {
		if !plainName.MatchString(name) {
			return errors.New("a table's line has a name that is none")
		}
	}
	return nil
}

// Summary says what is in a backup.
type Summary struct {
	Version int64  // of the database that it was made of
	Rows    int64  // of all tables
	SHA256  string // of the lines before the last
}

// CheckBackup reads a backup and compares it with its checksum.
func CheckBackup(ctx context.Context, path string) (Summary, error) {
	return readBackup(ctx, path, nil, nil)
}

// maxLine bounds a row: nothing in the registry comes near it.
const maxLine = 64 << 20

// readBackup gives each table and row to functions, where there are some. That
// the checksum is right is known at the end only.
func readBackup(ctx context.Context, path string, table func(backupStart, backupTable) error, row func([]json.RawMessage) error) (sum Summary, err error) {
	fail := func(line int64, err error) (Summary, error) {
		return Summary{}, fmt.Errorf("backup %s: line %d: %w", path, line, err)
	}
	file, err := os.Open(path)
	if err != nil {
		return Summary{}, fmt.Errorf("backup: %w", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, 1<<16), maxLine)
	sha := sha256.New()
	var start backupStart
	var end backupEnd
	n := int64(0)
	for lines.Scan() {
		n++
		text := lines.Bytes()
		if err := context.Cause(ctx); err != nil {
			return fail(n, err)
		}
		switch {
		case end.SHA256 != "":
			return fail(n, errors.New("there is more after the end"))
		case n == 1:
			if err := json.Unmarshal(text, &start); err != nil || start.Backup != backupKind {
				return fail(n, errors.New("this is no backup of a Sealane registry"))
			}
			sum.Version = start.Version
		case strings.HasPrefix(string(text[:min(len(text), 9)]), `{"table":`):
			var next backupTable
			if json.Unmarshal(text, &next) != nil {
				return fail(n, errors.New("this is no table's line"))
			}
			if err := next.check(); err != nil {
				return fail(n, err)
			}
			if table != nil {
				if err := table(start, next); err != nil {
					return fail(n, err)
				}
			}
		case len(text) > 0 && text[0] == '[':
			sum.Rows++
			if row == nil {
				break
			}
			var values []json.RawMessage
			if json.Unmarshal(text, &values) != nil {
				return fail(n, errors.New("this is no row"))
			}
			if err := row(values); err != nil {
				return fail(n, err)
			}
		default:
			if json.Unmarshal(text, &end) != nil || end.SHA256 == "" {
				return fail(n, errors.New("this is neither a table, nor a row, nor the end"))
			}
			sum.SHA256 = hex.EncodeToString(sha.Sum(nil))
			if end.SHA256 != sum.SHA256 || end.Rows != sum.Rows {
				return fail(n, errors.New("the checksum does not match: the file was changed or damaged; use another copy"))
			}
		}
		sha.Write(text)
		sha.Write([]byte{'\n'})
	}
	if err := lines.Err(); err != nil {
		return fail(n+1, err)
	}
	if end.SHA256 == "" {
		return fail(n, errors.New("its end is missing: the file was cut off; use another copy"))
	}
	return sum, nil
}
