package jose

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"

	simd "github.com/segmentio/asm/base64"

	"github.com/sealane/sealane/internal/fault"
)

// base64url is RFC 7515's: the URL-safe alphabet, no padding, no spare bits.
var base64url = base64.RawURLEncoding.Strict()

const (
	blockText  = 16 << 10          // characters; what is written is still in the cache when it is compared
	blockBytes = blockText / 4 * 3 // what they stand for
	smallText  = 128               // below this many characters the scalar decoder is as fast
)

// blocks are the two buffers of decode.
type blocks struct {
	raw  [blockBytes]byte
	text [blockText]byte
}

var blockPool = sync.Pool{New: func() any { return new(blocks) }}

// decode puts the bytes that src stands for into dst, which may be src itself.
// One value has exactly one text: whatever encode would not have written is
// refused. A refusal names the fault and the offset in src.
//
// The SIMD decoder is fast but not strict: it reads '/' as '_' and '+' as '-',
// and passes over spare bits and line breaks. So each block is encoded again and
// compared; the scalar decoder then says what is wrong with one that differs.
func decode(dst, src []byte) (int, fault.TokenFault, error) {
	if len(src) < smallText {
		return decodeStrict(dst, src, 0)
	}
	b := blockPool.Get().(*blocks)
	defer func() {
		clear(b.raw[:]) // it was somebody's payload
		clear(b.text[:])
		blockPool.Put(b)
	}()
	inPlace := &dst[0] == &src[0]
	n := 0
	for at := 0; at < len(src); at += blockText {
		block := src[at:min(at+blockText, len(src))]
		raw := dst[n:][:decodedLen(len(block))] // no longer: decoders write ahead where they may
		if inPlace && n+len(raw) > at {         // the block is still to be compared
			raw = b.raw[:len(raw)]
		}
		size, err := simd.RawURLEncoding.Decode(raw, block)
		if err == nil {
			text := b.text[:encodedLen(size)]
			simd.RawURLEncoding.Encode(text, raw[:size])
			if bytes.Equal(text, block) {
				copy(dst[n:], raw[:size]) // no work where it is there already
				n += size
				continue
			}
		}
		size, f, err := decodeStrict(raw, block, at)
		if err != nil {
			return 0, f, err
		}
		n += copy(dst[n:], raw[:size]) // the two decoders disagree: the strict one is right
	}
	return n, "", nil
}

// decodeStrict is decode by the standard library. base is what to add to
// offsets in errors.
func decodeStrict(dst, src []byte, base int) (int, fault.TokenFault, error) {
	// The standard decoder passes over CR and LF even when it is strict.
	if i := bytes.IndexAny(src, "\r\n"); i >= 0 {
		f, err := firstForeign(src[:i+1], base) // there may be another before it
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
	// The decoder's writes stay behind its reads, so src is intact from the fault on.
	from := min(int(at), tail)
	if f, err := firstForeign(src[from:tail], base+from); err != nil {
		return 0, f, err
	}
	if f, err := firstForeign([]byte(last), base+tail); err != nil {
		return 0, f, err
	}
	return 0, fault.Base64SpareBits, fmt.Errorf("last character of %d", base+len(src))
}

// firstForeign names the first character of src that base64url does not have.
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

// appendEncoded appends the text of src to dst. src may stand in dst's spare
// capacity, far enough behind (see Space).
func appendEncoded(dst, src []byte) []byte {
	at, end := len(dst), len(dst)+encodedLen(len(src))
	if cap(dst) < end {
		dst = append(make([]byte, 0, end), dst...)
	}
	dst = dst[:end]
	simd.RawURLEncoding.Encode(dst[at:], src)
	return dst
}
