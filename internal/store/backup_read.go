package store

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"os"
)

// Summary says what is in a backup.
type Summary struct {
	Version int64  // of the database that it was made of
	Rows    int64  // of all tables
	SHA256  string // of the lines before the last
}

// CheckBackup reads a backup and compares it with its checksum.
func CheckBackup(ctx context.Context, path string) (Summary, error) {
	return readBackup(ctx, path, nothing{})
}

// receiver receives a backup's tables and rows while it is read. Whether the checksum is
// right is known only at the end.
type receiver interface {
	table(backupTable) error
	row(line []byte) error
}

type nothing struct{}

func (nothing) table(backupTable) error { return nil }
func (nothing) row([]byte) error        { return nil }

// maxLine limits a row: no row of the registry is nearly as large.
const maxLine = 64 << 20

func readBackup(ctx context.Context, path string, to receiver) (Summary, error) {
	file, err := os.Open(path)
	if err != nil {
		return Summary{}, fmt.Errorf("backup: %w", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, 1<<16), maxLine)
	r := reading{to: to, sum: sha256.New()}
	for err == nil && lines.Scan() {
		r.lines++
		if err = context.Cause(ctx); err == nil {
			err = r.line(lines.Bytes())
		}
	}
	switch {
	case err != nil:
	case lines.Err() != nil:
		r.lines++
		err = lines.Err()
	case !r.ended:
		err = errors.New("its end is missing: the file was cut off; use another copy")
	}
	if err != nil {
		return Summary{}, fmt.Errorf("backup %s: line %d: %w", path, r.lines, err)
	}
	return r.found, nil
}

// reading is the state of reading a backup.
type reading struct {
	to    receiver
	lines int64
	sum   hash.Hash // of the lines
	found Summary
	ended bool
}

func (r *reading) line(line []byte) (err error) {
	switch {
	case r.ended:
		return errors.New("there is more after the end")
	case r.lines == 1:
		err = r.start(line)
	case bytes.HasPrefix(line, []byte(`{"table":`)):
		err = r.table(line)
	case bytes.HasPrefix(line, []byte("[")):
		r.found.Rows++
		err = r.to.row(line)
	default:
		err = r.end(line)
	}
	r.sum.Write(line)
	r.sum.Write([]byte{'\n'})
	return err
}

func (r *reading) start(line []byte) error {
	var start backupStart
	if err := json.Unmarshal(line, &start); err != nil || start.Backup != backupKind {
		return errors.New("this is not a backup of a Sealane registry")
	}
	r.found.Version = start.Version
	return nil
}

func (r *reading) table(line []byte) error {
	var table backupTable
	if json.Unmarshal(line, &table) != nil {
		return errors.New("this line describes no table")
	}
	if err := table.check(); err != nil {
		return err
	}
	return r.to.table(table)
}

func (r *reading) end(line []byte) error {
	var end backupEnd
	if json.Unmarshal(line, &end) != nil || end.SHA256 == "" {
		return errors.New("this is neither a table, nor a row, nor the end")
	}
	r.ended, r.found.SHA256 = true, hex.EncodeToString(r.sum.Sum(nil))
	if end.SHA256 != r.found.SHA256 || end.Rows != r.found.Rows {
		return errors.New("the checksum does not match: the file was changed or damaged; use another copy")
	}
	return nil
}
