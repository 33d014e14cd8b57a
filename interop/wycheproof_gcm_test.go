package interop

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/internal/testkey"
)

const gcmFile = "aes_gcm_test.json"

// TestWycheproofGCM uses AES-GCM vectors with Decrypt. None can be used unchanged, because
// no vector's additional data is a JOSE header: the test counts them. But the ciphertext of
// GCM does not depend on the additional data, and its effect on the tag is an addition. So
// the vector's key becomes the CEK, its IV, ciphertext and message stay, and one of our
// headers is the additional data; the tag is computed again, with the bits flipped that the
// vector flips.
func TestWycheproofGCM(t *testing.T) {
	t.Parallel()
	key := testkey.RSA(t, "ours", 2048)
	got := counts{"verbatim": 0}
	for _, g := range readVectors(t, gcmFile).TestGroups {
		for _, v := range g.Tests {
			c := content{cek: unhex(t, v.Key), iv: unhex(t, v.IV), plaintext: unhex(t, v.Msg)}
			c.encryptedKey = encryptCEK(t, c.cek, &key.PublicKey)
			ciphertext, tag := unhex(t, v.CT), unhex(t, v.Tag)
			verbatim := join(string(unhex(t, v.AAD)), c.encryptedKey, c.iv, ciphertext, tag)
			if _, err := jose.ParseEncrypted(nil, []byte(verbatim), maxToken, alg.KeyEncryptions,
				alg.Contents); err == nil {
				got["verbatim"]++
			}
			for _, enc := range []*alg.Content{alg.A256GCM, alg.A128GCM} {
				head := b64([]byte(`{"alg":"RSA-OAEP-256","enc":"` + enc.Name + `"}`))
				ciphertext, tag, want := ciphertext, tag, ""
				if g.IVSize != 96 {
					want = "jwe.iv-length"
				} else {
					ciphertext, tag = transplant(t, c, v, head)
					switch {
					case g.KeySize != enc.CEK*8:
						want = "open.key"
					case !v.valid():
						want = "open.tag"
					}
				}
				plaintext, err := decrypt(join(head, c.encryptedKey, c.iv, ciphertext, tag), key)
				if string(faultOf(err)) != want || (err == nil) != (want == "") ||
					err == nil && !bytes.Equal(plaintext, c.plaintext) {
					t.Errorf("%s, %d %s: marked %s: %x, %v", enc, v.ID, v.Comment, v.Result, plaintext, err)
				}
				if err == nil {
					got[enc.Name+" opens"]++
				}
			}
			iv := "96-bit IV"
			if g.IVSize != 96 {
				iv = "other IV"
			}
			got[fmt.Sprintf("%d-bit key, %s, %s", g.KeySize, iv, v.Result)]++
			if g.TagSize != 128 {
				t.Errorf("%d: a tag of %d bits", v.ID, g.TagSize)
			}
		}
	}
	if diff := cmp.Diff(counts{
		"verbatim":                        0,
		"A256GCM opens":                   39,
		"A128GCM opens":                   40,
		"256-bit key, 96-bit IV, valid":   39, // open as A256GCM
		"256-bit key, 96-bit IV, invalid": 27, // refused because of the tag
		"256-bit key, other IV, valid":    37, // refused because of the IV
		"256-bit key, other IV, invalid":  2,
		"192-bit key, 96-bit IV, valid":   37, // refused because of the CEK
		"192-bit key, 96-bit IV, invalid": 27,
		"192-bit key, other IV, valid":    37,
		"192-bit key, other IV, invalid":  2,
		"128-bit key, 96-bit IV, valid":   40, // open as A128GCM
		"128-bit key, 96-bit IV, invalid": 27,
		"128-bit key, other IV, valid":    39,
		"128-bit key, other IV, invalid":  2,
	}, got); diff != "" {
		t.Error(diff)
	}
}

// transplant returns the vector's ciphertext, and the tag that it would have with head as
// the additional data.
func transplant(t *testing.T, c content, v vector, head string) (ciphertext, tag []byte) {
	t.Helper()
	made, right := c.parts(t, string(unhex(t, v.AAD)))
	ciphertext = unhex(t, v.CT)
	if !bytes.Equal(made, ciphertext) {
		t.Errorf("%d: the ciphertext is %x, not %x", v.ID, made, ciphertext)
	}
	_, tag = c.parts(t, head)
	for i, b := range unhex(t, v.Tag) {
		tag[i] ^= b ^ right[i]
	}
	return ciphertext, tag
}
