package exchange

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

var tableColumns = []string{"partner", "name", "profile", "side", "environment", "sealing", "caller", "account",
	"contact_role", "contact_name", "contact_email", "certificate", "sha256", "key_id"}

var neededColumns = []string{"partner", "profile", "side", "environment", "sealing"}

// table reads rows, whose cells have the names in the first line.
type table struct {
	csv  *csv.Reader
	head []string
	rows int
	line int // of the last row
}

// tableRow is one row, or why it can't be read.
type tableRow struct {
	line  int // of the file
	cells map[string]string
	err   error
}

// openTable reads CSV files as spreadsheets write them: UTF-8 with or without a byte order
// mark, or UTF-16 with one; separated by commas, by semicolons, or by tabs.
func openTable(in io.Reader) (*table, error) {
	text := bufio.NewReader(transform.NewReader(in, unicode.BOMOverride(encoding.UTF8Validator)))
	t := &table{csv: csv.NewReader(text)}
	t.csv.TrimLeadingSpace = true
	start, _ := text.Peek(1024)
	first, _, _ := bytes.Cut(start, []byte{'\n'})
	for _, comma := range ",;\t" {
		if bytes.ContainsRune(first, comma) {
			t.csv.Comma = comma
			t.csv.TrimLeadingSpace = comma != '\t' // a tab is a space, too
			break
		}
	}
	var err error
	if t.head, err = t.csv.Read(); errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty; its first line names the columns")
	} else if err != nil {
		return nil, fmt.Errorf("the line with the columns' names: %w", err)
	}
	return t, checkColumns(t.head)
}

// next returns the following rows, at most n; none at the end.
func (t *table) next(n int) ([]tableRow, error) {
	var rows []tableRow
	for len(rows) < n {
		cells, err := t.csv.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var wrong *csv.ParseError
		r := tableRow{err: err}
		switch {
		case err == nil:
			r.line, _ = t.csv.FieldPos(0)
			r.cells = namedCells(t.head, cells)
		case errors.As(err, &wrong):
			r.line = wrong.StartLine
			if wrong.Line > wrong.StartLine {
				r.err = fmt.Errorf("%w; lines %d to %d are one row: is a quote not closed",
					err, wrong.StartLine, wrong.Line)
			}
		default:
			return nil, fmt.Errorf("after line %d: %w (spreadsheets can save as CSV UTF-8)", max(t.line, 1), err)
		}
		t.line = r.line
		rows = append(rows, r)
	}
	t.rows += len(rows)
	return rows, nil
}

func checkColumns(head []string) error {
	for i, name := range head {
		head[i] = strings.ToLower(strings.TrimSpace(name))
		if slices.Contains(head[:i], head[i]) {
			return fmt.Errorf("column %q is there twice", name)
		}
		if !slices.Contains(tableColumns, head[i]) {
			return fmt.Errorf("column %q is not known; there are %s", name, strings.Join(tableColumns, ", "))
		}
	}
	for _, name := range neededColumns {
		if !slices.Contains(head, name) {
			return fmt.Errorf("column %q is missing", name)
		}
	}
	return nil
}

func namedCells(head, cells []string) map[string]string {
	row := map[string]string{}
	for i, name := range head {
		row[name] = strings.TrimSpace(cells[i])
	}
	return row
}
