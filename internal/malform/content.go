package malform

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"io"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
)

// contentVariants are the faults of the content encryption.
var contentVariants = []Variant{
	{Code: fault.OpenTag, Name: "tag-flipped",
		change: editTag(func(tag []byte) []byte { tag[7] ^= 0x10; return tag })},
	{Code: fault.OpenTag, Name: "tag-of-zeros",
		change: editTag(func(tag []byte) []byte { return make([]byte, len(tag)) })},
	{Code: fault.OpenTag, Name: "ciphertext-flipped", change: func(w *message) {
		w.editOuter = func(_, _, ciphertext, _ *[]byte) {
			if c := *ciphertext; len(c) > 0 {
				c[len(c)/2] ^= 1
			} else {
				*ciphertext = []byte{0}
			}
		}
	}},
	{Code: fault.OpenTag, Name: "ciphertext-cut", change: func(w *message) {
		w.editOuter = func(_, _, ciphertext, _ *[]byte) {
			unit := max(1, w.Content.Block)
			if c := *ciphertext; len(c) > w.Content.Block {
				*ciphertext = c[:len(c)-unit]
			} else {
				*ciphertext = append(c, make([]byte, unit)...)
			}
		}
	}},
	{Code: fault.OpenTag, Name: "iv-flipped", change: func(w *message) {
		w.editOuter = func(_, iv, _, _ *[]byte) { (*iv)[3] ^= 1 }
	}},
	{Code: fault.OpenTag, Name: "header-changed-afterwards", change: func(w *message) {
		w.aad = func(headerJSON, _ string) []byte {
			return []byte(encode([]byte(headerJSON[:len(headerJSON)-1] + `,"was":"here"}`)))
		}
	}},

	{Code: fault.OpenIV16, Name: "16-bytes", only: notPadded, change: func(w *message) { w.iv = random(16) }},
	{Code: fault.OpenTagShort, Name: "12-bytes", change: editTag(func(tag []byte) []byte { return tag[:12] })},
	{Code: fault.OpenTagShort, Name: "15-bytes", change: editTag(func(tag []byte) []byte { return tag[:15] })},
	{Code: fault.OpenTagShort, Name: "8-bytes", change: editTag(func(tag []byte) []byte { return tag[:8] })},

	{Code: fault.OpenAAD, Name: "header-json", change: func(w *message) {
		w.aad = func(headerJSON, _ string) []byte { return []byte(headerJSON) }
	}},
	{Code: fault.OpenAAD, Name: "empty", change: func(w *message) {
		w.aad = func(_, _ string) []byte { return nil }
	}},
	{Code: fault.OpenAAD, Name: "header-text-padded", change: func(w *message) {
		w.outer.json = func(s string) string {
			for len(s)%3 == 0 { // else there is no padding
				s += " "
			}
			return s
		}
		w.aad = func(headerJSON, _ string) []byte {
			return []byte(base64.URLEncoding.EncodeToString([]byte(headerJSON)))
		}
	}},

	{Code: fault.OpenCompressed, Name: "deflate", change: func(w *message) { w.content = deflated }},
	{Code: fault.OpenCompressed, Name: "zlib", change: func(w *message) {
		w.content = compressed(func(b io.Writer) io.WriteCloser { return zlib.NewWriter(b) })
	}},
	{Code: fault.OpenCompressed, Name: "gzip", change: func(w *message) {
		w.content = compressed(func(b io.Writer) io.WriteCloser { return gzip.NewWriter(b) })
	}},
	{Code: fault.OpenCompressed, Name: "bomb", change: func(w *message) {
		w.content = func([]byte) ([]byte, error) { return bomb(bombSize) }
	}},
}

func editTag(edit func([]byte) []byte) func(*message) {
	return func(w *message) {
		w.editOuter = func(_, _, _, tag *[]byte) { *tag = edit(*tag) }
	}
}

// sealGCM encrypts with AES-GCM of the size of the key, and accepts an initialization
// vector of any length. A key of an impossible length is cut to that of c or filled with
// zeros.
func sealGCM(c *alg.Content) func(w *message, plaintext, aad []byte) (ciphertext, tag []byte, err error) {
	return func(w *message, plaintext, aad []byte) (ciphertext, tag []byte, err error) {
		key := w.cek
		if n := len(key); n != 16 && n != 24 && n != 32 {
			key = fitted(key, c.CEK)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, nil, err
		}
		aead, err := cipher.NewGCMWithNonceSize(block, len(w.iv))
		if err != nil {
			return nil, nil, err
		}
		sealed := aead.Seal(nil, w.iv, plaintext, aad)
		cut := len(sealed) - aead.Overhead()
		return sealed[:cut:cut], sealed[cut:], nil
	}
}

// sealCBC is AES-CBC with HMAC (RFC 7518 section 5.2). A key of another length is cut to
// that of c or filled with zeros.
func sealCBC(c *alg.Content) func(w *message, plaintext, aad []byte) (ciphertext, tag []byte, err error) {
	return func(w *message, plaintext, aad []byte) (ciphertext, tag []byte, err error) {
		key := fitted(w.cek, c.CEK)
		block, err := aes.NewCipher(key[c.CEK/2:])
		if err != nil {
			return nil, nil, err
		}
		fill := c.Block - len(plaintext)%c.Block
		ciphertext = append(bytes.Clone(plaintext), bytes.Repeat([]byte{byte(fill)}, fill)...)
		cipher.NewCBCEncrypter(block, w.iv).CryptBlocks(ciphertext, ciphertext)
		mac := hmac.New(c.Hash.New, key[:c.CEK/2])
		mac.Write(aad)
		mac.Write(w.iv)
		mac.Write(ciphertext)
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(aad))*8))
		return ciphertext, mac.Sum(nil)[:c.Tag], nil
	}
}

// fitted returns key, cut to n bytes or filled with zeros.
func fitted(key []byte, n int) []byte {
	whole := make([]byte, n)
	copy(whole, key)
	return whole
}

func deflated(content []byte) ([]byte, error) {
	return compressed(func(b io.Writer) io.WriteCloser {
		z, _ := flate.NewWriter(b, flate.DefaultCompression) // the level is valid
		return z
	})(content)
}

func compressed(open func(io.Writer) io.WriteCloser) func([]byte) ([]byte, error) {
	return func(content []byte) ([]byte, error) {
		var b bytes.Buffer
		z := open(&b)
		if _, err := z.Write(content); err != nil {
			return nil, err
		}
		if err := z.Close(); err != nil {
			return nil, err
		}
		return b.Bytes(), nil
	}
}

// bombSize is the inflated size of a bomb, which is 100 KB long.
const bombSize = 100 << 20

// bomb returns DEFLATE that inflates to size zeros, a thousand times its own length. A
// block after a flush may be repeated: it refers only to zeros before it.
func bomb(size int) ([]byte, error) {
	block, times := min(1<<20, size/4), max(4, size>>20)
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		return nil, err
	}
	zeros := make([]byte, block)
	var starts [3]int
	for i := 1; i < len(starts); i++ {
		if _, err := z.Write(zeros); err != nil {
			return nil, err
		}
		if err := z.Flush(); err != nil {
			return nil, err
		}
		starts[i] = b.Len()
	}
	again := bytes.Clone(b.Bytes()[starts[1]:starts[2]])
	for range times - 2 {
		b.Write(again)
	}
	b.Write([]byte{0x03, 0x00}) // a last, empty block
	return b.Bytes(), nil
}
