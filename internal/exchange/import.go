package exchange

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	"github.com/sealane/sealane/internal/readlimit"
	"github.com/sealane/sealane/internal/registry"
)

// RowResult is the result of importing one row of a table.
type RowResult struct {
	Line        int      `json:"line"` // of the file
	Partner     string   `json:"partner"`
	Environment string   `json:"environment,omitempty"`
	Done        []string `json:"done"`
	Error       string   `json:"error,omitempty"` // empty: the whole row is imported
	// Request is the request that waits for a second person. The rest of the row can be imported
	// when it is approved.
	Request string `json:"request,omitempty"`

	// Second says that a second person is needed for Waits, which is not added.
	Second *registry.SecondPersonError `json:"-"`
	Waits  registry.Environment        `json:"-"`
}

// maxRows bounds a table, and batch how many rows are read ahead, so that the keys
// among them can be compared with all others at once.
const (
	maxRows = 1_000_000
	batch   = 8192
)

// ImportCSV imports partners, environments, contacts and certificates from a table whose
// first line names its columns. It does so while the sequence is ranged over, and yields the
// result of each row. What is there already stays as it is, and a row may have only some of the
// columns. Each step of a row is a change of its own, and the first that fails ends the row. An
// error of the table ends the sequence.
//
// A trial stores nothing. Each row is tried with the registry as it is, without the rows before.
func (e Exchange) ImportCSV(ctx context.Context, path string, trial bool) iter.Seq2[RowResult, error] {
	return func(yield func(RowResult, error) bool) {
		if err := e.importCSV(ctx, path, trial, yield); err != nil {
			yield(RowResult{}, err)
		}
	}
}

// importCSV returns an error that is not yielded yet.
func (e Exchange) importCSV(
	ctx context.Context, path string, trial bool, yield func(RowResult, error) bool,
) error {
	f, err := openRegular(path)
	if err != nil {
		return err
	}
	defer f.Close()
	t, err := openTable(f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	folder := filepath.Dir(path)
	for {
		rows, err := t.next(batch)
		if err != nil || len(rows) == 0 {
			return err
		}
		if t.rows > maxRows {
			return registry.Refuse("%s has more than %d rows: divide it", path, maxRows)
		}
		if e.screened, e.compared, err = e.screen(ctx, rows, folder); err != nil {
			return err
		}
		for _, row := range rows {
			importRow := e.importRow
			if trial {
				importRow = e.tryRow
			}
			if !yield(importRow(ctx, row, folder), nil) {
				return nil
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
}

// screen compares the keys of many rows with all others at once. A certificate that can't be
// read is left out: the import of its row says why.
func (e Exchange) screen(
	ctx context.Context, rows []tableRow, folder string,
) (screened map[[sha256.Size]byte]registry.SharedWith, compared int64, err error) {
	var keys []*rsa.PublicKey
	for _, r := range rows {
		if r.cells["certificate"] == "" {
			continue
		}
		_, data, err := certificateFile(r.cells["certificate"], folder)
		if err != nil {
			continue
		}
		if f, err := read(data); err == nil && f.file.PublicKey != nil {
			keys = append(keys, f.file.PublicKey)
		}
	}
	comparison, err := e.session.ComparePrimes(ctx, keys, 0)
	if err != nil {
		return nil, 0, err
	}
	screened = map[[sha256.Size]byte]registry.SharedWith{}
	for i, key := range keys {
		sum, err := registry.SPKISum(key)
		if err != nil {
			return nil, 0, err
		}
		screened[[sha256.Size]byte(sum)] = comparison.Shared[i]
	}
	return screened, comparison.Compared, nil
}

// readNextTo reads a file in a table's folder, or below it.
func readNextTo(folder, name string) ([]byte, error) {
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return nil, registry.Refuse("certificate %q: name a file in the folder of the table, or below it", name)
	}
	f, err := openRegular(filepath.Join(folder, name))
	if err != nil {
		return nil, err
	}
	data, err := readlimit.All(f, maxMail)
	return data, errors.Join(err, f.Close())
}

// openRegular opens a regular file. Opening a pipe might wait for its writer.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, registry.Refuse("%s is not a regular file", path)
	}
	return os.Open(path)
}
