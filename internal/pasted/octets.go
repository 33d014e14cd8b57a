package pasted

import (
	"bytes"
	"iter"
	"strconv"
	"strings"
)

// leastOpen is how many numbers without brackets around them are a list: more than a person writes.
const leastOpen = 64

// Octets returns what each list of numbers and each escaped string in text stands for, as
// programs print octets: [24, -101, 201] in Java, [24 155 201] in Go, a Buffer of Node in JSON,
// b'\x18[\xc9' in Python, "\x18\x9b" in C. Lists and strings of fewer octets than least are left
// out, and lists of fewer than 64 that are not in brackets. The time is linear in the size of the
// text.
func Octets(text []byte, least int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for octets := range numbers(text, least) {
			if !yield(octets) {
				return
			}
		}
		if bytes.IndexByte(text, '\\') < 0 {
			return
		}
		for at := 0; at < len(text); {
			next := bytes.IndexAny(text[at:], `"'`)
			if next < 0 {
				return
			}
			at += next
			octets, n := escapes(text[at:])
			if len(octets) >= least && !yield(octets) {
				return
			}
			at += n
		}
	}
}

// numbers returns the octets of each list of decimal numbers.
func numbers(text []byte, least int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		before := byte(0) // the last byte that is no blank, before the list
		for at := 0; at < len(text); {
			if !isDigit(text[at]) && text[at] != '-' {
				if !isBlank(text[at]) {
					before = text[at]
				}
				at++
				continue
			}
			octets, n := list(text[at:])
			end := at + n
			closed := strings.IndexByte("[{(", before) >= 0 &&
				end < len(text) && strings.IndexByte("]})", text[end]) >= 0
			if len(octets) >= least && (closed || len(octets) >= leastOpen) && !yield(octets) {
				return
			}
			before, at = text[end-1], end
		}
	}
}

// list returns the octets of the decimal numbers with which text begins, and how much of text it read:
// at least one byte.
func list(text []byte) (octets []byte, n int) {
	for n < len(text) {
		c := text[n]
		if isBlank(c) || c == ',' || c == ';' {
			n++
			continue
		}
		if c != '-' && !isDigit(c) {
			return octets, max(n, 1)
		}
		end := n + 1
		for end < len(text) && isDigit(text[end]) {
			end++
		}
		value, err := strconv.Atoi(string(text[n:min(end, n+5)]))
		if err != nil || value < -128 || value > 255 || end > n+4 {
			if len(octets) > 0 {
				return octets, n
			}
			return nil, end
		}
		octets, n = append(octets, byte(value)), end
	}
	return octets, n
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isBlank(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// escapes returns the octets of a string, with which text begins, and how much of text it read
// before the quotation mark at its end. The result is nil if nothing in it is escaped by number.
func escapes(text []byte) (octets []byte, n int) {
	quote, escaped := text[0], false
	for n = 1; n < len(text) && text[n] != quote; {
		c := text[n]
		if n++; c != '\\' {
			octets = append(octets, c)
			continue
		}
		for n < len(text) && text[n] == '\\' && n+1 < len(text) && text[n+1] == 'x' { // escaped again
			n++
		}
		if n == len(text) {
			break
		}
		c, size := escape(text[n:])
		escaped = escaped || size > 1
		octets, n = append(octets, c), n+size
	}
	if !escaped {
		return nil, n
	}
	return octets, n
}

// escape returns the octet of an escape, without its backslash, and its length.
func escape(text []byte) (octet byte, size int) {
	const octal = 3
	if text[0] == 'x' && len(text) > 2 {
		if value, err := strconv.ParseUint(string(text[1:3]), 16, 8); err == nil {
			return byte(value), 3
		}
	}
	if len(text) >= octal {
		if value, err := strconv.ParseUint(string(text[:octal]), 8, 8); err == nil {
			return byte(value), octal
		}
	}
	if at := strings.IndexByte("0abtnvfr", text[0]); at >= 0 {
		return "\x00\a\b\t\n\v\f\r"[at], 1
	}
	return text[0], 1
}

// listed returns the octets of checksums that a program has printed as numbers or escapes.
func listed(line string) iter.Seq[[]byte] {
	if !strings.ContainsAny(line, `[{(\`) {
		return func(func([]byte) bool) {}
	}
	return Octets([]byte(line), octetsSHA1)
}
