package jose

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
)

// margin keeps the encoder's writes behind its reads, even if it reads ahead.
const margin = 64

// Reserve returns dst with the capacity for the JWE of n bytes of plaintext, and a place in
// that capacity. If the plaintext is put there, Encrypt needs no buffer of its own.
//
//	dst | header . encrypted key . IV . |text of the ciphertext     | . tag
//	                                           |plaintext           |    spare
//
// The text is a third longer than the ciphertext and is written forward: it reaches unread
// bytes only at the end, and then by less than the margin.
func Reserve(dst []byte, n int, head EncryptedHeader, key alg.PublicKey) (prefix, plaintext []byte) {
	start := len(dst) + plaintextOffset(n, head, key)
	end := len(dst) + ReservedLen(n, head, key)
	if cap(dst) < end {
		dst = append(make([]byte, 0, end), dst...)
	}
	return dst, dst[start:start:end]
}

// ReservedLen returns the capacity that Reserve needs after dst.
func ReservedLen(n int, head EncryptedHeader, key alg.PublicKey) int {
	return plaintextOffset(n, head, key) + head.enc.IV + head.enc.CiphertextLen(n) + head.enc.Tag
}

func plaintextOffset(n int, head EncryptedHeader, key alg.PublicKey) int {
	ciphertext := head.enc.CiphertextLen(n)
	text := len(head.text) + 1 + encodedLen(key.Size()) + 1 + encodedLen(head.enc.IV) + 1
	return text + encodedLen(ciphertext) - ciphertext + margin - head.enc.IV
}

// Encrypt encrypts plaintext to key with the algorithms of head and appends the compact
// serialization to dst. It generates the content encryption key and the initialization
// vector itself; a caller cannot pass them. If plaintext is in the place that Reserve
// returned with dst, it is overwritten and nothing is copied.
func Encrypt(dst, plaintext []byte, head EncryptedHeader, key alg.PublicKey) ([]byte, error) {
	cek := make([]byte, head.enc.CEK)
	defer clear(cek)
	rand.Read(cek)
	encryptedKey, err := head.key.Encrypt(key, cek)
	if err != nil {
		return nil, &Error{Kind: Key, Fault: fault.KeyUnavailable, Detail: "content encryption key", Err: err}
	}
	prefix, place := Reserve(dst, len(plaintext), head, key)
	if place = place[:len(plaintext)]; len(plaintext) > 0 && &place[0] != &plaintext[0] {
		copy(place, plaintext)
	}
	token := append(append(prefix, head.text...), '.')
	protected := token[len(dst) : len(token)-1]
	token = append(appendEncoded(token, encryptedKey), '.')
	var iv [alg.MaxIV]byte
	sealed, err := head.enc.Seal(cek, iv[:], place, protected)
	if err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	ciphertext := sealed[:len(sealed)-head.enc.Tag]
	var tag [alg.MaxTag]byte
	copy(tag[:], sealed[len(ciphertext):]) // the text will overwrite it
	token = append(appendEncoded(token, iv[:head.enc.IV]), '.')
	token = append(appendEncoded(token, ciphertext), '.')
	return appendEncoded(token, tag[:head.enc.Tag]), nil
}

// Encrypted is a JWE in which everything is correct that can be checked without a key.
type Encrypted struct {
	Header       Header
	key          *alg.KeyEncryption
	enc          *alg.Content
	protected    []byte // the header's text, which is the additional data
	encryptedKey []byte
	sealed       []byte // IV, ciphertext and tag in one piece
}

// ParseEncrypted reads a compact JWE of at most maxToken bytes whose key encryption is one
// of algs and whose content encryption is one of encs. The token is not changed. Its
// content is decoded into the capacity of buffer, or into a new buffer if that is too
// small. Errors are of kind NotJWE.
func ParseEncrypted(
	buffer, token []byte, maxToken int, algs []*alg.KeyEncryption, encs []*alg.Content,
) (*Encrypted, error) {
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
		return nil, partCountError(err, token, len(parts), fault.JWE, NotJWE)
	}
	return e, nil
}

func readEncrypted(buffer []byte, parts [5][]byte, algs []*alg.KeyEncryption,
	encs []*alg.Content) (*Encrypted, error) {
	h, err := header(parts[0], fault.JWE, NotJWE)
	if err != nil {
		return nil, err
	}
	f := fault.AlgNotAllowed.In(fault.JWE)
	switch h.Alg {
	case alg.RSAOAEP.Name:
		f = fault.AlgSHA1
	case "none":
		f = fault.AlgNone.In(fault.JWE)
	}
	e := &Encrypted{Header: h, protected: parts[0]}
	if e.key, err = choose(h.Alg, algs, f, NotJWE, "alg"); err != nil {
		return nil, err
	}
	if e.enc, err = choose(h.Enc, encs, fault.EncNotAllowed, NotJWE, "enc"); err != nil {
		return nil, err
	}
	if err := e.decode(buffer, parts); err != nil {
		return nil, err
	}
	return e, nil
}

// decode decodes the parts after the header. It checks their lengths first.
func (e *Encrypted) decode(buffer []byte, parts [5][]byte) error {
	if err := checkModulusLen(parts[1], "encrypted key", fault.EncryptedKeyLength, fault.JWE, NotJWE); err != nil {
		return err
	}
	if err := checkPartLen(parts[2], e.enc.IV, "initialization vector", fault.IVLength, fault.JWE,
		NotJWE); err != nil {
		return err
	}
	if err := checkPartLen(parts[4], e.enc.Tag, "authentication tag", fault.TagLength, fault.JWE, NotJWE); err != nil {
		return err
	}
	var err error
	key := make([]byte, decodedLen(len(parts[1])))
	if e.encryptedKey, err = part(key, parts[1], "encrypted key", fault.JWE, NotJWE); err != nil {
		return err
	}
	if size := e.enc.IV + decodedLen(len(parts[3])) + e.enc.Tag; cap(buffer) < size {
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
			return err
		}
		at += len(got)
	}
	if n := at - e.enc.IV - e.enc.Tag; !e.enc.IsCiphertextLen(n) {
		return &Error{Kind: NotJWE, Fault: fault.CiphertextLength,
			Detail: fmt.Sprintf("ciphertext has %d bytes, not whole blocks of %d", n, e.enc.Block)}
	}
	e.sealed = buffer[:at]
	return nil
}

// Decrypt decrypts e with the first of keys that decrypts its encrypted key, and returns
// the index of that key. Every key is tried. Then the content is decrypted exactly once,
// with a random key if none returned one of the right length, so that all failures are one
// error of kind Decryption after the same work (RFC 7516 section 11.5). The right length is
// that of enc, which was checked before. If a key could not be used at all and no other
// decrypted the content, all failures are one error of kind Key: the message may be for
// that key, and the error must not show whether its encrypted key fits another. e must not
// be used again.
func (e *Encrypted) Decrypt(keys []crypto.Decrypter) (plaintext []byte, which int, err error) {
	cek := make([]byte, e.enc.CEK)
	defer clear(cek)
	rand.Read(cek)
	which, fits, broken := e.findCEK(keys, cek)
	plaintext, err = e.enc.Open(cek, e.sealed, e.protected)
	e.sealed = nil
	switch {
	case err == nil && which >= 0:
		return plaintext, which, nil
	case broken != nil:
		return nil, -1, &Error{Kind: Key, Fault: fault.KeyUnavailable, Err: broken}
	case err == nil: // only possible by guessing the random key
		return nil, -1, decryptionErrors[0]
	}
	return nil, -1, decryptionErrors[reason(which, fits)]
}

// findCEK overwrites cek with the first content encryption key that keys return.
func (e *Encrypted) findCEK(keys []crypto.Decrypter, cek []byte) (which int, fits bool, broken error) {
	var none [alg.MaxCEK]byte // replaces a key; generating one would take longer than using one
	which = -1
	for i, key := range keys {
		pub, ok := key.Public().(*rsa.PublicKey)
		if !ok || pub.Size() != len(e.encryptedKey) {
			continue
		}
		fits = true
		got, err := e.key.Decrypt(key, e.encryptedKey)
		if err != nil && !errors.Is(err, rsa.ErrDecryption) {
			broken = fmt.Errorf("key %d of %d: %w", i+1, len(keys), err)
			continue
		}
		if len(got) != len(cek) { // also if err is ErrDecryption
			clear(got)
			got = none[:len(cek)]
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

// decryptionErrors are created once, so that the time to format their texts does not
// distinguish failures.
var decryptionErrors = [3]error{
	&Error{Kind: Decryption, Fault: fault.OpenKey},
	&Error{Kind: Decryption, Fault: fault.OpenTag},
	&Error{Kind: Decryption, Fault: fault.OpenKeySize},
}

// reason selects the error without a branch on whether a key fits.
func reason(which int, fits bool) int {
	if !fits {
		return 2 // the modulus length is public
	}
	return int(int64(which)>>63&1 ^ 1)
}
