package rsapad

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
)

// pssSalt is the length of the salt of PS256 (RFC 7518 section 3.5): that of the
// hash.
const pssSalt = sha256.Size

// scheme reads the options of a signature: RSASSA-PSS or RSASSA-PKCS1-v1_5, with
// SHA-256, and a salt as long as that. Others are an error.
func scheme(options crypto.SignerOpts) (pss bool, err error) {
	o, pss := options.(*rsa.PSSOptions)
	switch {
	case !pss && options != nil && options.HashFunc() == crypto.SHA256,
		pss && o != nil && o.Hash == crypto.SHA256 &&
			(o.SaltLength == rsa.PSSSaltLengthEqualsHash || o.SaltLength == pssSalt):
		return pss, nil
	}
	return false, errors.New("only RS256 and PS256 are supported: " +
		"use crypto.SHA256 as the options, or *rsa.PSSOptions with it and a salt as long as the hash")
}

// encodePSS writes EMSA-PSS-ENCODE (RFC 8017, section 9.1.1) of a SHA-256 digest with a fresh salt to
// em, which is as long as the modulus, has its number of bits, and must consist of zeros.
func encodePSS(em, digest []byte, modulusBits int) {
	em = em[len(em)-(modulusBits+6)/8:] // the block may be a byte shorter than the modulus
	last := len(em) - 1
	db, h := em[:last-sha256.Size], em[last-sha256.Size:last]
	em[last] = 0xbc
	fill := len(db) - pssSalt - 1
	db[fill] = 1
	rand.Read(db[fill+1:])
	var input [8 + 2*sha256.Size]byte
	copy(input[8:], digest)
	copy(input[8+sha256.Size:], db[fill+1:])
	sum := sha256.Sum256(input[:])
	copy(h, sum[:])
	mask(db, h, crypto.SHA256)
	db[0] &= 0xff >> (8*len(em) - (modulusBits - 1))
}

// verifyPSS is EMSA-PSS-VERIFY (RFC 8017, section 9.1.2) of a SHA-256 digest. em
// is as long as the modulus, which has that many bits, and is used up. All of it is
// public.
func verifyPSS(em, digest []byte, modulusBits int) bool {
	if modulusBits%8 == 1 { // the block is a byte shorter than the modulus
		if em[0] != 0 {
			return false
		}
		em = em[1:]
	}
	top := byte(0xff) >> (8*len(em) - (modulusBits - 1)) // the bits of its first byte
	last := len(em) - 1
	db, h := em[:last-sha256.Size], em[last-sha256.Size:last]
	if em[last] != 0xbc || em[0]&^top != 0 {
		return false
	}
	mask(db, h, crypto.SHA256)
	db[0] &= top
	fill := len(db) - pssSalt - 1
	for _, b := range db[:fill] {
		if b != 0 {
			return false
		}
	}
	if db[fill] != 1 {
		return false
	}
	var input [8 + 2*sha256.Size]byte
	copy(input[8:], digest)
	copy(input[8+sha256.Size:], db[fill+1:])
	due := sha256.Sum256(input[:])
	return subtle.ConstantTimeCompare(due[:], h) == 1
}
