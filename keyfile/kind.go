package keyfile

import (
	"bytes"
	"slices"
)

// kind is what a DER structure seems to be, judged by its outermost elements.
type kind int

const (
	kindUnknown kind = iota
	kindCertificate
	kindSignedData // PKCS#7, any content type
	kindPkiPath    // a sequence of certificates
	kindRevocations
	kindSPKI
	kindPublicPKCS1
	kindPKCS8
	kindPKCS1
	kindSEC1
	kindEncryptedPKCS8
	kindPKCS12
)

// private returns the name of a kind that holds a private key, or "".
func (k kind) private() string {
	switch k {
	case kindPKCS8:
		return "a private key in PKCS#8"
	case kindPKCS1:
		return "an RSA private key in PKCS#1"
	case kindSEC1:
		return "an elliptic-curve private key (SEC 1)"
	case kindEncryptedPKCS8:
		return "an encrypted private key in PKCS#8"
	case kindPKCS12:
		return "a PKCS#12 key store"
	}
	return ""
}

// recognize examines no more than the first children. It accepts cut input, so that a
// damaged private key is still recognized.
func recognize(b []byte) kind {
	top, err := firstElement(b)
	if err != nil || top.tag != tagSequence {
		return kindUnknown
	}
	children := firstElements(top.body, 3)
	tag := func(i int) byte {
		if i < len(children) {
			return children[i].tag
		}
		return 0
	}
	switch tag(0) {
	case tagOID:
		if tag(1) == tagExplicit0 {
			return kindSignedData
		}
	case tagInteger:
		switch version := children[0].body; tag(1) {
		case tagInteger:
			if len(version) == 1 && version[0] <= 1 {
				return kindPKCS1
			}
			return kindPublicPKCS1
		case tagOctets:
			return kindSEC1
		case tagSequence:
			if len(version) == 1 && version[0] == 3 {
				return kindPKCS12
			}
			return privateShape(top.body) // the parameters of a curve begin like a PKCS#8
		}
	case tagSequence:
		inner, err := firstElement(children[0].body)
		startsWithOID := err == nil && inner.tag == tagOID
		switch {
		case startsWithOID && tag(1) == tagOctets:
			return kindEncryptedPKCS8
		case startsWithOID && tag(1) == tagBitString:
			return kindSPKI
		case !startsWithOID && isCertificate(inner, children[0]) && (tag(1) == tagSequence || len(children) == 1):
			return kindPkiPath
		case !startsWithOID && isRevocations(children[0]):
			return kindRevocations
		case !startsWithOID && (tag(1) == tagSequence || len(children) == 1):
			return kindCertificate
		}
	}
	return kindUnknown
}

// isCertificate reports whether e, which begins with first, looks like a certificate in itself:
// what is signed, the algorithm and the signature.
func isCertificate(first, e element) bool {
	parts := firstElements(e.body, 3)
	if first.tag != tagSequence || len(parts) < 2 || parts[1].tag != tagSequence {
		return false
	}
	signed := firstElements(first.body, 2)
	return len(signed) == 2 && (signed[0].tag == tagExplicit0 || signed[0].tag == tagInteger) &&
		(len(parts) == 2 || parts[2].tag == tagBitString)
}

// isRevocations reports whether e is the signed part of a revocation list (RFC 5280, section
// 5.1): a version or none, an algorithm, a name and one or two times.
func isRevocations(e element) bool {
	parts := firstElements(e.body, 4)
	if len(parts) > 0 && parts[0].tag == tagInteger {
		parts = parts[1:]
	}
	return len(parts) >= 3 && parts[0].tag == tagSequence && parts[1].tag == tagSequence &&
		(parts[2].tag == tagUTCTime || parts[2].tag == tagGeneralizedTime)
}

// pbeArcs are the OIDs of PKCS#5 and PKCS#12 for encryption under a passphrase.
var pbeArcs = [][]byte{
	{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05},
	{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01},
}

// privateShape recognizes a private key by the content of its SEQUENCE, which may be
// cut. It is stricter than recognize, because it is applied to every part of a file: a
// revocation list and a signer also begin with an INTEGER and a SEQUENCE.
func privateShape(body []byte) kind {
	const leastModulus = 64 // octets
	parts := firstElements(body, 3)
	if len(parts) < 2 {
		return kindUnknown
	}
	switch a, b := parts[0], parts[1]; {
	case a.tag == tagSequence && b.tag == tagOctets:
		oid, err := firstElement(a.body)
		isPBE := func(arc []byte) bool { return bytes.HasPrefix(oid.body, arc) }
		if err == nil && oid.tag == tagOID && slices.ContainsFunc(pbeArcs, isPBE) {
			return kindEncryptedPKCS8
		}
	case a.tag != tagInteger || a.length != 1 || a.body[0] > 1:
	case b.tag == tagInteger && b.length >= leastModulus:
		return kindPKCS1
	case b.tag == tagOctets && a.body[0] == 1 && (len(parts) < 3 || parts[2].tag == tagExplicit0):
		return kindSEC1
	case b.tag == tagSequence && len(parts) == 3 && parts[2].tag == tagOctets:
		if oid, err := firstElement(b.body); err == nil && oid.tag == tagOID {
			return kindPKCS8
		}
	}
	return kindUnknown
}
