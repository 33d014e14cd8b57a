package inspect

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/subtle"
	"encoding/binary"
	"fmt"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
)

// openCBC decrypts even if a tag does not match, to see what would have fitted. Code that
// serves messages must never do that.
func (x *examiner) openCBC(c *alg.Content, cek []byte) (content []byte, ok bool) {
	t, o := x.outer, x.r.Opening
	iv, ciphertext, tag := t.data[2], t.data[3], t.data[4]
	behind := len(tag) == 0 && len(ciphertext) >= c.Tag
	if behind {
		cut := len(ciphertext) - c.Tag
		ciphertext, tag = ciphertext[:cut], ciphertext[cut:]
	}
	if len(iv) != c.IV || !c.IsCiphertextLen(len(ciphertext)) {
		o.Content = "not opened: the initialization vector or the ciphertext has a length that AES-CBC does not take"
		return nil, false
	}
	block, err := aes.NewCipher(cek[c.CEK/2:])
	if err != nil {
		o.Content = "not opened: the content encryption key has no length that AES has"
		return nil, false
	}
	plaintext := make([]byte, len(ciphertext))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plaintext, ciphertext)
	for i, aad := range t.additionalData() {
		mac := hmac.New(c.Hash.New, cek[:c.CEK/2])
		for _, part := range [][]byte{aad.data, iv, ciphertext} {
			mac.Write(part)
		}
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(aad.data))*8))
		due := mac.Sum(nil)
		n := min(len(tag), c.Tag)
		if n < leastTag || subtle.ConstantTimeCompare(due[:n], tag[:n]) == 0 {
			continue
		}
		x.opened(c.Name, i, aad.name)
		x.oddTag(c, len(tag), behind)
		return x.unpadded(c, plaintext)
	}
	o.Content = "not opened: the tag does not match"
	if !t.damaged && len(tag) >= leastTag {
		x.fault(stepContent, fault.OpenTag, "content", looksCBC(c, plaintext))
	}
	return nil, false
}

// unpadded removes PKCS #7 padding. If it is wrong, the reader that serves messages only
// reports that the content does not open.
func (x *examiner) unpadded(c *alg.Content, plaintext []byte) (content []byte, ok bool) {
	fill := int(plaintext[len(plaintext)-1])
	ok = fill >= 1 && fill <= c.Block
	for i := 1; ok && i <= fill; i++ {
		ok = int(plaintext[len(plaintext)-i]) == fill
	}
	if !ok {
		x.r.Opening.Content = "not opened: its padding is wrong"
		x.fault(stepContent, fault.OpenTag, "content", fmt.Sprintf("The tag matches, but the content "+
			"is not padded to blocks of %d bytes as PKCS #7 does (RFC 7518 section 5.2.2.1).", c.Block))
		return nil, false
	}
	return plaintext[:len(plaintext)-fill], true
}

// looksCBC describes the decrypted text without revealing any of it. A wrong initialization
// vector affects the first block only.
func looksCBC(c *alg.Content, plaintext []byte) string {
	if readable(plaintext[min(len(plaintext), c.Block):]) {
		return "The key is right, because the decrypted text is readable: the tag, the header, the " +
			"initialization vector or a few bytes of the ciphertext were changed on the way."
	}
	return "The decrypted text is not readable: the content was encrypted with another key than the token has, " +
		"or the halves of the key were swapped."
}
