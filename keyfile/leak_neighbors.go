package keyfile

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"github.com/sealane/sealane/internal/unpack"
)

const maxPublic = 256 // public keys of one file

// FindPublicKeys returns up to 256 RSA public keys in the first 16 MiB of a file in any
// format and with any damage, and in the files that it holds: those of its certificates, and every other
// SubjectPublicKeyInfo.
//
// If a [Leak] does not identify its pair, any key that came with it may be the one.
func FindPublicKeys(data []byte) []SPKIHash {
	data = data[:min(len(data), maxSearched)]
	opened := unpack.Open(data, SignedContent)
	var found []SPKIHash
	for _, p := range opened.Parts {
		found = publicKeysIn(p.Data, found)
	}
	if opened.Holds() {
		found = publicKeysIn(data, found)
	}
	return found
}

// publicKeysIn adds the public keys of a file that holds no others.
func publicKeysIn(data []byte, found []SPKIHash) []SPKIHash {
	add := func(octets []byte) {
		for _, spki := range spkiIn(octets) {
			if hash := SPKIHash(sha256.Sum256(spki)); len(found) < maxPublic && !slices.Contains(found, hash) {
				found = append(found, hash)
			}
		}
	}
	add(data)
	if recognize(data) == kindPKCS12 && len(data) <= MaxSize {
		bags, _, _ := bagsIn(data)
		for _, b := range bags {
			add(b.Value.Bytes)
		}
	}
	text, _ := plainText(data)
	for _, reading := range [][]byte{text, unpack.Meant(text)} {
		for _, inner := range decodeAll(reading, add) {
			decodeAll(inner, add)
		}
	}
	return found
}

// decodeAll calls found with what each PEM block and each run of base64 in text decodes
// to. It returns those results that hold PEM again.
func decodeAll(text []byte, found func([]byte)) (again [][]byte) {
	text = bytes.ReplaceAll(text, []byte(`\/`), []byte("/")) // as some write JSON
	take := func(decoded []byte) {
		found(decoded)
		if bytes.Contains(decoded, []byte(pemBegin)) {
			again = append(again, decoded)
		}
	}
	for decoded := range longBase64(text) {
		take(decoded)
	}
	if whole, ok := bareBase64(bytes.TrimSpace(text)); ok {
		take(whole)
	}
	for rest := text; ; { // PEM in lines of any length
		_, behind, ok := bytes.Cut(rest, []byte(pemBegin))
		if !ok {
			return again
		}
		_, rest, _ = bytes.Cut(behind, []byte(pemDash))
		body, _, _ := bytes.Cut(rest, []byte(pemDash))
		found(pemBlock{body: body}.bytes())
	}
}

// spkiIn finds each SubjectPublicKeyInfo with an RSA key (RFC 3279, section 2.3.1).
func spkiIn(octets []byte) (found [][]byte) {
	// The algorithm with its NULL, and the start of the BIT STRING after it.
	mark := []byte{tagSequence, 13, tagOID, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0, tagBitString}
	for at := 0; len(found) < maxPublic; at++ {
		next := bytes.Index(octets[at:], mark)
		if next < 0 {
			return found
		}
		at += next
		for header := 2; header <= 5 && header <= at; header++ {
			e, err := firstElement(octets[at-header:])
			if err == nil && e.tag == tagSequence && e.header == header && e.whole() && e.length > len(mark) {
				found = append(found, octets[at-header:at+e.length])
				break
			}
		}
	}
	return found
}
