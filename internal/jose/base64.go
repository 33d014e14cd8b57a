package jose

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/sealane/sealane/internal/fault"
)

// base64url is RFC 7515's: the URL-safe alphabet, no padding, no spare bits.
var base64url = base64.RawURLEncoding.Strict()

// decode puts the bytes that src stands for into dst, which may be src itself.
// One value has exactly one text: whatever encode would not have written is
// refused. A refusal names the fault and the offset in src.
func decode(dst, src []byte) (int, fault.TokenFault, error) {
	// The standard decoder passes over CR and LF even when it is strict.
	if i := bytes.IndexByte(src, '\n'); i >= 0 {
		return 0, fault.Base64Space, fmt.Errorf("line break at offset %d", i)
	}
	if i := bytes.IndexByte(src, '\r'); i >= 0 {
		return 0, fault.Base64Space, fmt.Errorf("carriage return at offset %d", i)
	}
	if len(src)%4 == 1 {
		if f, err := firstForeign(src); err != nil {
			return 0, f, err
		}
		return 0, fault.Base64Length, fmt.Errorf("%d characters", len(src))
	}
	tail := len(src) - len(src)%4
	last := string(src[tail:]) // decoding in place overwrites src
	n, err := base64url.Decode(dst, src)
	if err == nil {
		return n, "", nil
	}
	var at base64.CorruptInputError
	if !errors.As(err, &at) {
		return 0, fault.Base64Character, err
	}
	// The decoder's writes stay behind its reads, so src is intact from the fault on.
	if f, err := firstForeign(src[min(int(at), tail):tail]); err != nil {
		return 0, f, fmt.Errorf("in the block at offset %d: %w", at, err)
	}
	if f, err := firstForeign([]byte(last)); err != nil {
		return 0, f, err
	}
	return 0, fault.Base64SpareBits, fmt.Errorf("last character of %d", len(src))
}

// firstForeign names the first character of src that base64url does not have.
func firstForeign(src []byte) (fault.TokenFault, error) {
	for _, c := range src {
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		case c == '+' || c == '/':
			return fault.Base64Standard, fmt.Errorf("character %q", c)
		case c == '=':
			return fault.Base64Padding, fmt.Errorf("character %q", c)
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			return fault.Base64Space, fmt.Errorf("character %q", c)
		default:
			return fault.Base64Character, fmt.Errorf("byte 0x%02x", c)
		}
	}
	return "", nil
}

func encodedLen(n int) int { return base64url.EncodedLen(n) }
func decodedLen(n int) int { return base64url.DecodedLen(n) }

// appendEncoded appends the text of src to dst.
func appendEncoded(dst, src []byte) []byte { return base64url.AppendEncode(dst, src) }
