package keyfile

import (
	"errors"
	"fmt"
)

// Bounds on ASN.1 from outside, checked before any parser that recurses or
// copies per level sees it. An honest file of sixteen certificates has some
// 2,500 elements.
const (
	maxASN1Depth    = 32
	maxASN1Elements = 5000
)

// element is one ASN.1 tag-length-value (X.690, section 8.1). With an indefinite
// length, body runs to the end of the input.
type element struct {
	tag        byte // identifier octet, 0x1f in the low bits for a long tag
	header     int  // octets before the body
	length     int  // of the body, as stated
	indefinite bool
	body       []byte // as much of it as there is
}

var errCutHeader = errors.New("the ASN.1 ends inside a header")

// firstElement reads the header at the start of b. It doesn't demand that the
// whole body be there, so that a cut file can still be recognised.
func firstElement(b []byte) (element, error) {
	if len(b) < 2 {
		return element{}, errCutHeader
	}
	e := element{tag: b[0]}
	at := 1
	if e.tag&0x1f == 0x1f {
		for b[at]&0x80 != 0 {
			at++
			if at >= len(b) || at > 4 {
				return element{}, errCutHeader
			}
		}
		at++
		if at >= len(b) {
			return element{}, errCutHeader
		}
	}
	first := b[at]
	at++
	switch {
	case first < 0x80:
		e.length = int(first)
	case first == 0x80:
		e.indefinite = true
	default:
		octets := int(first & 0x7f)
		if octets > 4 {
			return element{}, errors.New("an ASN.1 length has more than four octets")
		}
		if at+octets > len(b) {
			return element{}, errCutHeader
		}
		for _, o := range b[at : at+octets] {
			e.length = e.length<<8 | int(o)
		}
		if e.length > 1<<30 || e.length < 0 {
			return element{}, errors.New("an ASN.1 length is over a gigabyte")
		}
		at += octets
	}
	e.header = at
	e.body = b[at:]
	if !e.indefinite && e.length < len(e.body) {
		e.body = e.body[:e.length]
	}
	return e, nil
}

// checkASN1 demands exactly one element, whole, within the bounds.
func checkASN1(b []byte) error {
	top, err := firstElement(b)
	if err != nil {
		return err
	}
	if !top.indefinite {
		said := top.header + top.length
		if said > len(b) {
			return fmt.Errorf("the ASN.1 says %d bytes, the block holds %d: the end or some lines are missing", said, len(b))
		}
		if said < len(b) {
			return fmt.Errorf("the ASN.1 says %d bytes, the block holds %d: %d bytes of something else follow, remove them", said, len(b), len(b)-said)
		}
	}
	elements := 0
	size, err := measure(b, 0, &elements)
	if err != nil {
		return err
	}
	if size != len(b) {
		return fmt.Errorf("the ASN.1 ends after %d bytes, the block holds %d: %d bytes of something else follow, remove them", size, len(b), len(b)-size)
	}
	return nil
}

// measure returns the octets of the first element of b.
func measure(b []byte, depth int, elements *int) (int, error) {
	if depth > maxASN1Depth {
		return 0, fmt.Errorf("the ASN.1 is nested more than %d levels deep: this is no certificate", maxASN1Depth)
	}
	if *elements++; *elements > maxASN1Elements {
		return 0, fmt.Errorf("the ASN.1 has more than %d elements: send the certificate and its chain only", maxASN1Elements)
	}
	e, err := firstElement(b)
	if err != nil {
		return 0, err
	}
	if !e.indefinite && e.length > len(e.body) {
		return 0, errors.New("an inner ASN.1 element is longer than what holds it: bytes are missing or altered")
	}
	if e.tag&0x20 == 0 {
		if e.indefinite {
			return 0, errors.New("an ASN.1 element of indefinite length is not constructed (X.690, section 8.1.3.2)")
		}
		return e.header + e.length, nil
	}
	at := 0
	for at < len(e.body) {
		if e.indefinite && len(e.body)-at >= 2 && e.body[at] == 0 && e.body[at+1] == 0 {
			return e.header + at + 2, nil
		}
		n, err := measure(e.body[at:], depth+1, elements)
		if err != nil {
			return 0, err
		}
		at += n
	}
	if e.indefinite {
		return 0, errors.New("an ASN.1 element of indefinite length has no end")
	}
	return e.header + at, nil
}

// firstElements returns up to n elements; the last may be cut.
func firstElements(b []byte, n int) []element {
	var out []element
	for len(out) < n {
		e, err := firstElement(b)
		if err != nil {
			break
		}
		out = append(out, e)
		if e.indefinite || e.length > len(e.body) {
			break
		}
		b = b[e.header+e.length:]
	}
	return out
}

// sequenceOf returns the elements of the only SEQUENCE in b.
func sequenceOf(b []byte) ([]element, error) {
	top, err := elementsOf(b)
	if err != nil {
		return nil, err
	}
	if len(top) != 1 || top[0].tag != tagSequence {
		return nil, errors.New("it is not one SEQUENCE")
	}
	return elementsOf(top[0].body)
}

// elementsOf splits b, which must be whole elements of definite length.
func elementsOf(b []byte) ([]element, error) {
	var out []element
	for len(b) > 0 {
		e, err := firstElement(b)
		if err != nil {
			return nil, err
		}
		if e.indefinite || e.length > len(e.body) {
			return nil, errors.New("a part of it is not whole")
		}
		out = append(out, e)
		b = b[e.header+e.length:]
	}
	return out, nil
}

// kind is what a DER structure looks like from its outermost elements.
type kind int

const (
	kindUnknown kind = iota
	kindCertificate
	kindSignedData // PKCS#7, any content type
	kindSPKI
	kindPublicPKCS1
	kindPKCS8
	kindPKCS1
	kindSEC1
	kindEncryptedPKCS8
	kindPKCS12
)

// private returns what to call a kind that holds a private key, or "".
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

const (
	tagInteger   = 0x02
	tagBitString = 0x03
	tagOctets    = 0x04
	tagOID       = 0x06
	tagSequence  = 0x30
	tagExplicit0 = 0xa0
)

// recognise looks at no more than the first children and works on cut input too,
// so that a damaged private key is still known for one.
func recognise(b []byte) kind {
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
		case !startsWithOID && (tag(1) == tagSequence || len(children) == 1):
			return kindCertificate
		}
	}
	return kindUnknown
}
