package keyfile

import (
	"bytes"
	"encoding/ascii85"
	"encoding/base32"
	"iter"
	"strings"
)

// octets searches what a text stands for.
func (s *search) octets(decoded []byte) {
	s.der(decoded)
	s.marks(decoded)
}

// coded searches what a text in base32 or ascii85 stands for, and the octets of a dump in words of
// two octets, the second of which is printed first.
func (s *search) coded(text []byte) {
	for decoded := range longBase32(text) {
		s.octets(decoded)
	}
	for decoded := range longASCII85(text) {
		s.octets(decoded)
	}
}

// wordsSwapped reports whether octets may be those of a dump in words: the second begins DER, JSON, XML or
// PEM.
func wordsSwapped(octets []byte) bool {
	return len(octets) > 1 && bytes.IndexByte([]byte("0{<-"), octets[1]) >= 0
}

// swappedWords returns octets with the two of each word in the other order, as hexdump and od -x
// print them.
func swappedWords(octets []byte) []byte {
	out := make([]byte, len(octets)&^1)
	for at := 0; at+1 < len(octets); at += 2 {
		out[at], out[at+1] = octets[at+1], octets[at]
	}
	return out
}

// textBlock returns the number of bytes of the block at the start of text, and the block without its
// line ends: a run of bytes of a set, and the lines after it that hold nothing else.
func textBlock(text []byte, in func(byte) bool) (block []byte, n int) {
	run := func(b []byte) int {
		n := 0
		for n < len(b) && in(b[n]) {
			n++
		}
		return n
	}
	n = run(text)
	block = text[:n:n]
	for {
		rest := bytes.TrimLeft(text[n:], " \t\r")
		if len(rest) == 0 || rest[0] != '\n' {
			return block, n
		}
		before := " \t>|" // the marks of a quoted mail
		if in('>') {
			before = " \t"
		}
		rest = bytes.TrimLeft(rest[1:], before)
		more := run(rest)
		behind := bytes.TrimLeft(rest[more:], " \t\r")
		if more == 0 || len(behind) > 0 && behind[0] != '\n' && in(behind[0]) {
			return block, n
		}
		block = append(block, rest[:more]...)
		n = len(text) - len(rest) + more
		if len(behind) > 0 && behind[0] != '\n' {
			return block, n
		}
	}
}

func isBase32(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '2' && c <= '7'
}

// longBase32 returns what each long text in base32 stands for (RFC 4648, section 6).
func longBase32(text []byte) iter.Seq[[]byte] {
	const first, least = 40, 103 // characters of the first line, and of 64 octets
	return func(yield func([]byte) bool) {
		for at := 0; at < len(text); {
			if !isBase32(text[at]) {
				at++
				continue
			}
			n := 0
			for at+n < len(text) && isBase32(text[at+n]) {
				n++
			}
			if n < first || hasBothCases(text[at:at+n]) {
				at += n
				continue
			}
			block, n := textBlock(text[at:], isBase32)
			at += n
			if len(block) < least || hasBothCases(block) {
				continue
			}
			coding := base32.StdEncoding.WithPadding(base32.NoPadding)
			block = bytes.ToUpper(block[:len(block)&^7])
			decoded := make([]byte, coding.DecodedLen(len(block)))
			n, _ = coding.Decode(decoded, block)
			if !yield(decoded[:n]) {
				return
			}
		}
	}
}

// hasBothCases reports whether a text has small letters and capitals, as base64 has.
func hasBothCases(text []byte) bool {
	var upper, lower bool
	for _, c := range text {
		upper = upper || c >= 'A' && c <= 'Z'
		lower = lower || c >= 'a' && c <= 'z'
		if upper && lower {
			return true
		}
	}
	return false
}

// The alphabets of base85: of Adobe and btoa, of RFC 1924, which Git and Python also use, and of ZeroMQ.
var alphabets85 = [...]string{
	"",
	"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~",
	"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#",
}

func isPrinted(c byte) bool { return c > ' ' && c <= '~' }

// longASCII85 returns what each long text in a base of 85 stands for, if it begins like DER or PEM.
func longASCII85(text []byte) iter.Seq[[]byte] {
	const first, least = 40, 80 // characters of the first line, and of 64 octets
	return func(yield func([]byte) bool) {
		for at := 0; at < len(text); {
			if !isPrinted(text[at]) {
				at++
				continue
			}
			n := 0
			for at+n < len(text) && isPrinted(text[at+n]) {
				n++
			}
			if n < first || !begins85(text[at:at+n]) {
				at += n
				continue
			}
			block, n := textBlock(text[at:], isPrinted)
			at += n
			if len(block) < least {
				continue
			}
			for _, text := range readings85(block) {
				for _, alphabet := range alphabets85 {
					if decoded := from85(text, alphabet); decoded != nil && !yield(decoded) {
						return
					}
				}
			}
		}
	}
}

// readings85 returns a text as it is, and what is between the marks that Adobe puts around it, if it has
// one: in another alphabet, the marks are digits.
func readings85(text []byte) [][]byte {
	const begin, end = "<~", "~>"
	from, to := bytes.Index(text, []byte(begin)), bytes.Index(text, []byte(end))
	if from < 0 && to < 0 {
		return [][]byte{text}
	}
	marked := text
	if from >= 0 {
		marked = text[from+len(begin):]
	}
	marked, _, _ = bytes.Cut(marked, []byte(end))
	return [][]byte{text, marked}
}

// begins85 reports whether text in one of the alphabets begins like DER or PEM.
func begins85(text []byte) bool {
	const groups = 10
	for _, text := range readings85(text) {
		for _, alphabet := range alphabets85 {
			if octets := from85(text[:min(len(text), groups)], alphabet); octets != nil && begins(octets) {
				return true
			}
		}
	}
	return false
}

// begins reports whether the first element in a SEQUENCE of DER is one with which private keys and what
// holds them begin: a version, or another SEQUENCE or SET, or an OID. It reports true for PEM, and where
// there are too few octets.
func begins(octets []byte) bool {
	const head = 4
	if len(octets) < head+2 || octets[0] != tagSequence {
		return true
	}
	switch tag, length := octets[head], octets[head+1]; tag {
	case tagInteger:
		return length == 1
	case tagSequence, tagSet, tagExplicit0:
		return length <= 0x84
	case tagOID:
		return length < 0x20
	}
	return false
}

// from85 decodes a text in a base of 85, or returns nil if it does not begin like DER or PEM.
func from85(text []byte, alphabet string) []byte {
	const group = 5
	if len(text) < group {
		return nil
	}
	digits := text
	translate := func(from []byte) []byte {
		if alphabet == "" {
			return from
		}
		out := make([]byte, len(from))
		for i, c := range from {
			out[i] = byte('!' + max(strings.IndexByte(alphabet, c), 0))
		}
		return out
	}
	var head [4]byte
	if _, _, err := ascii85.Decode(head[:], translate(digits[:group]), false); err != nil ||
		!bytes.HasPrefix(head[:], []byte{tagSequence, 0x82}) && string(head[:]) != "----" {
		return nil
	}
	out := make([]byte, 4*len(text)) // each z is four octets
	n, _, _ := ascii85.Decode(out, translate(digits), true)
	return out[:n]
}
