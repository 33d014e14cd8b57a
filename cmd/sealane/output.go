package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf16"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/internal/termtext"
)

// show writes rows as JSON, or as a table whose first line is head.
func (f *registryFlags) show(c *cobra.Command, rows any, head string, lines func(add func(cells ...any))) error {
	if f.json {
		return writeJSON(c.OutOrStdout(), rows)
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.ReplaceAll(head, ",", "\t"))
	lines(func(cells ...any) {
		texts := make([]string, len(cells))
		for i, cell := range cells {
			texts[i] = cellText(cell)
		}
		fmt.Fprintln(w, strings.Join(texts, "\t"))
	})
	return w.Flush()
}

// said writes one line for people, or the row for programs.
func (f *registryFlags) said(c *cobra.Command, row any, format string, args ...any) error {
	if f.json {
		return f.show(c, row, "", nil)
	}
	_, err := fmt.Fprintf(c.OutOrStdout(), format+"\n", args...)
	return err
}

// cellText keeps partners' words from moving the terminal's cursor.
func cellText(cell any) string {
	text := fmt.Sprint(cell)
	if t, ok := cell.(time.Time); ok {
		if text = ""; !t.IsZero() {
			text = t.UTC().Format("2006-01-02 15:04")
		}
	}
	if text == "" {
		return "-"
	}
	return printable(text)
}

// absolute makes a default path understandable in messages.
func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}

// printable is what partners wrote, such as names in a certificate and lines of an
// answer, on its way to a terminal.
func printable(s string) string {
	const longest = 300
	return termtext.Safe(s, longest)
}

// printableLines is the same for the text of an error, which may have parts from
// anywhere and lines of its own.
func printableLines(s string) string {
	const longest = 4 << 10
	lines := strings.Split(s[:min(len(s), longest)], "\n")
	for i, line := range lines {
		lines[i] = escaped(line)
	}
	return strings.Join(lines, "\n")
}

// escaped leaves tabs as they are, and quotation marks, which errors have set.
func escaped(line string) string {
	var b strings.Builder
	for _, r := range line {
		if r == '\t' || strconv.IsGraphic(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToGraphic(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// writeJSON escapes in strings what would draw on a terminal; the values stay
// whole and the same.
func writeJSON(w io.Writer, v any) error { return encodeJSON(w, v, "  ") }

func encodeJSON(w io.Writer, v any, indent string) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return err
	}
	var out strings.Builder
	for _, r := range b.String() {
		switch {
		case r == '\n' || strconv.IsGraphic(r):
			out.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// isTerminal reports whether w is one, for colours.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && term.IsTerminal(int(f.Fd()))
}

func orWord(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// checkNew refuses a file that exists, before anything is done that would go into it.
func checkNew(name string) error {
	switch name {
	case "":
		return nil
	case "-":
		return errors.New("- is no file to write: name one")
	}
	return newfile.Check(name)
}
