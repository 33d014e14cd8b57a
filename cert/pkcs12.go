package cert

import (
	"crypto/fips140"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"

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
	case errors.Is(err, pkcs12.ErrIncorrectPassword), errors.Is(err, pkcs12.ErrDecryption):
		return nil, PrivateInfo{}, ErrPassphraseWrong
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
