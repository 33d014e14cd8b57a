package alg

import (
	"crypto"
	"crypto/aes"
)

// Content is a content encryption of a JWE (RFC 7518 section 5). Its lengths are
// in bytes.
type Content struct {
	Name string
	CEK  int // content encryption key
	IV   int // initialization vector
	Tag  int // authentication tag

	// The plaintext is padded to a multiple of Block, and Hash is that of the HMAC. AES-GCM
	// has neither.
	Block int
	Hash  crypto.Hash

	seal func(cek, iv, plaintext, additional []byte) (sealed []byte, err error)
	open func(cek, sealed, additional []byte) (plaintext []byte, err error)
}

// The content encryptions.
var (
	A128GCM = &Content{Name: "A128GCM", CEK: 16, IV: gcmIV, Tag: gcmTag, seal: sealGCM, open: openGCM}
	A256GCM = &Content{Name: "A256GCM", CEK: 32, IV: gcmIV, Tag: gcmTag, seal: sealGCM, open: openGCM}

	A128CBCHS256 = &Content{Name: "A128CBC-HS256", CEK: 32, IV: aes.BlockSize, Tag: 16,
		Block: aes.BlockSize, Hash: crypto.SHA256, seal: hs256.seal, open: hs256.open}
	A256CBCHS512 = &Content{Name: "A256CBC-HS512", CEK: 64, IV: aes.BlockSize, Tag: 32,
		Block: aes.BlockSize, Hash: crypto.SHA512, seal: hs512.seal, open: hs512.open}

	Contents = Table[*Content]{A256GCM, A128GCM, A256CBCHS512, A128CBCHS256}
)

// The maximum lengths in the table, in bytes.
const (
	MaxCEK = 64
	MaxIV  = 16
	MaxTag = 32
)

func (c *Content) String() string { return c.Name }

// CiphertextLen returns the length of the ciphertext for n bytes of plaintext.
func (c *Content) CiphertextLen(n int) int {
	if c.Block == 0 {
		return n
	}
	return n + c.Block - n%c.Block
}

// IsCiphertextLen reports whether a ciphertext can have n bytes.
func (c *Content) IsCiphertextLen(n int) bool { return c.Block == 0 || n > 0 && n%c.Block == 0 }

// Seal encrypts plaintext in place under a key that must not have encrypted anything else,
// and returns ciphertext and tag in one piece. The buffer needs the capacity for the
// ciphertext, the tag and one initialization vector, because one implementation puts it
// before the ciphertext while it works. Seal generates the initialization vector and writes
// it to iv.
func (c *Content) Seal(cek, iv, plaintext, additional []byte) (sealed []byte, err error) {
	return c.seal(cek, iv[:c.IV], plaintext, additional)
}

// Open decrypts initialization vector, ciphertext and tag, which are in one piece and have
// the lengths of c, in place. If it fails, it overwrites them with zeros. Its time does not
// depend on which of key, vector, ciphertext or tag is wrong.
func (c *Content) Open(cek, sealed, additional []byte) (plaintext []byte, err error) {
	return c.open(cek, sealed, additional)
}
