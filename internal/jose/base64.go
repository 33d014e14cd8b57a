package jose

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"

	base64simd "github.com/emmansun/base64"

	"github.com/sealane/sealane/fault"
)

// base64url is RFC 7515's: the URL-safe alphabet, no padding, no spare bits.
var base64url = base64.RawURLEncoding.Strict()

const (
	blockText  = 16 << 10          // characters that are decoded at once
	blockBytes = blockText / 4 * 3 // what they stand for
	smallText  = 64                // below this many characters the scalar decoder is as fast
)

// simd is base64url with SIMD instructions. It refuses characters outside the alphabet and
// spare bits, but skips CR and LF, as the standard decoder does.
var simd = base64simd.RawURLEncoding.Strict()

// decode decodes src into dst, which may be src itself. Each value has exactly one text:
// everything that encode would not have written is refused. A refusal names the fault and
// the offset in src.
//
// If the SIMD decoder refuses a block, or returns fewer bytes than the block's length
// requires, decodeStrict reads it again to find the fault.
func decode(dst, src []byte) (int, fault.TokenFault, error) {
	if len(src) < smallText {
		return decodeStrict(dst, src, 0)
	}
	inPlace := &dst[0] == &src[0]
	n := 0
	for at := 0; at < len(src); at += blockText {
		block := src[at:min(at+blockText, len(src))]
		size, f, err := decodeBlock(dst[n:], block, at, inPlace && n+decodedLen(len(block)) > at)
		if err != nil {
			return 0, f, err
		}
		n += size
	}
	return n, "", nil
}

// decodeBlock decodes one block. overlaps reports whether dst overlaps it, so that it could
// not be read a second time.
func decodeBlock(dst, block []byte, base int, overlaps bool) (int, fault.TokenFault, error) {
	if overlaps {
		var kept [blockText]byte
		defer clear(kept[:]) // it was part of a payload
		block = kept[:copy(kept[:], block)]
	}
	raw := dst[:decodedLen(len(block))] // no longer: decoders may write ahead
	if len(block)%4 != 1 {
		if n, err := simd.Decode(raw, block); err == nil && n == len(raw) {
			return n, "", nil
		}
	}
	return decodeStrict(raw, block, base)
}

// decodeStrict decodes with the standard library. base is added to offsets in errors.
func decodeStrict(dst, src []byte, base int) (int, fault.TokenFault, error) {
	// The standard decoder skips CR and LF even if it is strict.
	if i := bytes.IndexAny(src, "\r\n"); i >= 0 {
		f, err := firstForeign(src[:i+1], base) // there may be another one before it
		return 0, f, err
	}
	if len(src)%4 == 1 {
		if f, err := firstForeign(src, base); err != nil {
			return 0, f, err
		}
		return 0, fault.Base64Length, fmt.Errorf("%d characters", base+len(src))
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
	// The decoder's writes stay behind its reads, so src is intact after the fault.
	from := min(int(at), tail)
	if f, err := firstForeign(src[from:tail], base+from); err != nil {
		return 0, f, err
	}
	if f, err := firstForeign([]byte(last), base+tail); err != nil {
		return 0, f, err
	}
	return 0, fault.Base64SpareBits, fmt.Errorf("last character of %d", base+len(src))
}

// firstForeign names the first character of src that is not in the base64url alphabet.
func firstForeign(src []byte, base int) (fault.TokenFault, error) {
	for i, c := range src {
		f := fault.Base64Character
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
			continue
		case c == '+' || c == '/':
			f = fault.Base64Standard
		case c == '=':
			f = fault.Base64Padding
		case c == '.':
			f = fault.Parts
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			f = fault.Base64Space
		}
		return f, fmt.Errorf("%q at offset %d", c, base+i)
	}
	return "", nil
}

func encodedLen(n int) int { return base64url.EncodedLen(n) }
func decodedLen(n int) int { return base64url.DecodedLen(n) }

// appendEncoded appends the text of src to dst. src may be in dst's spare capacity, far
// enough behind (see Reserve).
func appendEncoded(dst, src []byte) []byte {
	at, end := len(dst), len(dst)+encodedLen(len(src))
	if cap(dst) < end {
		dst = append(make([]byte, 0, end), dst...)
	}
	dst = dst[:end]
	simd.Encode(dst[at:], src)
	return dst
}
