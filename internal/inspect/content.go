package inspect

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/termtext"
)

// leastTag is the minimum number of bytes of a tag to compare: fewer match by chance.
const leastTag = 4

// openContent decrypts the content with a content encryption key as it was decrypted from
// the encrypted key.
func (x *examiner) openContent(cek []byte) (content []byte, ok bool) {
	t, o := x.outer, x.r.Opening
	enc := t.header.values["enc"]
	c, known := x.lengthsOf(t)
	if !known {
		o.Content = "not opened: " + show(enc) + " is not known here"
		return nil, false
	}
	key := x.contentKey(cek, c, enc)
	if c.Block > 0 {
		content, ok = x.openCBC(c, key)
	} else {
		content, ok = x.openGCM(key)
	}
	if !ok {
		return nil, false
	}
	return x.inflate(content)
}

// contentKey reports a wrong length of a content encryption key and returns the key that
// was probably meant.
func (x *examiner) contentKey(cek []byte, c *alg.Content, enc string) []byte {
	due := c.CEK
	if enc == a192GCM {
		due = 24
	}
	if len(cek) == due {
		return cek
	}
	decodings := []struct {
		name   string
		decode func(string) ([]byte, error)
	}{
		{"hexadecimal", hex.DecodeString},
		{"base64url", base64.RawURLEncoding.DecodeString},
		{"base64url with padding", base64.URLEncoding.DecodeString},
		{"base64", base64.StdEncoding.DecodeString},
		{"base64 without padding", base64.RawStdEncoding.DecodeString},
	}
	for _, d := range decodings {
		if raw, err := d.decode(strings.TrimSpace(string(cek))); err == nil && len(raw) == due {
			x.fault(stepKey, fault.OpenCEKText, "encrypted key", "It is "+d.name+".")
			return raw
		}
	}
	text := fmt.Sprintf("It has %d bytes, not %d.", len(cek), due)
	for _, other := range alg.Contents {
		if other.CEK == len(cek) {
			text += fmt.Sprintf(" %s takes %d.", other, other.CEK)
		}
	}
	x.fault(stepKey, fault.OpenCEKLength, "encrypted key", text)
	if c.Block == 0 && gcmName(len(cek)) != "" {
		return cek
	}
	whole := make([]byte, due)
	copy(whole, cek)
	return whole
}

// a192GCM is not in the table, but senders may use it.
const a192GCM = "A192GCM"

// gcmName returns the name of AES-GCM with a key of n bytes, or "".
func gcmName(n int) string {
	for _, c := range alg.Contents {
		if c.Block == 0 && c.CEK == n {
			return c.Name
		}
	}
	if n == 24 {
		return a192GCM
	}
	return ""
}

// openGCM decrypts first and compares tags afterwards, to see what would have fitted. Code
// that serves messages must never do that.
func (x *examiner) openGCM(key []byte) (content []byte, ok bool) {
	t, o := x.outer, x.r.Opening
	iv, ciphertext, tag := t.data[2], t.data[3], t.data[4]
	const longestIV = 64
	if len(iv) == 0 || len(iv) > longestIV {
		o.Content = "not opened: there is no usable initialization vector"
		return nil, false
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		o.Content = "not opened: the content encryption key has no length that AES has"
		return nil, false
	}
	aead, err := cipher.NewGCMWithNonceSize(block, len(iv))
	if err != nil { // FIPS 140-3 enforcement: only the announced way can be tried
		return x.openApproved(block, key)
	}
	c := alg.A256GCM // lengths are the same with every key
	behind := len(tag) == 0 && len(ciphertext) >= c.Tag
	if behind {
		cut := len(ciphertext) - c.Tag
		ciphertext, tag = ciphertext[:cut], ciphertext[cut:]
	}
	// Counter mode is its own inverse.
	plaintext := aead.Seal(nil, iv, ciphertext, nil)[:len(ciphertext):len(ciphertext)]
	scratch := make([]byte, 0, len(plaintext)+c.Tag)
	for i, aad := range t.additionalData() {
		due := aead.Seal(scratch, iv, plaintext, aad.data)[len(plaintext):]
		n := min(len(tag), c.Tag)
		if n < leastTag || subtle.ConstantTimeCompare(due[:n], tag[:n]) == 0 {
			continue
		}
		x.opened(gcmName(len(key)), i, aad.name)
		x.oddIV(c, len(iv))
		x.oddTag(c, len(tag), behind)
		return plaintext, true
	}
	o.Content = "not opened: the tag does not match"
	if !t.damaged && len(tag) >= leastTag {
		x.fault(stepContent, fault.OpenTag, "content", looks(plaintext))
	}
	return nil, false
}

// opened reports how the content opened. The first two kinds of additional data are right.
func (x *examiner) opened(name string, additional int, what string) {
	x.r.Opening.Content = name
	if additional > 1 {
		x.r.Opening.Content += ", with other additional data"
		x.fault(stepContent, fault.OpenAAD, "authentication tag", "The sender took "+what+".")
	}
}

// oddIV and oddTag refine the finding about a length that turned out to fit.
func (x *examiner) oddIV(c *alg.Content, iv int) {
	switch iv {
	case c.IV:
	case 16:
		x.fault(stepContent, fault.OpenIV16, "initialization vector", "")
		x.supersede(fault.IVLength)
	default:
		x.note(stepLength, "initialization vector",
			fmt.Sprintf("The content opens with this initialization vector of %d bytes: the sender generated "+
				"too many or too few.", iv))
	}
}

func (x *examiner) oddTag(c *alg.Content, tag int, behind bool) {
	switch {
	case behind:
		x.fault(stepContent, fault.OpenTagInCiphertext, "authentication tag", "")
		x.supersede(fault.TagLength)
	case tag < c.Tag:
		x.fault(stepContent, fault.OpenTagShort, "authentication tag",
			fmt.Sprintf("Its %d bytes are the first of the right tag.", tag))
		if !x.outer.torn(4) { // a tag that was cut on the way remains reported as cut
			x.supersede(fault.TagLength)
		}
	case tag > c.Tag:
		x.note(stepLength, "authentication tag", fmt.Sprintf("Its first %d bytes are the right tag.", c.Tag))
	}
}

// openApproved does what FIPS 140-3 enforcement permits of AES-GCM.
func (x *examiner) openApproved(block cipher.Block, key []byte) ([]byte, bool) {
	t, o, c := x.outer, x.r.Opening, alg.A256GCM
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil || len(t.data[2]) != c.IV {
		o.Content = "not opened: FIPS 140-3 enforcement forbids the other ways to decrypt it"
		return nil, false
	}
	sealed := bytes.Join([][]byte{t.data[2], t.data[3], t.data[4]}, nil)
	for _, aad := range t.additionalData()[:2] {
		if content, err := aead.Open(nil, nil, sealed, aad.data); err == nil {
			x.opened(gcmName(len(key)), 0, "")
			x.oddTag(c, len(t.data[4]), len(t.data[4]) == 0)
			return content, true
		}
	}
	o.Content = "not opened: the tag does not match; FIPS 140-3 enforcement forbids further attempts"
	x.fault(stepContent, fault.OpenTag, "content", "")
	return nil, false
}

// looks describes the decrypted text without revealing any of it.
func looks(plaintext []byte) string {
	if len(plaintext) == 0 {
		return "The ciphertext is empty: it was left out, as in a detached JWE, or cut away."
	}
	if readable(plaintext) {
		return "The key and the initialization vector are right, because the decrypted text is readable: the " +
			"tag, the header or a few bytes of the ciphertext were changed on the way."
	}
	return "The decrypted text is not readable: the initialization vector is wrong, or the content was encrypted " +
		"with another key than the one in the token."
}

// readable reports whether nearly all of the first bytes are printable ASCII.
func readable(plaintext []byte) bool {
	head := plaintext[:min(len(plaintext), 256)]
	printable := 0
	for _, c := range head {
		if c >= 0x20 && c < 0x7f {
			printable++
		}
	}
	return len(head) > 0 && printable*10 >= len(head)*9
}

// inflate recognizes compressed content, announced or not.
func (x *examiner) inflate(content []byte) ([]byte, bool) {
	_, announced := x.zip()
	name, plain, whole := inflated(content)
	switch {
	case name == "":
		if announced {
			x.note(stepContent, "content", "It is not compressed, though zip is announced.")
		}
		return content, true
	case !announced:
		x.fault(stepContent, fault.OpenCompressed, "content", "It is "+name+".")
	}
	x.r.Opening.Content += ", compressed with " + name
	if !whole {
		x.note(stepContent, "content",
			fmt.Sprintf("It inflates from %s bytes to more than %s; the rest was not inflated.",
				termtext.Count(len(content)), termtext.Count(len(plain))))
		return nil, false
	}
	return plain, true
}

func (x *examiner) zip() (value string, announced bool) {
	for _, m := range x.outer.view.Members {
		if m.Name == "zip" {
			return m.Value, true
		}
	}
	return "", false
}

// inflated inflates content that is compressed as a whole, up to a bound that grows with
// its size; whole reports whether the end was reached.
func inflated(content []byte) (name string, plain []byte, whole bool) {
	if len(content) < 8 || readableStart(content) {
		return "", nil, false
	}
	limit := int64(min(64<<20, 64*len(content)+64<<10))
	in := bytes.NewReader(content)
	var z io.Reader
	var err error
	switch {
	case content[0] == 0x1f && content[1] == 0x8b:
		name = "gzip"
		z, err = gzip.NewReader(in)
	case content[0]&0x0f == 8 && (int(content[0])<<8|int(content[1]))%31 == 0:
		name = "zlib"
		z, err = zlib.NewReader(in)
	default:
		name, z = "DEFLATE", flate.NewReader(in)
	}
	if err != nil {
		return "", nil, false
	}
	plain, err = io.ReadAll(io.LimitReader(z, limit))
	switch {
	case err != nil || len(plain) == 0:
		return "", nil, false
	case int64(len(plain)) == limit:
		return name, plain, false
	case in.Len() > 0:
		return "", nil, false
	}
	return name, plain, true
}

// readableStart reports whether content begins like text. Compressed bytes do not, beyond
// the first few.
func readableStart(content []byte) bool {
	head := content[:min(len(content), 64)]
	for _, c := range head {
		if c < 0x20 && c != '\t' && c != '\r' && c != '\n' || c == 0x7f {
			return false
		}
	}
	for cut := range min(utf8.UTFMax, len(head)) { // the last character may be cut
		if utf8.Valid(head[:len(head)-cut]) {
			return true
		}
	}
	return false
}
