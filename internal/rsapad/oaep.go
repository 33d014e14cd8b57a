package rsapad

import (
	"crypto"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
)

// DecodeOAEP removes the encoding of RSAES-OAEP with an empty label (RFC 8017 section 7.1.2 step 3)
// from em, in place, and returns the message, a part of em. Up to the result neither time nor memory
// access depends on the contents, so that nothing tells which check failed. The rest of em is wiped.
func DecodeOAEP(em []byte, hash crypto.Hash) (message []byte, ok bool) {
	size := hash.Size()
	seed, db := em[1:1+size], em[1+size:]
	mask(seed, db, hash)
	mask(db, seed, hash)

	var label [sha256.Size]byte
	digest(&label, nil, hash)
	good := subtle.ConstantTimeByteEq(em[0], 0) & subtle.ConstantTimeCompare(db[:size], label[:size])

	// After the label come zeros, one 1, and the message.
	start, before := 0, 1
	for i, b := range db[size:] {
		one := before & subtle.ConstantTimeByteEq(b, 1)
		start = subtle.ConstantTimeSelect(one, i+1, start)
		before &= one ^ 1
		good &= (before ^ 1) | subtle.ConstantTimeByteEq(b, 0)
	}
	good &= before ^ 1

	if good == 0 {
		clear(em)
		return nil, false
	}
	start += 1 + 2*size
	clear(em[:start])
	return em[start:len(em):len(em)], true
}

// encodeOAEP is the inverse of DecodeOAEP. em must consist of zeros.
func encodeOAEP(em, message []byte, hash crypto.Hash) {
	size := hash.Size()
	seed, db := em[1:1+size], em[1+size:]
	rand.Read(seed)
	var label [sha256.Size]byte
	digest(&label, nil, hash)
	copy(db, label[:size])
	db[len(db)-len(message)-1] = 1
	copy(db[len(db)-len(message):], message)
	mask(db, seed, hash)
	mask(seed, db, hash)
}

// mask XORs into with MGF1 of seed (RFC 8017 appendix B.2.1).
func mask(into, seed []byte, hash crypto.Hash) {
	var input [MaxModulus + 4]byte
	var output [sha256.Size]byte
	n := copy(input[:], seed)
	for counter := uint32(0); len(into) > 0; counter++ {
		binary.BigEndian.PutUint32(input[n:], counter)
		digest(&output, input[:n+4], hash)
		into = into[subtle.XORBytes(into, into, output[:hash.Size()]):]
	}
	clear(input[:])
	clear(output[:])
}

// digest calls the two hashes by name, so that nothing is allocated.
func digest(into *[sha256.Size]byte, data []byte, hash crypto.Hash) {
	if hash == crypto.SHA1 {
		sum := sha1.Sum(data)
		copy(into[:], sum[:])
		return
	}
	*into = sha256.Sum256(data)
}
