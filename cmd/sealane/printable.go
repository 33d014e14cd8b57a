package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/sealane/sealane/cert"
)

// printable is what partners wrote, such as names in a certificate and lines of an
// answer, on its way to a terminal.
func printable(s string) string {
	const longest = 300
	return cert.Printable(s, longest)
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
