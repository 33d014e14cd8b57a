package inspect

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"math/big"
	"strings"

	"github.com/sealane/sealane/internal/alg"
)

// made reports whether a key made a signature over some content: the decrypted signature
// has the right form, which only the owner of the private key can produce. The hash is
// SHA-256.
func made(s *alg.Signature, key *rsa.PublicKey, signature []byte) bool {
	size := key.Size()
	n := new(big.Int).SetBytes(signature)
	if len(signature) != size || n.Cmp(key.N) >= 0 {
		return false
	}
	encoded := n.Exp(n, big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, size))
	if s.PSS {
		return isPSS(encoded, key.N.BitLen()-1)
	}
	return isPKCS1(encoded)
}

// isPKCS1 is EMSA-PKCS1-v1_5 (RFC 8017 section 9.2) without its digest.
func isPKCS1(encoded []byte) bool {
	const name = "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
	fill := len(encoded) - 3 - len(name) - sha256.Size
	return fill >= 8 && bytes.HasPrefix(encoded, []byte("\x00\x01"+strings.Repeat("\xff", fill)+"\x00"+name))
}

// isPSS is EMSA-PSS (RFC 8017 section 9.1.2) with that many bits, as far as it can be
// checked without the digest: the mask hides zeros, a one and the salt.
func isPSS(encoded []byte, bits int) bool {
	encoded = encoded[len(encoded)-(bits+7)/8:]
	last := len(encoded) - 1
	db, h := encoded[:last-sha256.Size], encoded[last-sha256.Size:last]
	if encoded[last] != 0xbc {
		return false
	}
	var mask []byte // MGF1 (RFC 8017 appendix B.2.1)
	for counter := uint32(0); len(mask) < len(db); counter++ {
		block := sha256.Sum256(binary.BigEndian.AppendUint32(bytes.Clone(h), counter))
		mask = append(mask, block[:]...)
	}
	subtle.XORBytes(db, db, mask)
	db[0] &= 0xff >> (8*len(encoded) - bits)
	front := len(db) - sha256.Size - 1
	return bytes.Count(db[:front], []byte{0}) == front && db[front] == 1
}
