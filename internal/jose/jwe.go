package jose

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // RSA-OAEP, where a lane accepts it
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/sealane/sealane/fault"
)

// margin keeps the encoder's writes behind its reads, whatever it reads ahead.
const margin = 64

// Space gives dst with room for the JWE of n bytes of plaintext, and the place
// in that room from which Encrypt works without a buffer of its own: put the
// plaintext there.
//
//	dst | header . encrypted key . IV . |text of the ciphertext     | . tag
//	                                           |plaintext           |    spare
//
// The text is a third longer than what it stands for, and written forward: it
// reaches what is not yet read only at the end, and then by less than the margin.
func Space(dst []byte, n int, head Protected, key PublicKey) (room, place []byte) {
	text := len(dst) + len(head.text) + 1 + encodedLen(key.Size()) + 1 + encodedLen(ivLength) + 1
	start := text + encodedLen(n) - n + margin - ivLength
	end := start + n + ivLength + tagLength
	if cap(dst) < end {
		dst = append(make([]byte, 0, end), dst...)
	}
	return dst, dst[start:start:end]
}

// Encrypt encrypts plaintext to key with RSA-OAEP-256 and A256GCM and appends
// the compact serialization to dst. The content encryption key and the
// initialization vector are fresh; no caller can bring them. Where plaintext
// stands in the place that Space gave with dst, it is overwritten and nothing is
// copied.
func Encrypt(dst, plaintext []byte, head Protected, key PublicKey) ([]byte, error) {
	cek := make([]byte, cekLength)
	defer clear(cek)
	rand.Read(cek)
	encryptedKey, err := key.encrypt(cek)
	if err != nil {
		return nil, &Error{Kind: Key, Fault: fault.KeyUnavailable, Detail: "content encryption key", Err: err}
	}
	room, place := Space(dst, len(plaintext), head, key)
	if place = place[:len(plaintext)]; len(plaintext) > 0 && &place[0] != &plaintext[0] {
		copy(place, plaintext)
	}
	token := append(append(room, head.text...), '.')
	protected := token[len(dst) : len(token)-1]
	token = append(appendEncoded(token, encryptedKey), '.')
	var iv [ivLength]byte
	sealed, err := sealGCM(cek, &iv, place, protected)
	if err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	var tag [tagLength]byte
	copy(tag[:], sealed[len(plaintext):]) // the text will reach it
	token = append(appendEncoded(token, iv[:]), '.')
	token = append(appendEncoded(token, sealed[:len(plaintext)]), '.')
	return appendEncoded(token, tag[:]), nil
}

// Encrypted is a JWE in which all is right that can be seen without a key.
type Encrypted struct {
	Header       Header
	protected    []byte // the header's text: additional data
	encryptedKey []byte
	sealed       []byte // IV, ciphertext, tag in one piece
}

// ParseEncrypted reads a compact JWE of at most maxToken bytes whose key
// encryption is one of algs and whose content encryption one of encs. The token
// is left as it is. What it holds is decoded into the capacity of buffer, or
// into a new one where that does not do. Errors are of kind NotJWE.
func ParseEncrypted(buffer, token []byte, maxToken int, algs, encs []string) (*Encrypted, error) {
	if len(token) > maxToken {
		return nil, &Error{Kind: NotJWE, Fault: fault.TooLarge.In(fault.JWE),
			Detail: fmt.Sprintf("token has %d bytes, more than %d", len(token), maxToken)}
	}
	var parts [5][]byte
	if err := split(token, parts[:], fault.JWE, NotJWE); err != nil {
		return nil, err
	}
	e, err := readEncrypted(buffer, parts, algs, encs)
	if err != nil {
		return nil, countedFirst(err, token, len(parts), fault.JWE, NotJWE)
	}
	return e, nil
}

func readEncrypted(buffer []byte, parts [5][]byte, algs, encs []string) (*Encrypted, error) {
	h, err := header(parts[0], fault.JWE, NotJWE)
	if err != nil {
		return nil, err
	}
	f := fault.AlgNotAllowed.In(fault.JWE)
	switch h.Alg {
	case RSAOAEP:
		f = fault.AlgSHA1
	case "none":
		f = fault.AlgNone.In(fault.JWE)
	}
	if err := allowed(h.Alg, algs, f, NotJWE, "alg"); err != nil {
		return nil, err
	}
	if err := allowed(h.Enc, encs, fault.EncNotAllowed, NotJWE, "enc"); err != nil {
		return nil, err
	}
	return decodeEncrypted(buffer, h, parts)
}

func decodeEncrypted(buffer []byte, h Header, parts [5][]byte) (*Encrypted, error) {
	for _, c := range []struct {
		part       []byte
		right      func(int) bool
		name, want string
		fault      fault.Code
	}{
		{parts[1], modulusLength, "encrypted key", "256, 384 or 512", fault.EncryptedKeyLength},
		{parts[2], exactly(ivLength), "initialization vector", "12", fault.IVLength},
		{parts[4], exactly(tagLength), "authentication tag", "16", fault.TagLength},
	} {
		if err := sized(c.part, c.right, c.name, c.want, c.fault, fault.JWE, NotJWE); err != nil {
			return nil, err
		}
	}
	e := &Encrypted{Header: h, protected: parts[0]}
	var err error
	if e.encryptedKey, err = part(make([]byte, decodedLen(len(parts[1]))), parts[1], "encrypted key", fault.JWE, NotJWE); err != nil {
		return nil, err
	}
	if size := ivLength + decodedLen(len(parts[3])) + tagLength; cap(buffer) < size {
		buffer = make([]byte, size)
	} else {
		buffer = buffer[:size]
	}
	at := 0
	for _, p := range []struct {
		text []byte
		name string
	}{{parts[2], "initialization vector"}, {parts[3], "ciphertext"}, {parts[4], "authentication tag"}} {
		got, err := part(buffer[at:], p.text, p.name, fault.JWE, NotJWE)
		if err != nil {
			return nil, err
		}
		at += len(got)
	}
	e.sealed = buffer[:at]
	return e, nil
}

// Decrypt opens e with the first of keys that opens its encrypted key, and says
// which one that was. Every key is tried; then exactly one AES-GCM open runs,
// under a random key where none gave 32 bytes, so that all failures are one
// error of kind Decryption after the same work (RFC 7516 section 11.5). A key
// that could not be used at all is an error of kind Key, unless another opened.
// e is used up.
func (e *Encrypted) Decrypt(keys []crypto.Decrypter) (plaintext []byte, which int, err error) {
	cek := make([]byte, cekLength)
	defer clear(cek)
	rand.Read(cek)
	which, fits, broken := e.findCEK(keys, cek)
	if which < 0 && broken != nil {
		return nil, -1, &Error{Kind: Key, Fault: fault.KeyUnavailable, Err: broken}
	}
	plaintext, err = openGCM(cek, e.sealed, e.protected)
	e.sealed = nil
	if err != nil {
		return nil, -1, decryptionErrors[reason(which, fits)]
	}
	if which < 0 { // not reachable but by guessing the random key
		return nil, -1, decryptionErrors[0]
	}
	return plaintext, which, nil
}

// findCEK overwrites cek with the first content encryption key that keys give.
func (e *Encrypted) findCEK(keys []crypto.Decrypter, cek []byte) (which int, fits bool, broken error) {
	options := &rsa.OAEPOptions{Hash: crypto.SHA256}
	if e.Header.Alg == RSAOAEP {
		options.Hash = crypto.SHA1
	}
	which = -1
	for i, key := range keys {
		pub, ok := key.Public().(*rsa.PublicKey)
		if !ok || pub.Size() != len(e.encryptedKey) {
			continue
		}
		fits = true
		got, err := key.Decrypt(rand.Reader, e.encryptedKey, options)
		if err != nil && !errors.Is(err, rsa.ErrDecryption) {
			broken = fmt.Errorf("key %d of %d: %w", i+1, len(keys), err)
			continue
		}
		if len(got) != cekLength { // also when err is ErrDecryption
			clear(got)
			got = make([]byte, cekLength)
			err = rsa.ErrDecryption
		}
		good := 0
		if err == nil && which < 0 {
			good = 1
		}
		subtle.ConstantTimeCopy(good, cek, got)
		which = subtle.ConstantTimeSelect(good, i, which)
		clear(got)
	}
	return which, fits, broken
}

// decryptionErrors are made once, so that no failure is told from another by
// the time that its text takes.
var decryptionErrors = [3]error{
	&Error{Kind: Decryption, Fault: fault.OpenKey},
	&Error{Kind: Decryption, Fault: fault.OpenTag},
	&Error{Kind: Decryption, Fault: fault.OpenKeySize},
}

// reason picks the error without a branch on whether a key opened.
func reason(which int, fits bool) int {
	if !fits {
		return 2 // the modulus length is public
	}
	return which>>63&1 ^ 1
}
