package cert

import (
	"bytes"
	"encoding/base64"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Private keys are looked for here in files of any form and any damage, by marks
// that no public file has. Each search goes over the file once.

// privateLabel finds the first BEGIN line of a private key, or PuTTY's first line.
func privateLabel(text []byte) (label string, putty bool) {
	const longest = 64
	for rest := text; ; {
		begin := bytes.Index(rest, []byte(pemBegin))
		if begin < 0 {
			return "", bytes.Contains(text, []byte("PuTTY-User-Key-File-"))
		}
		rest = rest[begin+len(pemBegin):]
		line := rest[:min(len(rest), longest)]
		end := bytes.IndexFunc(line, func(r rune) bool { return r != ' ' && (r < 'A' || r > 'Z') && (r < '0' || r > '9') })
		if end < 0 || !bytes.HasPrefix(line[end:], []byte(pemDash)) {
			continue
		}
		if line = line[:end]; bytes.HasSuffix(line, []byte("PRIVATE KEY")) || bytes.HasSuffix(line, []byte("PRIVATE KEY BLOCK")) {
			return string(line), false
		}
	}
}

// shortestSecret is less than any private number has in base64, and more than
// the words that stand in its place.
const shortestSecret = 20

// privateJSON finds a private JWK in text that need not be JSON: cut, with
// something around it, in a list, in a string.
func privateJSON(text []byte) *PrivateKeyError {
	if !bytes.Contains(text, []byte("kty")) {
		return nil
	}
	var moduli, exponents []string
	secret := false
	for at, c := range text {
		if c != ':' {
			continue
		}
		value := jsonValueAt(text[at+1:])
		switch name := jsonNameBefore(text[:at]); {
		case name == "n" && len(moduli) < 2:
			moduli = append(moduli, value)
		case name == "e" && len(exponents) < 2:
			exponents = append(exponents, value)
		case len(value) >= shortestSecret && slices.Contains(privateMembers, name):
			secret = true
		}
	}
	if !secret {
		return nil
	}
	if keys, err := jwkObjects(bytes.TrimSpace(text)); err == nil {
		if e := privateAmong(keys); e != nil {
			return e
		}
	}
	e := &PrivateKeyError{Kind: "a private JWK"}
	if len(moduli) == 1 && len(exponents) == 1 {
		if pub, _, err := rsaFromJWK(map[string]any{"kty": "RSA", "n": moduli[0], "e": exponents[0]}); err == nil {
			e.PublicKeySHA256 = spkiSHA256(pub)
		}
	}
	return e
}

const jsonSpace = " \t\r\n"

// jsonNameBefore is the short name in quotation marks at the end of b, without
// escapes. The marks themselves may be escaped, as they are in a string.
func jsonNameBefore(b []byte) string {
	const longest = 6 * 6 // every character of the longest name escaped
	b = bytes.TrimRight(b, jsonSpace)
	if len(b) == 0 || b[len(b)-1] != '"' {
		return ""
	}
	b = bytes.TrimRight(b[:len(b)-1], `\`)
	b = b[max(0, len(b)-longest):]
	name := string(b[bytes.LastIndexByte(b, '"')+1:])
	if strings.Contains(name, `\`) {
		if plain, err := strconv.Unquote(`"` + name + `"`); err == nil {
			return plain
		}
	}
	return name
}

// jsonValueAt is the base64 or base64url of the string at the start of b.
func jsonValueAt(b []byte) string {
	const longest = 1 << 10
	b = bytes.TrimLeft(b[:min(len(b), longest)], jsonSpace)
	b = bytes.TrimLeft(b, `\`)
	if len(b) == 0 || b[0] != '"' {
		return ""
	}
	return string(b[1 : 1+base64Run(b[1:])])
}

// base64Run counts the characters of either alphabet at the start of b.
func base64Run(b []byte) int {
	n := bytes.IndexFunc(b, func(r rune) bool { return !isBase64(r) && r != '-' && r != '_' })
	if n < 0 {
		return len(b)
	}
	return n
}

var privateTag = regexp.MustCompile(`<(?:D|P|Q|DP|DQ|InverseQ)>\s*[A-Za-z0-9+/]{20}`)

// privateXML finds the private members of .NET's RSAKeyValue.
func privateXML(text []byte) bool {
	return bytes.Contains(text, []byte("RSAKeyValue")) && privateTag.Match(text)
}

// privateBase64 finds a run of base64 or base64url that begins like a private
// key, such as an entry of "x5c" or a PEM block with damaged lines, and returns
// as much of the key as there is.
func privateBase64(text []byte) (kind, []byte) {
	const least, most = 32, 64 // characters; a line of PEM has 64
	inRun := false
	for i, c := range text {
		begins := !inRun
		inRun = isBase64(rune(c)) || c == '-' || c == '_'
		if !begins || c != 'M' { // a SEQUENCE begins with M
			continue
		}
		n := base64Run(text[i:min(len(text), i+most)]) / 4 * 4
		start := standardBase64(text[i : i+n])
		if n < least || len(start) == 0 || start[0] != tagSequence {
			continue
		}
		e, err := firstElement(start)
		if err != nil {
			continue
		}
		if k := privateShape(e.body); k != kindUnknown {
			return k, wholeRun(text[i:])
		}
	}
	return kindUnknown, nil
}

// standardBase64 decodes either alphabet as far as it goes.
func standardBase64(text []byte) []byte {
	text = bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("-"), []byte("+")), []byte("_"), []byte("/"))
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, _ := base64.StdEncoding.Decode(out, text)
	return out[:n]
}

// wholeRun is the first element of the base64 at the start of text, in lines or not.
func wholeRun(text []byte) []byte {
	end := bytes.IndexFunc(text, func(r rune) bool { return !isBase64(r) && !bytes.ContainsRune([]byte(jsonSpace), r) })
	if end < 0 {
		end = len(text)
	}
	der := standardBase64(withoutSpace(text[:min(end, maxFile)]))
	return wholeElement(der)
}

func wholeElement(der []byte) []byte {
	e, err := firstElement(der)
	if err != nil || e.indefinite {
		return der
	}
	return der[:e.header+min(e.length, len(e.body))]
}

// privatePart finds a private key among the elements of DER and returns it. What
// is inside an OCTET STRING or a BIT STRING is not looked at.
func privatePart(b []byte, depth int, elements *int) (kind, []byte) {
	for len(b) > 0 {
		e, err := firstElement(b)
		if *elements++; err != nil || depth > maxASN1Depth || *elements > maxASN1Elements {
			return kindUnknown, nil
		}
		if e.tag == tagSequence {
			if k := privateShape(e.body); k != kindUnknown {
				return k, wholeElement(b)
			}
		}
		if e.tag&0x20 != 0 {
			if k, key := privatePart(e.body, depth+1, elements); k != kindUnknown {
				return k, key
			}
		}
		if e.indefinite { // its body went to the end
			return kindUnknown, nil
		}
		b = b[e.header+len(e.body):]
	}
	return kindUnknown, nil
}

var pbeArcs = [][]byte{ // PKCS#5 and PKCS#12, whose OIDs name encryption under a passphrase
	{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05},
	{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01},
}

// privateShape knows a private key by the content of its SEQUENCE, which may be
// cut. It is stricter than recognise, for it is asked about every part of a file:
// a revocation list and a signer too begin with an INTEGER and a SEQUENCE.
func privateShape(body []byte) kind {
	const leastModulus = 64 // octets
	parts := firstElements(body, 3)
	if len(parts) < 2 {
		return kindUnknown
	}
	switch a, b := parts[0], parts[1]; {
	case a.tag == tagSequence && b.tag == tagOctets:
		oid, err := firstElement(a.body)
		if err == nil && oid.tag == tagOID && slices.ContainsFunc(pbeArcs, func(arc []byte) bool { return bytes.HasPrefix(oid.body, arc) }) {
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
