package keyfile

import (
	"bytes"
)

// refusePrivateDER returns an error if it finds a private key among the parts of DER,
// such as the certificates of a PKCS#7 or what follows a certificate. It ignores PKCS#12,
// which has its own parser and has parts that are encrypted like keys.
func refusePrivateDER(der []byte) error {
	if recognize(der) == kindPKCS12 {
		return nil
	}
	var s search
	s.parts(der)
	return s.err()
}

func privateKeyError(k kind, der []byte) error {
	return &PrivateKeyError{Leak{Kind: k.private(), PublicKey: ownerOf(k, der)}}
}

// der searches the parts of DER, and a PKCS#12 for the OIDs of keys.
func (s *search) der(der []byte) {
	whole := recognize(der) == kindPKCS12
	if !whole {
		s.parts(der)
	}
	if (whole || damagedPKCS12(der)) && holdsKeyBag(der) {
		s.add(Leak{Kind: kindPKCS12.private()})
	}
}

// damagedPKCS12 recognizes a PKCS#12 of which a length in the head is wrong, by its version.
func damagedPKCS12(der []byte) bool {
	const head = 12
	return isDER(der) && bytes.Contains(der[:min(len(der), head)], []byte{tagInteger, 1, 3, tagSequence})
}

func (s *search) parts(der []byte) {
	elements := 0
	privateParts(der, 0, &elements, s.addKey)
}

// privateParts finds the private keys among the elements of DER. It does not look into
// OCTET STRINGs and BIT STRINGs.
func privateParts(b []byte, depth int, elements *int, found func(kind, []byte)) {
	for len(b) > 0 {
		e, err := firstElement(b)
		if *elements++; err != nil || depth > maxASN1Depth || *elements > maxASN1Elements {
			return
		}
		k := kindUnknown
		if e.tag == tagSequence {
			if k = privateShape(e.body); k != kindUnknown {
				found(k, wholeElement(b))
			}
		}
		if e.tag&0x20 != 0 && k == kindUnknown {
			privateParts(e.body, depth+1, elements, found)
		}
		if e.indefinite { // its body went to the end
			return
		}
		b = b[e.header+len(e.body):]
	}
}

// bareDER finds unencrypted keys in DER anywhere among other octets.
func (s *search) bareDER(b []byte) {
	const least = 16
	for at := 0; len(b)-at > least; at++ {
		next := bytes.IndexByte(b[at:], tagSequence)
		if next < 0 {
			return
		}
		at += next
		e, err := firstElement(b[at:])
		if err != nil || !bytes.HasPrefix(e.body, []byte{tagInteger, 1}) {
			continue
		}
		if k := privateShape(e.body); k == kindPKCS8 || k == kindPKCS1 {
			key := wholeElement(b[at:])
			s.addKey(k, key)
			at += min(len(key), maxKeyDER) - 1
		}
	}
}

// wholeElement cuts what follows the first element, if its length is definite.
func wholeElement(der []byte) []byte {
	e, err := firstElement(der)
	if err != nil || e.indefinite {
		return der
	}
	return der[:e.header+min(e.length, len(e.body))]
}
