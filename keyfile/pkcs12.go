package keyfile

import (
	"bytes"
	"crypto/fips140"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"

	"software.sslmate.com/src/go-pkcs12"
)

// privateFromPKCS12 opens a key store with one key and its certificates.
func privateFromPKCS12(der, passphrase []byte) (*rsa.PrivateKey, PrivateInfo, error) {
	if len(der) > maxPKCS12 {
		return nil, PrivateInfo{}, fmt.Errorf("the PKCS#12 has %d bytes: at most %d are read; export the key with its certificate only", len(der), maxPKCS12)
	}
	if err := checkASN1(der); err != nil {
		return nil, PrivateInfo{}, fmt.Errorf("the PKCS#12 is damaged: %w", err)
	}
	if total := kdfIterationsIn(der); total > maxKDFIterations {
		return nil, PrivateInfo{}, fmt.Errorf("the PKCS#12 asks for more than %d iterations of its key derivation: export it again with fewer", maxKDFIterations)
	}
	if fips140.Enforced() {
		return nil, PrivateInfo{}, fmt.Errorf("PKCS#12: %w; convert it to PKCS#8 with openssl pkcs12 -nocerts and openssl pkcs8 -topk8", errNoFIPS)
	}
	if passphrase == nil {
		return nil, PrivateInfo{}, ErrPassphraseNeeded
	}
	parsed, leaf, issuers, err := pkcs12.DecodeChain(der, string(passphrase))
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword), errors.Is(err, pkcs12.ErrDecryption), keyStayedShut(err):
		return nil, PrivateInfo{}, ErrPassphraseWrong
	case err != nil && strings.HasPrefix(err.Error(), "pkcs12: error parsing PKCS#8 private key"): // see parsePrivate
		return nil, PrivateInfo{}, errors.New("the key in the PKCS#12 does not parse: it is weak, damaged or of another kind; make a new pair")
	case err != nil:
		return nil, PrivateInfo{}, fmt.Errorf("the PKCS#12 cannot be used (%w): export one key with its certificate", err)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, PrivateInfo{}, errNotRSA
	}
	if err := checkPrivate(key); err != nil {
		return nil, PrivateInfo{}, err
	}
	chain := append([]*x509.Certificate{leaf}, issuers...)
	own := slices.IndexFunc(chain, func(c *x509.Certificate) bool { return samePublicKey(c.PublicKey, &key.PublicKey) })
	if own < 0 {
		return nil, PrivateInfo{}, errors.New("the PKCS#12 holds no certificate of its key: export the key with its own certificate")
	}
	if len(chain) > maxCertificates {
		return nil, PrivateInfo{}, fmt.Errorf("the PKCS#12 holds %d certificates: at most %d are read", len(chain), maxCertificates)
	}
	chain[0], chain[own] = chain[own], chain[0]
	return key, PrivateInfo{Format: FormatPKCS12, Certificates: chain}, nil
}

// keyStayedShut is true where the passphrase opened the file but not the key in
// it, which may have one of its own (RFC 7292, section 5.1). The library puts its
// error into text. One wrong passphrase in 256 gets as far as the second of these.
func keyStayedShut(err error) bool {
	return err != nil && (strings.HasSuffix(err.Error(), pkcs12.ErrDecryption.Error()) ||
		strings.HasPrefix(err.Error(), "pkcs12: error unmarshaling decrypted private key"))
}

// maxForeignIterations bounds what a partner's file may cost: openssl takes 2048,
// Java 10,000.
const maxForeignIterations = 1_000_000

var (
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidEncryptedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}
	oidKeyBag        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 1}
	oidShroudedBag   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}
	oidCertBag       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 3}
	oidX509Cert      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 22, 1}

	errPKCS12Hidden = errors.New("the PKCS#12 is encrypted, under a passphrase or in an old way, and may hold a private key, which cannot be seen from outside: " + adviceSendCertificate)
	errPKCS12Form   = errors.New("the PKCS#12 is damaged or written in a way that is not read, and may hold a private key: " + adviceSendCertificate)
)

// The types of RFC 7292, section 4, as far as they are needed.
type (
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"tag:0,explicit,optional"`
	}
	authenticatedSafe struct {
		Version int
		Safe    contentInfo
		MAC     asn1.RawValue `asn1:"optional"`
	}
	encryptedSafe struct {
		Version int
		Info    struct {
			Type      asn1.ObjectIdentifier
			Algorithm pkix.AlgorithmIdentifier
			Content   []byte `asn1:"tag:0,optional"`
		}
	}
	safeBag struct {
		Type       asn1.ObjectIdentifier
		Value      asn1.RawValue `asn1:"tag:0,explicit"`
		Attributes asn1.RawValue `asn1:"optional"`
	}
	certBag struct {
		Type  asn1.ObjectIdentifier
		Value []byte `asn1:"tag:0,explicit"`
	}
)

// certificatesFromPKCS12 reads a file that holds nothing else, which openssl
// pkcs12 -export -nokeys makes. The passphrase is not asked for, because a file
// that needs one holds a private key more often than not. The library is not
// used: it reads such files only where Java wrote them.
func certificatesFromPKCS12(der []byte) ([]*x509.Certificate, error) {
	if holdsKeyBag(der) {
		return nil, privateKeyError(kindPKCS12, der)
	}
	bags, hidden, err := bagsIn(der)
	if err != nil {
		return nil, errPKCS12Form
	}
	if slices.ContainsFunc(bags, func(b safeBag) bool { return b.Type.Equal(oidKeyBag) || b.Type.Equal(oidShroudedBag) }) {
		return nil, privateKeyError(kindPKCS12, der)
	}
	var certificates []*x509.Certificate
	for _, bag := range bags {
		switch {
		case bag.Type.Equal(oidCertBag):
			var b certBag
			if err := exactly(bag.Value.Bytes, &b); err != nil || !b.Type.Equal(oidX509Cert) || checkASN1(b.Value) != nil {
				return nil, errPKCS12Form
			}
			c, err := parseCertificate(b.Value)
			if err != nil {
				return nil, err
			}
			certificates = append(certificates, c)
		default: // a secret, or bags in a bag
			hidden = true
		}
	}
	if hidden {
		return nil, errPKCS12Hidden
	}
	return certificates, nil
}

// holdsKeyBag is true of a PKCS#12 that shows a key, however damaged the rest is.
func holdsKeyBag(der []byte) bool {
	return slices.ContainsFunc([]asn1.ObjectIdentifier{oidKeyBag, oidShroudedBag}, func(bag asn1.ObjectIdentifier) bool {
		oid, _ := asn1.Marshal(bag)
		return bytes.Contains(der, oid)
	})
}

// bagsIn lists what can be seen in a PKCS#12 with the empty passphrase. hidden:
// there is more. An error is one of form.
func bagsIn(der []byte) (bags []safeBag, hidden bool, err error) {
	if err := checkASN1(der); err != nil {
		return nil, false, err
	}
	var file authenticatedSafe
	var octets []byte
	var parts []contentInfo
	if err := errors.Join(exactly(der, &file), exactly(file.Safe.Content.Bytes, &octets), exactly(octets, &parts)); err != nil {
		return nil, false, err
	}
	costly := kdfIterationsIn(der) > maxForeignIterations
	for _, part := range parts {
		var plain []byte
		switch {
		case part.Type.Equal(oidData):
			if err := exactly(part.Content.Bytes, &plain); err != nil {
				return nil, false, err
			}
		case part.Type.Equal(oidEncryptedData) && !costly:
			plain = openedWithNothing(part.Content.Bytes)
		}
		var found []safeBag
		if plain == nil || checkASN1(plain) != nil || exactly(plain, &found) != nil {
			hidden = true
			continue
		}
		bags = append(bags, found...)
	}
	return bags, hidden, nil
}

// openedWithNothing decrypts a part under the empty passphrase, or gives nil.
func openedWithNothing(der []byte) []byte {
	var part encryptedSafe
	if exactly(der, &part) != nil {
		return nil
	}
	p, err := parsePBES2(part.Info.Algorithm, part.Info.Content)
	if err != nil || !p.kdf.Algorithm.Equal(oidPBKDF2) { // scrypt would take memory
		return nil
	}
	plain, err := p.decrypt(nil)
	if err != nil {
		return nil
	}
	return plain
}

// kdfIterationsIn adds up the iterations that the visible part of a PKCS#12 asks
// for. Every password-based parameter in it (MacData of RFC 7292, section 4, its
// PBE parameters, PBKDF2-params of RFC 8018) ends in, or holds, an OCTET STRING
// that is followed by the INTEGER, so that pair is what is looked for, in
// OCTET STRINGs that hold ASN.1 too. What is inside an encrypted part can't be
// seen, but its author would have to know the passphrase.
func kdfIterationsIn(der []byte) int {
	total, elements := 0, 0
	addIterations(der, 0, &elements, &total)
	return total
}

func addIterations(b []byte, depth int, elements, total *int) {
	salt := false
	for len(b) > 0 {
		if *elements++; depth > maxASN1Depth || *elements > maxASN1Elements {
			*total = maxKDFIterations + 1
			return
		}
		var e asn1.RawValue
		rest, err := asn1.Unmarshal(b, &e)
		if err != nil {
			return
		}
		if salt && e.Class == asn1.ClassUniversal && e.Tag == asn1.TagInteger {
			var n int
			if _, err := asn1.Unmarshal(e.FullBytes, &n); err != nil || n < 0 || n > maxKDFIterations {
				n = maxKDFIterations + 1
			}
			*total = min(*total+n, maxKDFIterations+1)
		}
		salt = e.Class == asn1.ClassUniversal && e.Tag == asn1.TagOctetString
		if e.IsCompound || salt && len(e.Bytes) > 2 && e.Bytes[0] == tagSequence {
			addIterations(e.Bytes, depth+1, elements, total)
		}
		b = rest
	}
}
