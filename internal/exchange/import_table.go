package exchange

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/encoding"
	textunicode "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"

	"github.com/sealane/sealane/internal/filekind"
	"github.com/sealane/sealane/internal/nearest"
	"github.com/sealane/sealane/internal/pasted"
	"github.com/sealane/sealane/internal/registry"
)

var tableColumns = []string{"partner", "name", "profile", "side", "environment", "sealing", "caller", "account",
	"contact_role", "contact_name", "contact_email", "certificate", "sha256", "key_id", "waive"}

// table reads rows, whose cells have the names in the first line.
type table struct {
	csv  *csv.Reader
	head []string
	rows int
	line int // of the last row

	skipped int // lines before those that csv counts
}

// tableRow is one row, or why it can't be read.
type tableRow struct {
	line  int // of the file
	cells map[string]string
	err   error
}

// openTable reads CSV files as spreadsheets write them: UTF-8 with or without a byte order
// mark, or UTF-16; lines that end with CR, LF or both; separated by commas, by semicolons, or by
// tabs, or by what a first line "sep=" says. Empty rows and columns do not count.
func openTable(in io.Reader) (*table, error) {
	raw := bufio.NewReaderSize(in, tableStart)
	start, _ := raw.Peek(tableStart)
	if kind := filekind.Of(start); kind != filekind.Unknown {
		return nil, registry.Refuse("this is %s, not a table: spreadsheets can save as CSV UTF-8", kind)
	}
	if text := bytes.TrimSpace(start); bytes.HasPrefix(text, []byte("[{")) || bytes.HasPrefix(text, []byte(`{"`)) {
		return nil, registry.Refuse("this is JSON, not a table: save it as CSV UTF-8, with the columns' names first")
	}
	text := bufio.NewReaderSize(decoded(raw, start), tableStart)
	start, _ = text.Peek(tableStart)
	if !bytes.ContainsRune(start, '\n') {
		text = bufio.NewReaderSize(transform.NewReader(text, runes.Map(crToLF)), tableStart)
		start, _ = text.Peek(tableStart)
	}
	t := &table{csv: csv.NewReader(text)}
	t.csv.TrimLeadingSpace, t.csv.FieldsPerRecord = true, -1
	if said, rest, ok := bytes.Cut(start, []byte{'\n'}); ok {
		if sign := separatorLine.FindSubmatch(said); sign != nil {
			t.separator(rune(sign[1][0]))
			t.skipped = 1
			text.Discard(len(said) + 1)
			start = rest
		}
	}
	if t.skipped == 0 {
		t.findSeparator(start)
	}
	const titles = 5 // rows with one cell that may be before the columns' names
	for n := 0; ; {
		head, err := t.csv.Read()
		switch {
		case errors.Is(err, io.EOF) && n > 0:
			return nil, registry.Refuse("no line names the columns; there are %s", strings.Join(tableColumns, ", "))
		case errors.Is(err, io.EOF):
			return nil, registry.Refuse("the file is empty; its first line names the columns")
		case err != nil:
			return nil, fmt.Errorf("the line with the columns' names: %w", err)
		case empty(head):
		case isTitle(head) && n < titles:
			n++
		default:
			t.head = head
			return t, checkColumns(t.head)
		}
	}
}

// separators are the signs that may be between the cells.
const separators = ",;\t|"

// findSeparator finds the sign between the cells: the one that parts the names of columns.
func (t *table) findSeparator(start []byte) {
	for line := range bytes.Lines(start) {
		for _, sign := range separators {
			known := 0
			for cell := range strings.SplitSeq(string(line), string(sign)) {
				if columnNamed(cell) != "" {
					known++
				}
			}
			if known > 1 {
				t.separator(sign)
				return
			}
		}
	}
	line, _, _ := bytes.Cut(bytes.TrimLeft(start, separators+"\r\n "), []byte{'\n'})
	for _, sign := range separators { // the names are not known, which is said of each
		if bytes.ContainsRune(line, sign) {
			t.separator(sign)
			return
		}
	}
}

// isTitle reports whether a row has one cell, which is not the name of a column.
func isTitle(cells []string) bool {
	only := ""
	for _, cell := range cells {
		if trimmed(cell) == "" {
			continue
		}
		if only != "" {
			return false
		}
		only = cell
	}
	return columnNamed(only) == ""
}

// decoded returns the text of a table in UTF-8. start is how it begins.
func decoded(raw io.Reader, start []byte) io.Reader {
	var from transform.Transformer = textunicode.BOMOverride(encoding.UTF8Validator)
	switch _, form, _ := pasted.Decode(start); form {
	case pasted.UTF16LE:
		from = textunicode.UTF16(textunicode.LittleEndian, textunicode.UseBOM).NewDecoder()
	case pasted.UTF16BE:
		from = textunicode.UTF16(textunicode.BigEndian, textunicode.UseBOM).NewDecoder()
	}
	return transform.NewReader(raw, from)
}

const tableStart = 4096 // bytes that are looked at to see how a table is written

// separatorLine is the first line that Excel obeys and writes.
var separatorLine = regexp.MustCompile(`^(?i:"?sep=)([,;\t])"?\r?$`)

func (t *table) separator(sign rune) {
	t.csv.Comma = sign
	t.csv.TrimLeadingSpace = sign != '\t' // a tab is a space, too
}

func crToLF(r rune) rune {
	if r == '\r' {
		return '\n'
	}
	return r
}

// ruleForm is a cell of the line under the heading of a table in Markdown.
var ruleForm = regexp.MustCompile(`^:?-{2,}:?$`)

// empty reports whether a row has nothing but blanks, NULs and the mark with which DOS ends a file, or
// is a comment or a rule.
func empty(cells []string) bool {
	first := true
	for _, cell := range cells {
		cell = trimmed(strings.Trim(cell, "\x00\x1a"))
		switch {
		case cell == "" || ruleForm.MatchString(cell):
		case first && strings.HasPrefix(cell, "# "):
			return true
		default:
			return false
		}
		first = first && cell == ""
	}
	return true
}

// trimmed returns a cell without blanks and invisible characters at its ends.
func trimmed(cell string) string {
	if word, err := pasted.Word(cell); err == nil {
		return word
	}
	return strings.TrimSpace(cell)
}

// next returns the following rows, at most n; none at the end.
func (t *table) next(n int) ([]tableRow, error) {
	var rows []tableRow
	for len(rows) < n {
		cells, err := t.csv.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && empty(cells) {
			continue
		}
		var wrong *csv.ParseError
		r := tableRow{err: err}
		switch {
		case err == nil:
			r.line, _ = t.csv.FieldPos(0)
			r.line += t.skipped
			r.cells, r.err = namedCells(t.head, cells)
		case errors.As(err, &wrong):
			r.line = wrong.StartLine + t.skipped
			if wrong.Line > wrong.StartLine {
				r.err = fmt.Errorf("%w; lines %d to %d are one row: is a quote not closed",
					err, r.line, wrong.Line+t.skipped)
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

// checkColumns replaces the headings by the names of the columns. Capitals, hyphens and blanks
// do not matter: "SHA-256" is sha256. A column without a heading has the name "".
func checkColumns(head []string) error {
	for i, name := range head {
		head[i] = columnNamed(name)
		switch {
		case trimmed(name) == "":
		case head[i] == "":
			meant := ""
			if near := nearest.Word(strings.ToLower(name), tableColumns); near != "" {
				meant = fmt.Sprintf(" (%s?)", near)
			}
			return registry.Refuse("column %q is not known%s: correct or remove it; there are %s",
				name, meant, strings.Join(tableColumns, ", "))
		case slices.Contains(head[:i], head[i]):
			return registry.Refuse("column %q is there twice", name)
		}
	}
	if !slices.Contains(head, "partner") {
		return registry.Refuse(`column "partner" is missing`)
	}
	return nil
}

// columnNamed returns the name of the column that a heading means, or "".
func columnNamed(heading string) string {
	letters := func(text string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				return unicode.ToLower(r)
			}
			return -1
		}, text)
	}
	for _, name := range tableColumns {
		if letters(name) == letters(heading) {
			return name
		}
	}
	return ""
}

var (
	article     = regexp.MustCompile(`^'[a-z]{1,2}[ -]`) // as in 't Hart, which begins with its apostrophe
	textFormula = regexp.MustCompile(`^="([^"]*)"$`)
	cellError   = regexp.MustCompile(`^#(?:NAME\?|REF!|VALUE!|N/A|DIV/0!|NUM!|NULL!|BEZUG!|WERT!|NV|VALEUR!)$`)
	scientific  = regexp.MustCompile(`^[+-]?\d(?:[.,]\d+)?[Ee][+-]?\d{1,3}$`)
)

// entered returns a cell as it was entered: without the signs that make a spreadsheet take it for
// text. It returns an error if the spreadsheet has put something else in its place.
func entered(column, cell string) (string, error) {
	if text := textFormula.FindStringSubmatch(cell); text != nil {
		cell = text[1]
	}
	if strings.HasPrefix(cell, "'") && strings.Count(cell, "'") == 1 && !article.MatchString(cell) {
		cell = cell[1:]
	}
	cell = strings.TrimSpace(cell)
	switch {
	case scientific.MatchString(cell):
		return "", registry.Refuse("%s is %q: the spreadsheet has rounded a long number; format the column as text, "+
			"and enter it again", column, cell)
	case cellError.MatchString(cell):
		return "", registry.Refuse("%s is %q, an error of the spreadsheet: enter the value again", column, cell)
	case strings.HasPrefix(cell, "="):
		return "", registry.Refuse("%s is a formula: export the values", column)
	}
	return cell, nil
}

// namedCells returns the cells of a row by the names of their columns. The words that Sealane
// chose may be in capitals.
func namedCells(head, cells []string) (map[string]string, error) {
	row := map[string]string{}
	for i, cell := range cells {
		cell = trimmed(cell)
		if i >= len(head) || head[i] == "" {
			if cell != "" {
				return row, fmt.Errorf("%w: cell %d is not empty, and its column has no name; a cell with the "+
					"separator in it must be in quotation marks", csv.ErrFieldCount, i+1)
			}
			continue
		}
		var err error
		if cell, err = entered(head[i], cell); err != nil {
			return row, err
		}
		switch head[i] {
		case "partner", "profile", "side", "sealing", "caller", "contact_role":
			cell = strings.ToLower(cell)
		}
		if err := withoutPrivateKey(head[i], cell); err != nil {
			return row, err
		}
		row[head[i]] = cell
	}
	for _, name := range head[min(len(head), len(cells)):] {
		if name != "" {
			return row, csv.ErrFieldCount
		}
	}
	return row, nil
}
