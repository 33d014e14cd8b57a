package keyfile

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Private keys are looked for here in files of any form and any damage, by marks
// that no public file has. Each search goes over the file once.

// privateLine finds the next BEGIN line of a private key: where it begins, and
// where what is behind it begins. The former is less than 0 if there is none.
func privateLine(text []byte, from int) (begin, behind int, label string) {
	const longest = 64
	for {
		at := bytes.Index(text[from:], []byte(pemBegin))
		if at < 0 {
			return -1, 0, ""
		}
		begin = from + at
		from = begin + len(pemBegin)
		line := text[from:min(len(text), from+longest)]
		end := bytes.IndexFunc(line, func(r rune) bool { return r != ' ' && (r < 'A' || r > 'Z') && (r < '0' || r > '9') })
		if end < 0 || !bytes.HasPrefix(line[end:], []byte(pemDash)) {
			continue
		}
		if line = line[:end]; bytes.HasSuffix(line, []byte("PRIVATE KEY")) || bytes.HasSuffix(line, []byte("PRIVATE KEY BLOCK")) {
			return begin, from + end + len(pemDash), string(line)
		}
	}
}

// withoutMentions makes the BEGIN lines of private keys unlike any. Where no key
// follows them they are mentions: "never send a file with the line".
func withoutMentions(text []byte) []byte {
	begin, behind, _ := privateLine(text, 0)
	if begin < 0 {
		return text
	}
	text = bytes.Clone(text)
	for begin >= 0 {
		copy(text[begin:], "=====")
		begin, behind, _ = privateLine(text, behind)
	}
	return text
}

// openSSHMagic is how the base64 of OpenSSH's own form begins.
const openSSHMagic = "b3BlbnNzaC1rZXktdjE"

// keyFollows judges what stands behind a BEGIN line, up to the next five hyphens:
// is it DER, or base64 enough for the shortest key? Lines that were broken anew,
// escaped, quoted or damaged count as well, words of a letter don't.
func keyFollows(text []byte) bool {
	const (
		near     = 1 << 10
		shortest = 60 // characters; Ed25519 has 64
	)
	text = bytes.TrimLeft(text, "-"+jsonSpace)
	if end := bytes.Index(text, []byte(pemDash)); end >= 0 {
		text = text[:end]
	}
	for _, der := range [][]byte{text, pemBlock{body: text}.bytes()} {
		if e, err := firstElement(der); err == nil && e.tag == tagSequence && privateShape(e.body) != kindUnknown {
			return true
		}
	}
	text = text[:min(len(text), near)]
	found := 0
	for _, word := range bytes.Fields(text) {
		if bytes.Contains(word, []byte("://")) {
			continue
		}
		for _, run := range bytes.FieldsFunc(word, func(r rune) bool { return !isBase64(r) }) {
			if likeBase64(run) {
				found += len(run)
			}
		}
	}
	return found >= shortest || bytes.Contains(text, []byte(openSSHMagic))
}

// likeBase64 tells a run of base64 from a word and from hexadecimal.
func likeBase64(run []byte) bool {
	const least = 16
	lower := bytes.IndexFunc(run, func(r rune) bool { return r >= 'a' && r <= 'z' }) >= 0
	upper := bytes.IndexFunc(run, func(r rune) bool { return r >= 'A' && r <= 'Z' }) >= 0
	other := bytes.ContainsAny(run, "0123456789+/")
	return len(run) >= least && lower && upper && other
}

// shortestSecret is less than any private number has in base64, and more than
// the words that stand in its place.
const shortestSecret = 20

// json finds private JWKs in text that need not be JSON: cut, with something around
// it, in a list, in a string.
func (s *search) json(text []byte) {
	if !bytes.Contains(text, []byte("kty")) {
		return
	}
	var loose looseJWK
	for at, c := range text {
		if c == ':' {
			loose.add(jsonNameBefore(text[:at]), jsonValueAt(text[at+1:]))
		}
	}
	if !loose.secret && (!loose.symmetric || loose.onlyRSA()) {
		return
	}
	var whole search
	if len(text) <= maxFile {
		if keys, err := jwkObjects(bytes.TrimSpace(text)); err == nil {
			whole.jwks(keys)
		}
	}
	if whole.err() == nil || len(whole.found) == 1 && whole.found[0].PublicKeySHA256 == "" {
		s.add(&PrivateKeyError{Kind: "a private JWK", PublicKeySHA256: s.owner(loose.owner)})
		return
	}
	for _, e := range whole.found {
		s.add(e)
	}
}

// looseJWK is the first members of JWKs, of which nobody knows which belong to
// one key: that shows only when they fit.
type looseJWK struct {
	moduli, publics, exponents, primes []string
	types, rsa                         int
	secret, symmetric                  bool
}

func (j *looseJWK) add(name, value string) {
	keep := func(list *[]string, most int) {
		if len(*list) < most {
			*list = append(*list, value)
		}
	}
	switch name {
	case "kty":
		if j.types++; value == "RSA" {
			j.rsa++
		}
	case "n":
		keep(&j.moduli, 2)
	case "e":
		keep(&j.publics, 2)
	case "d", "dp", "dq":
		keep(&j.exponents, 3)
	case "p", "q":
		keep(&j.primes, 4)
	}
	if len(value) >= shortestSecret && slices.Contains(privateMembers, name) {
		if name == "k" {
			j.symmetric = true
		} else {
			j.secret = true
		}
	}
}

// onlyRSA is true where no key has a type to which "k" belongs.
func (j *looseJWK) onlyRSA() bool { return j.types > 0 && j.rsa == j.types }

func (j *looseJWK) owner() string {
	var k rsaNumbers
	for _, x := range j.exponents {
		k.exponents = append(k.exponents, base64Number(x))
	}
	for _, p := range j.primes {
		k.primes = append(k.primes, base64Number(p))
	}
	for _, n := range j.moduli {
		for _, e := range j.publics {
			k.n, k.e = base64Number(n), base64Number(e)
			if sum := k.owner(); sum != "" {
				return sum
			}
		}
	}
	return ""
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

func wholeElement(der []byte) []byte {
	e, err := firstElement(der)
	if err != nil || e.indefinite {
		return der
	}
	return der[:e.header+min(e.length, len(e.body))]
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

// privateParts finds the private keys among the elements of DER. What is inside an
// OCTET STRING or a BIT STRING is not looked at.
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
