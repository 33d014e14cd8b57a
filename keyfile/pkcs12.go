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

// privateFromPKCS12 reads a key store with one key and its certificates.
func privateFromPKCS12(der, passphrase []byte) (*rsa.PrivateKey, PrivateInfo, error) {
	if len(der) > maxPKCS12 {
		return nil, PrivateInfo{}, fmt.Errorf("the PKCS#12 has %d bytes: at most %d are read; "+
			"export the key with its certificate only", len(der), maxPKCS12)
	}
	if err := checkASN1(der); err != nil {
		return nil, PrivateInfo{}, fmt.Errorf("the PKCS#12 is damaged: %w", err)
	}
	file, err := openPKCS12(der)
	if err != nil {
		return nil, PrivateInfo{}, errors.New(
			"the PKCS#12 is written in a way that is not supported: convert it with " +
				adviceConvertPKCS12,
		)
	}
	der = file.der(file.mac)
	if total := kdfIterationsIn(der); total > maxKDFIterations {
		return nil, PrivateInfo{}, fmt.Errorf("the PKCS#12 asks for more than %d iterations of its key derivation: "+
			"export it again with fewer", maxKDFIterations)
	}
	if fips140.Enforced() {
		return nil, PrivateInfo{}, fmt.Errorf("PKCS#12: %w; convert it to PKCS#8 with openssl pkcs12 -nocerts "+
			"and openssl pkcs8 -topk8", errNoFIPS)
	}
	if passphrase == nil {
		return nil, PrivateInfo{}, ErrPassphraseNeeded
	}
	if der, err = file.renewed(passphrase); err != nil {
		return nil, PrivateInfo{}, err
	}
	parsed, leaf, issuers, err := pkcs12.DecodeChain(der, string(passphrase))
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword), errors.Is(err, pkcs12.ErrDecryption), keyNotDecrypted(err):
		return nil, PrivateInfo{}, ErrPassphraseWrong
	case err != nil && strings.HasPrefix(err.Error(), "pkcs12: error parsing PKCS#8 private key"): // see parsePrivate
		return nil, PrivateInfo{}, errors.New("the key in the PKCS#12 does not parse: " +
			"it is weak, damaged or of another kind; make a new pair")
	case err != nil:
		return nil, PrivateInfo{}, explainPKCS12(err)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, PrivateInfo{}, errNotRSA
	}
	if err := checkPrivate(key); err != nil {
		return nil, PrivateInfo{}, err
	}
	chain := append([]*x509.Certificate{leaf}, issuers...)
	own := slices.IndexFunc(chain, func(c *x509.Certificate) bool { return key.PublicKey.Equal(c.PublicKey) })
	if own < 0 {
		return nil, PrivateInfo{}, errors.New("the PKCS#12 holds no certificate of its key: " +
			"export the key with its own certificate")
	}
	if len(chain) > maxCertificates {
		return nil, PrivateInfo{}, fmt.Errorf("the PKCS#12 holds %d certificates: at most %d are read",
			len(chain), maxCertificates)
	}
	chain[0], chain[own] = chain[own], chain[0]
	return key, PrivateInfo{Format: FormatPKCS12, Certificates: chain}, nil
}

// explainPKCS12 says what to do with a key store that the library does not read. To export it
// again would often make the same file.
func explainPKCS12(err error) error {
	switch text := err.Error(); {
	case strings.Contains(text, "certificate missing"):
		return errors.New("the PKCS#12 holds no certificate: take the key out of it with " +
			"openssl pkcs12 -in OLD -nocerts -out key.pem, and use that with the certificate's own file")
	case strings.Contains(text, "private key missing"):
		return errors.New("the PKCS#12 holds certificates only: use the key store that holds the private key")
	case strings.Contains(text, "exactly one key bag"):
		return errors.New("the PKCS#12 holds several private keys, or none that can be read: take the right one " +
			"out of it with keytool -importkeystore -srckeystore OLD -srcalias NAME " +
			"-destkeystore NEW -deststoretype PKCS12")
	}
	return fmt.Errorf("the PKCS#12 cannot be used (%w): convert it with %s", err, adviceConvertPKCS12)
}

const adviceConvertPKCS12 = "openssl pkcs12 -in OLD -out key.pem, " +
	"and then openssl pkcs12 -export -in key.pem -out NEW; " +
	"keep one key with its certificate"

// keyNotDecrypted reports whether the passphrase is that of the file but not of the key
// in it, which may have its own (RFC 7292, section 5.1). The library returns such an
// error only as text. One wrong passphrase in 256 causes the second of these.
func keyNotDecrypted(err error) bool {
	return err != nil && (strings.HasSuffix(err.Error(), pkcs12.ErrDecryption.Error()) ||
		strings.HasPrefix(err.Error(), "pkcs12: error unmarshaling decrypted private key"))
}

// maxForeignIterations bounds the cost of a partner's file: openssl writes 2048
// iterations, Java 10,000.
const maxForeignIterations = 1_000_000

var (
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidEncryptedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}
	oidKeyBag        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 1}
	oidShroudedBag   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}
	oidCertBag       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 3}
	oidX509Cert      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 22, 1}

	errPKCS12Hidden = errors.New("the PKCS#12 is encrypted, under a passphrase or in an old way, " +
		"and may hold a private key, which cannot be seen from outside: " + adviceSendCertificate)
	errPKCS12Form = errors.New("the PKCS#12 is damaged or written in a way that is not supported, " +
		"and may hold a private key: " + adviceSendCertificate)
)

// The types of RFC 7292, section 4, that are needed here.
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

// certificatesFromPKCS12 reads a file that holds nothing but certificates, which openssl
// pkcs12 -export -nokeys writes. It asks for no passphrase, because a file that needs
// one most likely holds a private key. It doesn't use the library, which reads such
// files only if Java wrote them.
func certificatesFromPKCS12(der []byte) ([]*x509.Certificate, error) {
	if holdsKeyBag(der) {
		return nil, privateKeyError(kindPKCS12, der)
	}
	if checkASN1(der) == nil {
		if file, err := openPKCS12(der); err == nil {
			der = file.der(file.mac)
		}
	}
	bags, hidden, err := bagsIn(der)
	if err != nil {
		return nil, errPKCS12Form
	}
	isKey := func(b safeBag) bool { return b.Type.Equal(oidKeyBag) || b.Type.Equal(oidShroudedBag) }
	if slices.ContainsFunc(bags, isKey) {
		return nil, privateKeyError(kindPKCS12, der)
	}
	var certificates []*x509.Certificate
	for _, bag := range bags {
		if !bag.Type.Equal(oidCertBag) { // a secret, or bags in a bag
			hidden = true
			continue
		}
		var b certBag
		if err := exactly(bag.Value.Bytes, &b); err != nil || !b.Type.Equal(oidX509Cert) || checkASN1(b.Value) != nil {
			return nil, errPKCS12Form
		}
		c, err := parseCertificate(b.Value)
		if err != nil {
			return nil, err
		}
		certificates = append(certificates, c)
	}
	if hidden {
		return nil, errPKCS12Hidden
	}
	return certificates, nil
}

// holdsKeyBag reports whether a PKCS#12 shows a key, however damaged the rest is.
func holdsKeyBag(der []byte) bool {
	withoutCR := func(b []byte) []byte { return bytes.ReplaceAll(b, []byte{'\r'}, nil) }
	der = withoutCR(der) // the identifiers have line ends in them, which FTP in text mode changes
	for _, bag := range []asn1.ObjectIdentifier{oidKeyBag, oidShroudedBag} {
		if oid, err := asn1.Marshal(bag); err == nil && bytes.Contains(der, withoutCR(oid)) {
			return true
		}
	}
	return false
}

// bagsIn returns what can be seen in a PKCS#12 with the empty passphrase. hidden reports
// whether there is more. An error means that the file is malformed.
func bagsIn(der []byte) (bags []safeBag, hidden bool, err error) {
	if err := checkASN1(der); err != nil {
		return nil, false, err
	}
	var file authenticatedSafe
	var octets []byte
	var parts []contentInfo
	if err := exactly(der, &file); err != nil {
		return nil, false, err
	}
	if err := exactly(file.Safe.Content.Bytes, &octets); err != nil {
		return nil, false, err
	}
	if err := exactly(octets, &parts); err != nil {
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
			plain = decryptWithoutPassphrase(part.Content.Bytes)
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

// decryptWithoutPassphrase decrypts a part with the empty passphrase. It returns nil if
// that fails.
func decryptWithoutPassphrase(der []byte) []byte {
	var part encryptedSafe
	if exactly(der, &part) != nil {
		return nil
	}
	p, err := parsePBES2(part.Info.Algorithm, part.Info.Content)
	if err != nil || !p.kdf.Algorithm.Equal(oidPBKDF2) { // scrypt would need too much memory
		return nil
	}
	plain, err := p.decrypt(nil)
	if err != nil {
		return nil
	}
	return plain
}

// kdfIterationsIn returns the sum of the iterations that the visible part of a PKCS#12
// asks for. Every password-based parameter (MacData of RFC 7292, section 4, its PBE
// parameters, PBKDF2-params of RFC 8018) has an OCTET STRING that is followed by the
// INTEGER. So it looks for such pairs, also in OCTET STRINGs that hold ASN.1. It can't
// look into encrypted parts, but their author would have to know the passphrase.
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
