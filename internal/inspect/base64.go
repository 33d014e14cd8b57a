package inspect

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/pasted"
)

// flaw is a fault of a base64url text, and its first position.
type flaw struct {
	fault fault.TokenFault
	text  string
	// lost reports whether characters stood there that can't be told any more.
	lost bool
}

// decode reads a text as base64url in spite of any flaws, and returns the flaws in the
// order in which they occur.
func decode(text []byte) (data []byte, flaws []flaw) {
	if bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') < 0 {
		data = make([]byte, base64.RawURLEncoding.DecodedLen(len(text)))
		if n, err := base64.RawURLEncoding.Strict().Decode(data, text); err == nil {
			return data[:n], nil
		}
	}
	r := flawReader{clean: make([]byte, 0, len(text))}
	for i := range text {
		r.character(text, i)
	}
	return r.decoded(), r.flaws
}

// flawReader collects the flaws of a base64url text.
type flawReader struct {
	flaws  []flaw
	clean  []byte // what is left of the text, in its alphabet
	behind int    // offset behind the last character that is not ASCII
}

func (r *flawReader) name(f fault.TokenFault, format string, args ...any) {
	if !slices.ContainsFunc(r.flaws, func(l flaw) bool { return l.fault == f }) {
		r.flaws = append(r.flaws, flaw{f, fmt.Sprintf(format, args...), f == fault.Base64Length})
	}
}

// lost records that the last flaw stands for characters that can't be told any more.
func (r *flawReader) lost() {
	for i := range r.flaws {
		r.flaws[i].lost = r.flaws[i].lost || r.flaws[i].fault == fault.Base64Character
	}
}

func (r *flawReader) character(text []byte, i int) {
	switch c := text[i]; {
	case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		r.clean = append(r.clean, c)
	case c == '+':
		r.name(fault.Base64Standard, "'+' at offset %d", i)
		r.clean = append(r.clean, '-')
	case c == '/':
		r.name(fault.Base64Standard, "'/' at offset %d", i)
		r.clean = append(r.clean, '_')
	case c == '=':
		r.name(fault.Base64Padding, "'=' at offset %d", i)
	case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		r.name(fault.Base64Space, "%q at offset %d", c, i)
	case c == '\\':
		r.name(fault.Base64Character, "a backslash at offset %d: a JSON or shell string was not unescaped", i)
		r.lost()
	case i >= r.behind: // it is not the rest of a character
		r.foreign(text, i)
	}
}

// foreign names a character that base64 does not have.
func (r *flawReader) foreign(text []byte, i int) {
	char, size := utf8.DecodeRune(text[i:])
	switch {
	case char != utf8.RuneError && char > unicode.MaxASCII && unicode.Is(unicode.Pd, char):
		r.name(fault.Base64Character, "%s at offset %d, in place of a hyphen", pasted.RuneName(char), i)
		r.clean = append(r.clean, '-')
		r.behind = i + size
	case char != utf8.RuneError && pasted.IsTypographic(char):
		r.name(fault.Base64Character, "%s at offset %d: it was removed", pasted.RuneName(char), i)
		r.behind = i + size
	case char != utf8.RuneError && char > unicode.MaxASCII:
		r.name(fault.Base64Character, "%s at offset %d", pasted.RuneName(char), i)
		r.lost()
		r.behind = i + size
	case text[i] > ' ' && text[i] < unicode.MaxASCII:
		r.name(fault.Base64Character, "%q at offset %d", text[i], i)
		r.lost()
	default:
		r.name(fault.Base64Character, "byte 0x%02x at offset %d", text[i], i)
		r.lost()
	}
}

// decoded returns what the characters stand for, and names the flaws of their number and of
// their last bits.
func (r *flawReader) decoded() []byte {
	if len(r.clean)%4 == 1 {
		r.name(fault.Base64Length, "%d characters", len(r.clean))
		r.clean = r.clean[:len(r.clean)-1]
	}
	data := make([]byte, base64.RawURLEncoding.DecodedLen(len(r.clean)))
	n, _ := base64.RawURLEncoding.Decode(data, r.clean) // only its alphabet is left
	data = data[:n]
	if tail := len(r.clean) % 4; tail > 0 && len(r.flaws) == 0 ||
		tail > 0 && r.flaws[len(r.flaws)-1].fault != fault.Base64Length {
		again := base64.RawURLEncoding.EncodeToString(data[n-(tail-1):])
		if again != string(r.clean[len(r.clean)-tail:]) {
			r.name(fault.Base64SpareBits, "the last character should be %q", again[len(again)-1])
		}
	}
	return data
}

// canonical returns the base64url text of data. There is only one.
func canonical(data []byte) []byte {
	return base64.RawURLEncoding.AppendEncode(nil, data)
}
