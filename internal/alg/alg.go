// Package alg is the table of the algorithms of RFC 7518 that Sealane supports: their
// names, hashes, paddings and lengths, and the functions that sign, verify, encrypt and
// decrypt. All other packages use it. A profile may name any of these algorithms; none is
// used unless a profile names it.
//
// There are three kinds, with a type for each: [Signature], [KeyEncryption] and [Content].
// An algorithm is one entry in [Signatures], [KeyEncryptions] or [Contents].
package alg

import (
	"crypto"
	"crypto/rsa"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Table holds the algorithms of one kind.
type Table[A fmt.Stringer] []A

// Names lists the algorithms by their names.
func (t Table[A]) Names() []string {
	names := make([]string, len(t))
	for i, a := range t {
		names[i] = a.String()
	}
	return names
}

// Find returns the algorithm of that name, which is compared byte for byte.
func (t Table[A]) Find(name string) (a A, ok bool) {
	for _, a := range t {
		if a.String() == name {
			return a, true
		}
	}
	return a, false
}

// Select returns the algorithms of those names, in the order of the names.
func (t Table[A]) Select(names []string) ([]A, error) {
	list := make([]A, 0, len(names))
	for _, name := range names {
		a, ok := t.Find(name)
		if !ok {
			return nil, fmt.Errorf("algorithm %.40q is not one of %q", name, t.Names())
		}
		list = append(list, a)
	}
	return list, nil
}

// RSA is the key type of every signature and key encryption of the table, as a
// JWK names it (RFC 7518 section 6.1).
const RSA = "RSA"

// RSABits lists the supported sizes of RSA keys.
var RSABits = []int{2048, 3072, 4096}

// ModulusLen reports whether n is the length in bytes of a signature or an encrypted key
// made with an RSA key of one of RSABits.
func ModulusLen(n int) bool { return slices.Contains(RSABits, n*8) }

// ModulusLens lists those lengths, as "256, 384 or 512".
func ModulusLens() string {
	var texts []string
	for _, bits := range RSABits {
		texts = append(texts, strconv.Itoa(bits/8))
	}
	last := len(texts) - 1
	return strings.Join(texts[:last], ", ") + " or " + texts[last]
}

// PublicKey is an RSA public key and the implementation of its operations.
type PublicKey struct {
	*rsa.PublicKey
	By PublicOps // nil: crypto/rsa
}

// PublicOps is the same as keyring.PublicOps.
type PublicOps interface {
	EncryptOAEP(hash crypto.Hash, message []byte) ([]byte, error)
	Verify(digest, signature []byte, options crypto.SignerOpts) error
}
