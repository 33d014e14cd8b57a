package interop

import (
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

type payload struct {
	name string
	data []byte
}

const (
	oneMiB = 1 << 20
	tenMiB = 10 << 20
)

// smallPayloads are used in every cell of the matrix.
func smallPayloads() []payload {
	var ascii, bytes strings.Builder
	for c := byte(0x20); c < 0x7f; c++ {
		ascii.WriteByte(c)
	}
	for c := range 256 {
		bytes.WriteByte(byte(c))
	}
	return []payload{
		{"empty", []byte{}},
		{"one byte", []byte("x")},
		{"ASCII", []byte(ascii.String())},
		{"every byte", []byte(bytes.String())}, // not UTF-8: payloads must not be parsed
		{"every plane", []byte(`{"planes":"` + everyPlane() + `"}`)},
		// Each changes if a JSON library decodes and encodes it.
		{"numbers", []byte(`{ "a":9007199254740993, "b":1.10, "c":-0, "d":1e400, "e":12345678901234567890123, ` +
			`"f":0.30000000000000004 }`)},
	}
}

// everyPlane has the first and a late character of each of the 17 planes.
func everyPlane() string {
	var b strings.Builder
	for plane := rune(0); plane <= 16; plane++ {
		b.WriteRune(plane<<16 | 0x00a1)
		b.WriteRune(plane<<16 | 0xfffd)
	}
	return b.String()
}

// Large payloads are made once: under the race detector that takes a second.
var (
	mebibyte     = sync.OnceValue(func() payload { return bigPayload("1 MiB", oneMiB) })
	tenMebibytes = sync.OnceValue(func() payload { return bigPayload("10 MiB", tenMiB) })
)

// bigPayload is a JSON object of exactly n bytes that doesn't compress.
func bigPayload(name string, n int) payload {
	const head, foot = `{"image":"`, `"}`
	raw := make([]byte, base64.StdEncoding.DecodedLen(n))
	rand.NewChaCha8([32]byte{1}).Read(raw) // its error is always nil
	text := base64.StdEncoding.EncodeToString(raw)[:n-len(head)-len(foot)]
	return payload{name, []byte(head + text + foot)}
}

// TestPayloads checks that the payloads have the properties that their names say.
func TestPayloads(t *testing.T) {
	planes := map[rune]bool{}
	for _, r := range everyPlane() {
		planes[r>>16] = true
	}
	if len(planes) != 17 || !utf8.ValidString(everyPlane()) {
		t.Errorf("%d planes", len(planes))
	}
	if n, m := len(mebibyte().data), len(tenMebibytes().data); n != oneMiB || m != tenMiB {
		t.Errorf("%d and %d bytes", n, m)
	}
}
