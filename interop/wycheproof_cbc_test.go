package interop

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/internal/alg"
)

// cbcFiles are the files of AES-CBC with HMAC. There is another one for A192CBC-HS384,
// which we do not support.
var cbcFiles = map[string]*alg.Content{
	"a128cbc_hs256_test.json": alg.A128CBCHS256,
	"a256cbc_hs512_test.json": alg.A256CBCHS512,
}

// TestWycheproofCBC decrypts every vector unchanged, with its own key, initialization
// vector and additional data. It bypasses the codec, whose additional data is always a
// header. The codec refuses other lengths than the algorithm's first.
func TestWycheproofCBC(t *testing.T) {
	t.Parallel()
	for name, content := range cbcFiles {
		got := counts{}
		for _, g := range readVectors(t, name).TestGroups {
			if g.IVSize != content.IV*8 || g.KeySize != content.CEK*8 || g.TagSize != content.Tag*8 {
				t.Errorf("%s: a group of %d, %d and %d bits", name, g.IVSize, g.KeySize, g.TagSize)
				continue
			}
			for _, v := range g.Tests {
				iv, ciphertext, tag := unhex(t, v.IV), unhex(t, v.CT), unhex(t, v.Tag)
				if len(iv) != content.IV || len(tag) != content.Tag {
					got["of another length, "+v.Result]++
					continue
				}
				opened, err := content.Open(unhex(t, v.Key), slices.Concat(iv, ciphertext, tag), unhex(t, v.AAD))
				if (err == nil) != v.valid() || err == nil && !bytes.Equal(opened, unhex(t, v.Msg)) ||
					err != nil && opened != nil {
					t.Errorf("%s %d %s: marked %s: %x, %v", name, v.ID, v.Comment, v.Result, opened, err)
				}
				got[v.Result]++
			}
		}
		if diff := cmp.Diff(counts{"valid": 67, "invalid": 27}, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
