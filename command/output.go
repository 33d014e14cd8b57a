package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/internal/termtext"
)

// show writes rows as JSON, or as a table with the columns of head.
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

// say writes a sentence for people, or value as JSON for programs.
func (f *registryFlags) say(c *cobra.Command, value any, format string, args ...any) error {
	if f.json {
		return writeJSON(c.OutOrStdout(), value)
	}
	_, err := fmt.Fprintf(c.OutOrStdout(), format+"\n", args...)
	return err
}

// cellText returns a value as it stands in a table.
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

// absolute returns a path that holds in every folder.
func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}

// printable returns text from a partner, such as a name in a certificate, as it can be
// written to a terminal.
func printable(s string) string { return termtext.Safe(s, 300) }

// printableLines is printable for the text of an error, which may have parts from
// anywhere and several lines.
func printableLines(s string) string { return termtext.Escape(s[:min(len(s), 4<<10)]) }

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
	_, err := io.WriteString(w, termtext.EscapeJSON(b.String()))
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
		return errors.New("- is no file to write: name one")
	}
	return newfile.Check(name)
}

// warn writes a line to standard error.
func warn(c *cobra.Command, format string, args ...any) {
	fmt.Fprintln(c.ErrOrStderr(), "sealane:", printableLines(fmt.Sprintf(format, args...)))
}
