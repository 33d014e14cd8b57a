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
	name := func(f fault.TokenFault, format string, args ...any) {
		if !slices.ContainsFunc(flaws, func(l flaw) bool { return l.fault == f }) {
			flaws = append(flaws, flaw{f, fmt.Sprintf(format, args...), f == fault.Base64Length})
		}
	}
	lose := func() {
		for i := range flaws {
			flaws[i].lost = flaws[i].lost || flaws[i].fault == fault.Base64Character
		}
	}
	clean := make([]byte, 0, len(text))
	behind := 0 // of the last character that is not ASCII
	for i, c := range text {
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
			clean = append(clean, c)
		case c == '+':
			name(fault.Base64Standard, "'+' at offset %d", i)
			clean = append(clean, '-')
		case c == '/':
			name(fault.Base64Standard, "'/' at offset %d", i)
			clean = append(clean, '_')
		case c == '=':
			name(fault.Base64Padding, "'=' at offset %d", i)
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			name(fault.Base64Space, "%q at offset %d", c, i)
		case c == '\\':
			name(fault.Base64Character, "a backslash at offset %d: a JSON or shell string was not unescaped", i)
			lose()
		default:
			r, size := utf8.DecodeRune(text[i:])
			switch {
			case i < behind: // the rest of a character
			case r != utf8.RuneError && pasted.IsTypographic(r):
				name(fault.Base64Character, "%s at offset %d: it was removed", pasted.RuneName(r), i)
				if unicode.Is(unicode.Pd, r) {
					lose()
				}
				behind = i + size
			case r != utf8.RuneError && r > unicode.MaxASCII:
				name(fault.Base64Character, "%s at offset %d", pasted.RuneName(r), i)
				lose()
				behind = i + size
			default:
				name(fault.Base64Character, "byte 0x%02x at offset %d", c, i)
				lose()
			}
		}
	}
	if len(clean)%4 == 1 {
		name(fault.Base64Length, "%d characters", len(clean))
		clean = clean[:len(clean)-1]
	}
	data = make([]byte, base64.RawURLEncoding.DecodedLen(len(clean)))
	n, _ := base64.RawURLEncoding.Decode(data, clean) // only its alphabet is left
	data = data[:n]
	if tail := len(clean) % 4; tail > 0 && len(flaws) == 0 ||
		tail > 0 && flaws[len(flaws)-1].fault != fault.Base64Length {
		again := base64.RawURLEncoding.EncodeToString(data[n-(tail-1):])
		if again != string(clean[len(clean)-tail:]) {
			name(fault.Base64SpareBits, "the last character should be %q", again[len(again)-1])
		}
	}
	return data, flaws
}

// canonical returns the base64url text of data. There is only one.
func canonical(data []byte) []byte {
	return base64.RawURLEncoding.AppendEncode(nil, data)
}
