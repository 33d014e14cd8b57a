package alg

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"hash"
)

// cbcHMAC is AES-CBC with HMAC (RFC 7518 section 5.2). A content encryption key is
// a MAC key and an AES key, each of half bytes; the tag has half bytes too.
type cbcHMAC struct {
	half int
	hash func() hash.Hash
}

var (
	hs256 = cbcHMAC{16, sha256.New}
	hs512 = cbcHMAC{32, sha512.New}
)

var errOpen = errors.New("the content does not open")

func (c cbcHMAC) seal(cek, iv, plaintext, additional []byte) ([]byte, error) {
	rand.Read(iv)
	return c.sealWith(cek, iv, plaintext, additional)
}

func (c cbcHMAC) sealWith(cek, iv, plaintext, additional []byte) ([]byte, error) {
	block, err := aes.NewCipher(cek[c.half:])
	if err != nil {
		return nil, err
	}
	fill := aes.BlockSize - len(plaintext)%aes.BlockSize
	padded := plaintext
	for range fill {
		padded = append(padded, byte(fill))
	}
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(padded, padded)
	return append(padded, c.tag(cek[:c.half], iv, padded, additional)...), nil
}

// open checks the tag before anything is decrypted.
func (c cbcHMAC) open(cek, sealed, additional []byte) ([]byte, error) {
	iv, rest := sealed[:aes.BlockSize], sealed[aes.BlockSize:]
	ciphertext, tag := rest[:len(rest)-c.half], rest[len(rest)-c.half:]
	block, err := aes.NewCipher(cek[c.half:])
	if err != nil {
		return nil, err
	}
	holds := hmac.Equal(tag, c.tag(cek[:c.half], iv, ciphertext, additional))
	if !holds || len(ciphertext) == 0 || len(ciphertext)%aes.BlockSize != 0 {
		clear(sealed)
		return nil, errOpen
	}
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(ciphertext, ciphertext)
	fill, ok := padding(ciphertext)
	if !ok { // from a sender who has the key and padded wrongly
		clear(sealed)
		return nil, errOpen
	}
	return ciphertext[:len(ciphertext)-fill], nil
}

// tag is the first half of the HMAC of additional data, initialization vector,
// ciphertext, and the number of bits of the additional data.
func (c cbcHMAC) tag(key, iv, ciphertext, additional []byte) []byte {
	mac := hmac.New(c.hash, key)
	mac.Write(additional)
	mac.Write(iv)
	mac.Write(ciphertext)
	var bits [8]byte
	binary.BigEndian.PutUint64(bits[:], uint64(len(additional))*8)
	mac.Write(bits[:])
	return mac.Sum(nil)[:c.half]
}

// padding returns the length of PKCS #7 padding (RFC 5652 section 6.3), in a time
// that does not depend on it.
func padding(blocks []byte) (fill int, ok bool) {
	last := blocks[len(blocks)-aes.BlockSize:]
	fill = int(last[aes.BlockSize-1])
	good := subtle.ConstantTimeLessOrEq(1, fill) & subtle.ConstantTimeLessOrEq(fill, aes.BlockSize)
	for i, b := range last {
		padded := subtle.ConstantTimeLessOrEq(aes.BlockSize-i, fill)
		good &= subtle.ConstantTimeEq(int32(b), int32(fill)) | (padded ^ 1)
	}
	return fill, good == 1
}
