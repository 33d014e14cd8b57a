package jose

import (
	"bytes"
	"testing"
)

// FuzzDecode: the fast and the strict decoder agree on which texts are valid, their values,
// and the faults of the others, in place and not. It is in the package because only there
// the two can be called separately.
func FuzzDecode(f *testing.F) {
	long := bytes.Repeat([]byte("Zm9vYmFy_-"), 2000)
	for _, s := range [][]byte{nil, []byte("AA"), []byte("AB"), []byte("A"), []byte("Zm9v\nZm9v"), long,
		append(bytes.Clone(long), "+/="...), append(bytes.Clone(long[:17000]), '\n')} {
		f.Add(s, uint16(0), byte('A'))
		f.Add(s, uint16(16384), byte('+'))
	}
	f.Fuzz(func(t *testing.T, text []byte, at uint16, with byte) {
		text = append(bytes.Clone(text), long...) // beyond what goes the scalar way
		text[int(at)%len(text)] = with
		strict := make([]byte, len(text))
		n, _, strictErr := decodeStrict(strict, bytes.Clone(text), 0)
		for _, dst := range [][]byte{make([]byte, len(text)), nil} {
			src := bytes.Clone(text)
			if dst == nil {
				dst = src
			}
			m, _, err := decode(dst, src)
			if (err == nil) != (strictErr == nil) || err == nil && !bytes.Equal(dst[:m], strict[:n]) {
				t.Fatalf("fast: %d bytes, %v; strict: %d bytes, %v", m, err, n, strictErr)
			}
			if err == nil && !bytes.Equal(appendEncoded(nil, dst[:m]), text) {
				t.Fatal("encoded again, it is another text")
			}
		}
	})
}

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
