// Package termtext makes text from outside, such as a name in a certificate, safe
// to print: it can't draw on a terminal, and it has a bounded length.
package termtext

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

const short = 100 // bytes

// Safe returns s cut to limit bytes. If a character is a control, changes the order
// of the others, or is invisible, the result is quoted and escaped.
func Safe(s string, limit int) string {
	s = cut(s, limit)
	if strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsGraphic(r) || r == utf8.RuneError }) {
		return strconv.QuoteToGraphic(s)
	}
	return s
}

// Quote returns s cut to 100 bytes, quoted and escaped.
func Quote(s string) string { return strconv.QuoteToGraphic(Short(s)) }

// Short returns s cut to 100 bytes.
func Short(s string) string { return cut(s, short) }

func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
