package jose

import (
	"bytes"
	"testing"
)

func BenchmarkDecode(b *testing.B) {
	raw := bytes.Repeat([]byte("0123456789abcdefghijklmnopqrstuv"), 14<<20/32)
	text := appendEncoded(nil, raw)
	dst := make([]byte, len(raw))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, _, err := decode(dst, text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	raw := bytes.Repeat([]byte("0123456789abcdefghijklmnopqrstuv"), 14<<20/32)
	dst := make([]byte, 0, encodedLen(len(raw)))
	b.SetBytes(int64(cap(dst)))
	for b.Loop() {
		appendEncoded(dst, raw)
	}
}
