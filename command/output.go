package command

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/termtext"
)

// columns is the width of a terminal that tables and sentences fit, in characters.
const columns = 80

// table is a list for people. Text that does not fit into a cell is written on lines of its
// own below the row.
type table struct {
	head []string
	rows []tableRow
}

type tableRow struct {
	cells   []string
	details []string
}

func newTable(head ...string) *table { return &table{head: head} }

// add adds a row. Empty cells become a hyphen.
func (t *table) add(cells ...any) *tableRow {
	row := tableRow{cells: make([]string, len(cells))}
	for i, cell := range cells {
		row.cells[i] = cellText(cell)
	}
	t.rows = append(t.rows, row)
	return &t.rows[len(t.rows)-1]
}

// detail adds a line below the row, if there is something to say.
func (r *tableRow) detail(name, text string) {
	if text != "" {
		r.details = append(r.details, wrap(name+": "+printable(text), "      "))
	}
}

const (
	gap     = "  "
	minCell = 6 // no column is cut to less
)

// write writes the table. If it is too wide, the widest columns are cut.
func (t *table) write(w io.Writer) error {
	widths := make([]int, len(t.head))
	for _, cells := range t.all() {
		for i, cell := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	total := func() int {
		sum := len(gap) * (len(widths) - 1)
		for _, width := range widths {
			sum += width
		}
		return sum
	}
	for total() > columns {
		widest := 0
		for i, width := range widths {
			if width > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= minCell {
			break
		}
		widths[widest]--
	}
	var b bytes.Buffer
	t.line(&b, widths, t.head)
	for _, row := range t.rows {
		t.line(&b, widths, row.cells)
		for _, text := range row.details {
			fmt.Fprintf(&b, "    %s\n", text)
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (t *table) all() [][]string {
	all := [][]string{t.head}
	for _, row := range t.rows {
		all = append(all, row.cells)
	}
	return all
}

func (t *table) line(b *bytes.Buffer, widths []int, cells []string) {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		if n := utf8.RuneCountInString(cell); n > widths[i] {
			texts[i] = string([]rune(cell)[:widths[i]-1]) + "…"
		} else {
			texts[i] = cell + strings.Repeat(" ", widths[i]-n)
		}
	}
	fmt.Fprintln(b, strings.TrimRight(strings.Join(texts, gap), " "))
}

// cellText returns a value as the text of a cell.
func cellText(cell any) string {
	text := fmt.Sprint(cell)
	if t, ok := cell.(time.Time); ok {
		text = timeText(t)
	}
	return cmp.Or(printable(text), "-")
}

// timeText returns a time for people, to the minute. A zero time has no text.
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// dateText returns the day of a time, in UTC. A zero time has no text.
func dateText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

// wrap breaks a sentence into lines that fit a terminal. All but the first begin with indent.
func wrap(text, indent string) string {
	var lines []string
	line, width := "", columns-len(indent)
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return strings.Join(append(lines, line), "\n"+indent)
}

// say writes a sentence for people.
func say(c *cobra.Command, format string, args ...any) error {
	_, err := fmt.Fprintf(c.OutOrStdout(), format+"\n", args...)
	return err
}

// absolute returns a path that is valid in every folder.
func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}

// printable returns text from a partner, such as a name in a certificate, in a form that is
// safe for a terminal.
func printable(s string) string { return termtext.Safe(s, 300) }

// printableLines is printable for the text of an error, which may have parts from
// anywhere and several lines.
func printableLines(s string) string { return termtext.Escape(s[:min(len(s), 4<<10)]) }

// printableText is printable for a text of many lines.
func printableText(s string) string { return termtext.Escape(s) }

// writeJSON writes v as JSON with indents. Strings are escaped so that they can be
// written to a terminal.
func writeJSON(w io.Writer, v any) error { return encodeJSON(w, v, "  ") }

func encodeJSON(w io.Writer, v any, indent string) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := io.WriteString(w, termtext.EscapeJSON(string(operation.HexSums(b.Bytes()))))
	return err
}

// isTerminal reports whether w is a terminal that shows colors.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && term.IsTerminal(int(f.Fd()))
}

// checkNew returns an error if a file exists, for commands that work before they write
// it. An empty name means standard output.
func checkNew(name string) error {
	switch name {
	case "":
		return nil
	case "-":
		return errors.New("- (standard output) is not possible here: name a file")
	}
	return newfile.Check(name)
}

// warn writes a line to standard error.
func warn(c *cobra.Command, format string, args ...any) {
	fmt.Fprintln(c.ErrOrStderr(), "sealane:", printableLines(fmt.Sprintf(format, args...)))
}

// warnDamaged names the rows that a list lacks because they can't be read.
func warnDamaged(c *cobra.Command, rows []string) {
	for _, row := range rows {
		warn(c, "the list lacks a row: %s", row)
	}
}
