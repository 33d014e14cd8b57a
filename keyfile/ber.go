package keyfile

import "errors"

var errBER = errors.New("its ASN.1 is damaged")

// toDER returns BER, which some programs write where DER is usual, with definite lengths and with
// OCTET STRINGs in one piece. It doesn't look into OCTET STRINGs. It takes BER that checkASN1 has
// accepted.
func toDER(ber []byte) ([]byte, error) {
	out, rest, err := elementToDER(ber, 0)
	if err == nil && len(rest) > 0 {
		err = errBER
	}
	return out, err
}

// elementToDER converts the first element, and returns what follows it.
func elementToDER(b []byte, depth int) (der, rest []byte, err error) {
	e, err := firstElement(b)
	if err != nil || depth > maxASN1Depth || !e.indefinite && e.length > len(e.body) {
		return nil, nil, errBER
	}
	const constructed = 0x20
	rest = e.body
	if !e.indefinite {
		rest = b[e.header+e.length:]
		if e.tag&constructed == 0 {
			return b[:e.header+e.length], rest, nil
		}
	}
	var parts [][]byte
	for body := e.body; ; {
		if e.indefinite && len(body) >= 2 && body[0] == 0 && body[1] == 0 {
			rest = body[2:]
			break
		}
		if len(body) == 0 {
			if e.indefinite {
				return nil, nil, errBER
			}
			break
		}
		part, next, err := elementToDER(body, depth+1)
		if err != nil {
			return nil, nil, err
		}
		parts, body = append(parts, part), next
	}
	if e.tag == tagOctets|constructed {
		body, err := joinOctets(parts)
		return encodeElement([]byte{tagOctets}, body), rest, err
	}
	if e.tag == tagSequence {
		parts = joinImplicit(parts)
	}
	var body []byte
	for _, p := range parts {
		body = append(body, p...)
	}
	return encodeElement(tagAt(b), body), rest, nil
}

// tagAt returns the octets of the tag at the start of b (X.690, section 8.1.2).
func tagAt(b []byte) []byte {
	n := 1
	if b[0]&0x1f == 0x1f {
		for b[n]&0x80 != 0 {
			n++
		}
		n++
	}
	return b[:n]
}

// joinOctets returns the content of OCTET STRINGs, one after the other.
func joinOctets(parts [][]byte) (body []byte, err error) {
	for _, p := range parts {
		e, err := firstElement(p)
		if err != nil || e.tag != tagOctets || !e.whole() {
			return nil, errBER
		}
		body = append(body, e.body...)
	}
	return body, nil
}

// joinImplicit puts the encrypted content of an EncryptedContentInfo (RFC 5652, section 6.1) into
// one piece: it is an implicit OCTET STRING behind an algorithm, and may be constructed.
func joinImplicit(parts [][]byte) [][]byte {
	const last = 2
	if len(parts) != last+1 || parts[0][0] != tagOID || parts[1][0] != tagSequence || parts[last][0] != tagExplicit0 {
		return parts
	}
	e, err := firstElement(parts[last])
	if err != nil {
		return parts
	}
	var pieces [][]byte
	for body := e.body; len(body) > 0; {
		piece, err := firstElement(body)
		if err != nil || piece.tag != tagOctets || !piece.whole() {
			return parts
		}
		n := piece.header + piece.length
		pieces, body = append(pieces, body[:n]), body[n:]
	}
	body, err := joinOctets(pieces)
	if err != nil {
		return parts
	}
	const implicit0 = 0x80
	return [][]byte{parts[0], parts[1], encodeElement([]byte{implicit0}, body)}
}

// encodeElement returns an element with a definite length.
func encodeElement(tag []byte, body []byte) []byte {
	out := append([]byte{}, tag...)
	switch n := len(body); {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 1<<8:
		out = append(out, 0x81, byte(n))
	case n < 1<<16:
		out = append(out, 0x82, byte(n>>8), byte(n))
	default:
		out = append(out, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(out, body...)
}
