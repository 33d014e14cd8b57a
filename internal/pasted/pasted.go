// Package pasted reads text that people copy from a mail, a web page, a dialog or a tool
// and paste where a program expects one value: a checksum, a key ID, a token, a passphrase.
// Such text may be in UTF-16, and contain invisible characters, typographic quotation marks
// and dashes, labels in any language, and the marks of a quoted mail.
//
// Text that can be read in only one way is read. Ambiguous text is reported, so that a
// person decides: the package never guesses.
package pasted

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Encoding is how a text was encoded.
type Encoding string

// The encodings that [Decode] distinguishes.
const (
	Plain   Encoding = "" // UTF-8, ASCII or anything else
	Marked  Encoding = "UTF-8 with a byte order mark"
	UTF16LE Encoding = "UTF-16 (little endian)"
	UTF16BE Encoding = "UTF-16 (big endian)"
	UTF32   Encoding = "UTF-32"
)

// ErrHalf means that text in UTF-16 has an odd number of bytes.
var ErrHalf = errors.New("the text is UTF-16 with half a character at its end: it was cut")

// Decode removes a byte order mark and converts UTF-16, which Windows programs write with
// and without a mark, to UTF-8. It returns other bytes unchanged. If there is an error, it
// also returns what could be read.
func Decode(data []byte) (text []byte, from Encoding, err error) {
	if rest, ok := bytes.CutPrefix(data, []byte{0xef, 0xbb, 0xbf}); ok {
		return rest, Marked, nil
	}
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe, 0, 0}), bytes.HasPrefix(data, []byte{0, 0, 0xfe, 0xff}):
		return fromUTF32(data), UTF32, nil
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}), bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		const least = 16
		if rest := data[2:]; len(rest) >= least && withoutNULs(rest) {
			return rest, Marked, nil
		}
		from = UTF16BE
		if data[0] == 0xff {
			from = UTF16LE
		}
		data = data[2:]
	default:
		if from = unmarkedUTF16(data); from == Plain {
			return data, Plain, nil
		}
	}
	if len(data)%2 != 0 {
		err = ErrHalf
	}
	return fromUTF16(data, from), from, err
}

// withoutNULs reports whether text after a mark of UTF-16 is ASCII: a shell that puts a file in
// place of $(cat FILE) leaves its NULs out.
func withoutNULs(text []byte) bool {
	return !bytes.ContainsFunc(text, func(r rune) bool { return r == 0 || r > unicode.MaxASCII })
}

// fromUTF32 converts text that begins with a byte order mark.
func fromUTF32(data []byte) []byte {
	var order binary.ByteOrder = binary.LittleEndian
	if data[0] == 0 {
		order = binary.BigEndian
	}
	text := make([]byte, 0, len(data)/4)
	for data = data[4:]; len(data) >= 4; data = data[4:] {
		text = utf8.AppendRune(text, rune(order.Uint32(data)))
	}
	return text
}

func fromUTF16(data []byte, from Encoding) []byte {
	var order binary.ByteOrder = binary.LittleEndian
	if from == UTF16BE {
		order = binary.BigEndian
	}
	text := make([]byte, 0, len(data)/2)
	for ; len(data) >= 2; data = data[2:] {
		r := rune(order.Uint16(data))
		if utf16.IsSurrogate(r) {
			second := rune(utf8.RuneError)
			if len(data) >= 4 {
				second = rune(order.Uint16(data[2:]))
			}
			if r = utf16.DecodeRune(r, second); r != utf8.RuneError {
				data = data[2:]
			}
		}
		text = utf8.AppendRune(text, r)
	}
	return text
}

// unmarkedUTF16 recognizes UTF-16 by its NULs: in text that is mostly ASCII, either
// the even or the odd bytes are NUL.
func unmarkedUTF16(data []byte) Encoding {
	const least = 8
	var zeros [2]int
	for i, b := range data {
		if b == 0 {
			zeros[i%2]++
		}
	}
	switch most := len(data) / 2 * 9 / 10; {
	case len(data) < least:
	case zeros[0] == 0 && zeros[1] >= most:
		return UTF16LE
	case zeros[1] == 0 && zeros[0] >= most:
		return UTF16BE
	}
	return Plain
}

// Clean returns text as it was meant: decoded, with LF line ends, without invisible
// characters, and with ASCII for blanks, dashes, quotation marks and full-width characters.
// Bytes that are not UTF-8 are read as Windows-1252.
func Clean(data []byte) string {
	text, _, _ := Decode(data)
	var out strings.Builder
	out.Grow(len(text))
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError && size == 1 {
			r = fromWindows(text[0])
		}
		text = text[size:]
		if r == '\r' {
			if len(text) > 0 && text[0] == '\n' {
				continue
			}
			r = '\n'
		}
		if r = meant(r); r >= 0 {
			out.WriteRune(r)
		}
	}
	return out.String()
}

// fromWindows returns the character of a byte in Windows-1252, as far as it matters here.
func fromWindows(b byte) rune {
	switch b {
	case 0x96, 0x97:
		return '-'
	case 0x91, 0x92:
		return '\''
	case 0x84, 0x93, 0x94:
		return '"'
	case 0x85:
		return '…'
	}
	if b >= 0xa0 {
		return rune(b)
	}
	return utf8.RuneError
}

// meant returns the character that r stands for, or -1 if r is invisible.
func meant(r rune) rune {
	const fullWidth = 0xff01 - '!'
	switch {
	case r == '\n' || r == '\t' || r >= ' ' && r < unicode.MaxASCII:
		return r
	case r == '\v' || r == '\f' || r == '\u0085' || r == '\u2028' || r == '\u2029':
		return '\n'
	case isInvisible(r):
		return -1
	case isDash(r):
		return '-'
	case unicode.Is(unicode.Zs, r) || r < ' ' || r == unicode.MaxASCII:
		return ' '
	case r >= 0xff01 && r <= 0xff5e:
		return r - fullWidth
	}
	return meantQuote(r)
}

func isInvisible(r rune) bool {
	return unicode.Is(unicode.Cf, r) || r == '\u034f' || r >= '\ufe00' && r <= '\ufe0f'
}

func isDash(r rune) bool { return r > unicode.MaxASCII && (unicode.Is(unicode.Pd, r) || r == '\u2212') }

func meantQuote(r rune) rune {
	switch r {
	case '“', '”', '„', '‟', '«', '»', '″':
		return '"'
	case '‘', '’', '‚', '‛', '‹', '›', '′':
		return '\''
	}
	return r
}

// Unquoted returns a line without the marks of a quoted mail at its front.
func Unquoted(line string) string {
	rest := strings.TrimLeft(line, " \t>|")
	if strings.ContainsAny(line[:len(line)-len(rest)], ">|") {
		return rest
	}
	return line
}

// Secret returns the passphrase in a file: decoded, and without the line ends after it.
// Windows editors write a byte order mark or UTF-16, which nobody would type.
func Secret(data []byte) []byte {
	text, from, _ := Decode(data)
	if from == Plain {
		return bytes.TrimRight(data, "\r\n")
	}
	return bytes.TrimRight(text, "\r\n")
}
