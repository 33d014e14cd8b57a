// Package termtext formats text for a terminal. Text from outside, such as a name in
// a certificate, is made safe to print: it can't draw, and it has a bounded length.
package termtext

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const short = 100 // bytes

// Safe returns s cut to limit bytes. If a character is a control, changes the order
// of the others, or is invisible, the result is quoted and escaped.
func Safe(s string, limit int) string {
	s = Cut(s, limit)
	if strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsGraphic(r) || r == utf8.RuneError }) {
		return strconv.QuoteToGraphic(s)
	}
	return s
}

// Quote returns s cut to 100 bytes, quoted and escaped.
func Quote(s string) string { return strconv.QuoteToGraphic(Short(s)) }

// Short returns s cut to 100 bytes.
func Short(s string) string { return Cut(s, short) }

// Escape returns s with escapes in place of characters that are controls, change the
// order of others, or are invisible. Line feeds, tabs and quotation marks stay.
func Escape(s string) string { return replaceHidden(s, "\n\t", escape) }

// EscapeLine is [Escape] for text that must stay on one line: it also escapes line
// feeds and tabs.
func EscapeLine(s string) string { return replaceHidden(s, "", escape) }

func escape(r rune) string {
	quoted := strconv.QuoteRuneToGraphic(r)
	return quoted[1 : len(quoted)-1]
}

// EscapeJSON is [Escape] for JSON: the values of its strings stay the same.
func EscapeJSON(text string) string {
	return replaceHidden(text, "\n", func(r rune) string {
		if r > 0xffff {
			high, low := utf16.EncodeRune(r)
			return fmt.Sprintf(`\u%04x\u%04x`, high, low)
		}
		return fmt.Sprintf(`\u%04x`, r)
	})
}

// replaceHidden replaces the characters that are neither graphic nor in keep.
func replaceHidden(s, keep string, escape func(rune) string) string {
	var b strings.Builder
	for _, r := range s {
		if strconv.IsGraphic(r) || strings.ContainsRune(keep, r) {
			b.WriteRune(r)
		} else {
			b.WriteString(escape(r))
		}
	}
	return b.String()
}

// Cut returns s cut to limit bytes, with an ellipsis behind it.
func Cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
