package rootkey_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/sealane/sealane/internal/rootkey"
)

var streamed = rootkey.Context{KeyID: "a", Purpose: "test"}

func sealStream(t testing.TB, k *rootkey.Key, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := k.SealTo(&out, streamed)
	if err != nil {
		t.Fatal(err)
	}
	for len(text) > 0 {
		n := min(len(text), 100_000)
		if _, err := w.Write(text[:n]); err != nil {
			t.Fatal(err)
		}
		text = text[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func openStream(r *rootkey.Ring, sealed []byte, c rootkey.Context) ([]byte, error) {
	from, err := r.OpenFrom(iotest.OneByteReader(bytes.NewReader(sealed)), c)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(from)
}

// A stream opens as it was sealed, and only as a whole, in its order, at its place and under its key.
func TestStream(t *testing.T) {
	k, err := rootkey.Generate()
	if err != nil {
		t.Fatal(err)
	}
	ring, err := rootkey.NewRing(k)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	const frame = 256 << 10
	for _, size := range []int{0, 1, frame - 1, frame, frame + 1, 3 * frame} {
		text := make([]byte, size)
		for i := range text {
			text[i] = byte(rng.Uint32())
		}
		sealed := sealStream(t, k, text)
		if got, err := openStream(ring, sealed, streamed); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%d bytes: %d came back, %v", size, len(got), err)
		}
	}

	text := make([]byte, 2*frame)
	sealed := sealStream(t, k, text)
	const head, whole = 2 + 1 + 8 + 12 + 32 + 16, 4 + frame + 28
	first, second := sealed[head:head+whole], sealed[head+whole:]
	join := func(parts ...[]byte) []byte { return bytes.Join(append([][]byte{sealed[:head]}, parts...), nil) }
	for what, changed := range map[string][]byte{
		"empty": {}, "cut in the head": sealed[:head-1], "without frames": sealed[:head],
		"without the last frame": join(first), "cut": sealed[:len(sealed)-1], "another order": join(second, first),
		"a frame twice": join(first, first, second), "without the first": join(second),
		"longer": append(bytes.Clone(sealed), 0), "a second stream behind": append(bytes.Clone(sealed), sealed...),
		"a frame of another stream": join(first, sealStream(t, k, text)[head+whole:]),
	} {
		if got, err := openStream(ring, changed, streamed); !errors.Is(err, rootkey.ErrDamaged) {
			t.Errorf("%s: %d bytes, %v", what, len(got), err)
		}
	}
	small := sealStream(t, k, []byte("small"))
	for i := range small {
		changed := bytes.Clone(small)
		changed[i] ^= 1
		if got, err := openStream(ring, changed, streamed); err == nil {
			t.Errorf("byte %d was changed: %q", i, got)
		}
	}
	elsewhere := rootkey.Context{KeyID: "b", Purpose: "test"}
	if _, err := openStream(ring, sealed, elsewhere); !errors.Is(err, rootkey.ErrDamaged) {
		t.Errorf("another place: %v", err)
	}
	other, err := rootkey.Generate()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openStream(ring, sealStream(t, other, text), streamed); !errors.Is(err, rootkey.ErrOtherKey) {
		t.Errorf("another key: %v", err)
	}
}
