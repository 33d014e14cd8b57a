package keyfile

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"crypto/x509/pkix"
	"encoding/asn1"
	"hash"
	"unicode/utf16"
)

// pkcs12File is a PKCS#12 whose outer structures are in DER. Bouncy Castle and NSS write BER,
// which the library does not read. The MAC is over the content as it was written, so that a
// content that is converted needs another MAC.
type pkcs12File struct {
	content   []byte // as it was written
	converted []byte
	mac       []byte // MacData, or nothing
}

// openPKCS12 converts a file that checkASN1 has accepted.
func openPKCS12(ber []byte) (*pkcs12File, error) {
	der, err := toDER(ber)
	if err != nil {
		return nil, err
	}
	parts, err := sequenceOf(der)
	if err != nil || len(parts) < 2 || len(parts) > 3 {
		return nil, errBER
	}
	var file authenticatedSafe
	f := &pkcs12File{}
	if err := exactly(der, &file); err != nil {
		return nil, err
	}
	if err := exactly(file.Safe.Content.Bytes, &f.content); err != nil {
		return nil, err
	}
	f.mac = file.MAC.FullBytes
	if checkASN1(f.content) != nil {
		return nil, errBER
	}
	f.converted, err = toDER(f.content)
	return f, err
}

// der returns the file in DER with its content in DER, and this MAC.
func (f *pkcs12File) der(mac []byte) []byte {
	version := []byte{tagInteger, 1, 3}
	oid, _ := asn1.Marshal(oidData)
	content := encodeElement([]byte{tagExplicit0}, encodeElement([]byte{tagOctets}, f.converted))
	safe := encodeElement([]byte{tagSequence}, append(oid, content...))
	return encodeElement([]byte{tagSequence}, bytes.Join([][]byte{version, safe, mac}, nil))
}

// macData is that of RFC 7292, section 4.
type macData struct {
	MAC struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
	Salt       []byte
	Iterations int `asn1:"optional,default:1"`
}

var macHashes = map[string]func() hash.Hash{
	"1.3.14.3.2.26":          sha1.New,
	"2.16.840.1.101.3.4.2.1": sha256.New,
	"2.16.840.1.101.3.4.2.2": sha512.New384,
	"2.16.840.1.101.3.4.2.3": sha512.New,
}

// renewed returns the file in DER with a MAC over its converted content. It first checks the MAC
// over the content as it was written: the error is [ErrPassphraseWrong] if that does not hold.
func (f *pkcs12File) renewed(passphrase []byte) ([]byte, error) {
	if bytes.Equal(f.content, f.converted) || len(f.mac) == 0 {
		return f.der(f.mac), nil
	}
	var m macData
	if err := exactly(f.mac, &m); err != nil {
		return nil, err
	}
	newHash := macHashes[m.MAC.Algorithm.Algorithm.String()]
	if newHash == nil || m.Iterations < 1 || m.Iterations > maxKDFIterations {
		return nil, errPKCS12Form
	}
	key := derivePKCS12(newHash, m.Salt, passphrase, m.Iterations)
	sum := func(data []byte) []byte {
		h := hmac.New(newHash, key)
		h.Write(data)
		return h.Sum(nil)
	}
	if subtle.ConstantTimeCompare(sum(f.content), m.MAC.Digest) != 1 {
		return nil, ErrPassphraseWrong
	}
	m.MAC.Digest = sum(f.converted)
	mac, err := asn1.Marshal(m)
	if err != nil {
		return nil, err
	}
	return f.der(mac), nil
}

// derivePKCS12 derives the key of a MAC from a passphrase (RFC 7292, appendix B.2).
func derivePKCS12(newHash func() hash.Hash, salt, passphrase []byte, iterations int) []byte {
	const forMAC = 3
	var password []byte
	for _, unit := range append(utf16.Encode([]rune(string(passphrase))), 0) {
		password = append(password, byte(unit>>8), byte(unit))
	}
	h := newHash()
	block := h.BlockSize()
	filled := func(b []byte) []byte {
		if len(b) == 0 {
			return nil
		}
		out := bytes.Repeat(b, (block+len(b)-1)/len(b)+len(b)/block)
		return out[:(len(b)+block-1)/block*block]
	}
	h.Write(bytes.Repeat([]byte{forMAC}, block))
	h.Write(filled(salt))
	h.Write(filled(password))
	key := h.Sum(nil) // no longer key is needed than one sum
	for range iterations - 1 {
		h.Reset()
		h.Write(key)
		key = h.Sum(key[:0])
	}
	return key
}
