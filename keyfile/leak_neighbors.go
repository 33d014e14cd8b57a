package keyfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/smallstep/pkcs7"
)

const mostPublic = 256 // public keys of one file that are told apart

// PublicKeys names the RSA public keys in the first 16 MiB of a file of any form and
// any damage, each by the SHA-256 of its SubjectPublicKeyInfo in hexadecimal: those of
// its certificates, and what else has that form. More than 256 are not named.
//
// It is for what came with a private key of which the public part can't be seen.
func PublicKeys(data []byte) []string {
	data = data[:min(len(data), maxSearched)]
	var found []string
	add := func(octets []byte) {
		for _, spki := range spkiIn(octets) {
			sum := sha256.Sum256(spki)
			if name := hex.EncodeToString(sum[:]); len(found) < mostPublic && !slices.Contains(found, name) {
				found = append(found, name)
			}
		}
	}
	add(data)
	if recognise(data) == kindPKCS12 && len(data) <= maxFile {
		bags, _, _ := bagsIn(data)
		for _, b := range bags {
			add(b.Value.Bytes)
		}
	}
	text, _ := plainText(data)
	decoded := encodedIn(text, add)
	for _, inner := range decoded {
		encodedIn(inner, add)
	}
	return found
}

// encodedIn passes on what the PEM and base64 in text decode to, and returns what of
// it is PEM again.
func encodedIn(text []byte, pass func([]byte)) (again [][]byte) {
	text = bytes.ReplaceAll(text, []byte(`\/`), []byte("/")) // as some write JSON
	take := func(decoded []byte) {
		pass(decoded)
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
	for rest := text; ; { // in lines of any length
		_, behind, ok := bytes.Cut(rest, []byte(pemBegin))
		if !ok {
			return again
		}
		_, rest, _ = bytes.Cut(behind, []byte(pemDash))
		body, _, _ := bytes.Cut(rest, []byte(pemDash))
		pass(pemBlock{body: body}.bytes())
	}
}

// spkiIn finds each SubjectPublicKeyInfo with an RSA key (RFC 3279, section 2.3.1).
func spkiIn(octets []byte) (found [][]byte) {
	// The algorithm with its NULL, and the BIT STRING behind it.
	mark := []byte{tagSequence, 13, tagOID, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0, tagBitString}
	for at := 0; len(found) < mostPublic; at++ {
		next := bytes.Index(octets[at:], mark)
		if next < 0 {
			return found
		}
		at += next
		for header := 2; header <= 5 && header <= at; header++ {
			e, err := firstElement(octets[at-header:])
			if err == nil && e.tag == tagSequence && e.header == header && !e.indefinite && e.length == len(e.body) && e.length > len(mark) {
				found = append(found, octets[at-header:at+e.length])
				break
			}
		}
	}
	return found
}

// SignedContent tells a PKCS#7 that somebody signed with, such as the signature of a
// mail (RFC 8551), from one that only carries certificates: those in the former are
// the signer's. content is what was signed, where it is in there.
func SignedContent(data []byte) (content []byte, signed bool) {
	if len(data) > maxSearched {
		return nil, false
	}
	der := data
	if !isDER(der) {
		text, _ := plainText(data)
		text = bytes.TrimSpace(text)
		if blocks, err := pemBlocks(text); err == nil && len(blocks) == 1 {
			der = blocks[0].bytes()
		} else if der, signed = bareBase64(text); !signed {
			return nil, false
		}
	}
	if recognise(der) != kindSignedData || otherContent(der) != "" || checkASN1(der) != nil {
		return nil, false
	}
	p7, err := pkcs7.Parse(der)
	if err != nil || len(p7.Signers) == 0 {
		return nil, false
	}
	return p7.Content, true
}
