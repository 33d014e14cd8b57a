package keyfile

import (
	"errors"
	"fmt"
)

// Bounds on ASN.1 from outside, checked before a parser sees it that recurses or
// copies per level. An honest file of sixteen certificates has some 2,500 elements.
const (
	maxASN1Depth    = 32
	maxASN1Elements = 5000
	maxASN1Length   = 1 << 30
)

// Identifier octets (X.690, section 8.1.2).
const (
	tagInteger         = 0x02
	tagBitString       = 0x03
	tagOctets          = 0x04
	tagOID             = 0x06
	tagUTCTime         = 0x17
	tagGeneralizedTime = 0x18
	tagSequence        = 0x30
	tagSet             = 0x31
	tagExplicit0       = 0xa0
)

// element is one ASN.1 tag-length-value (X.690, section 8.1). With an indefinite
// length, body runs to the end of the input.
type element struct {
	tag        byte // identifier octet; a long tag has 0x1f in the low bits
	header     int  // octets before the body
	length     int  // of the body, as stated
	indefinite bool
	body       []byte // as much of it as there is
}

var errCutHeader = errors.New("the ASN.1 ends inside a header")

// firstElement reads the header at the start of b. It doesn't require the whole body,
// so that a cut file can still be recognized.
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
		var length uint32
		for _, o := range b[at : at+octets] {
			length = length<<8 | uint32(o)
		}
		if length > maxASN1Length {
			return element{}, errors.New("an ASN.1 length is over a gigabyte")
		}
		e.length = int(length)
		at += octets
	}
	e.header = at
	e.body = b[at:]
	if !e.indefinite && e.length < len(e.body) {
		e.body = e.body[:e.length]
	}
	return e, nil
}

// whole reports whether the element has a definite length and all of its body.
func (e element) whole() bool { return !e.indefinite && e.length == len(e.body) }

// checkASN1 returns an error unless b is exactly one element, whole and within the
// bounds.
func checkASN1(b []byte) error {
	top, err := firstElement(b)
	if err != nil {
		return err
	}
	if !top.indefinite {
		stated := top.header + top.length
		if stated > len(b) {
			return fmt.Errorf("the ASN.1 says %d bytes, the block holds %d: the end or some lines are missing",
				stated, len(b))
		}
		if stated < len(b) {
			return fmt.Errorf("the ASN.1 says %d bytes, the block holds %d: "+
				"%d bytes of something else follow, remove them",
				stated, len(b), len(b)-stated)
		}
	}
	elements := 0
	size, err := measure(b, 0, &elements)
	if err != nil {
		return err
	}
	if size != len(b) {
		return fmt.Errorf("the ASN.1 ends after %d bytes, the block holds %d: "+
			"%d bytes of something else follow, remove them",
			size, len(b), len(b)-size)
	}
	return nil
}

// measure returns the number of octets of the first element of b.
func measure(b []byte, depth int, elements *int) (int, error) {
	if depth > maxASN1Depth {
		return 0, fmt.Errorf("the ASN.1 is nested more than %d levels deep: this is not a certificate", maxASN1Depth)
	}
	if *elements++; *elements > maxASN1Elements {
		return 0, fmt.Errorf("the ASN.1 has more than %d elements: send the certificate and its chain only",
			maxASN1Elements)
	}
	e, err := firstElement(b)
	if err != nil {
		return 0, err
	}
	if !e.indefinite && e.length > len(e.body) {
		return 0, errors.New("an inner ASN.1 element is longer than the outer one: bytes are missing or altered")
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

// firstElements returns up to n elements. The last one may be cut.
func firstElements(b []byte, n int) []element {
	var out []element
	for len(out) < n {
		e, err := firstElement(b)
		if err != nil {
			break
		}
		out = append(out, e)
		if !e.whole() {
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

// elementsOf splits b into whole elements of definite length.
func elementsOf(b []byte) ([]element, error) {
	var out []element
	for len(b) > 0 {
		e, err := firstElement(b)
		if err != nil {
			return nil, err
		}
		if !e.whole() {
			return nil, errors.New("a part of it is not whole")
		}
		out = append(out, e)
		b = b[e.header+e.length:]
	}
	return out, nil
}
