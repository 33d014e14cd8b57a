package keyfile

import (
	"bytes"
	"regexp"
)

// A regular expression takes a hundred times as long for a byte as a search for a word. So those of
// this file are anchored, and tried where a word stands that is part of each match.

// printed finds the numbers of private keys as programs print them.
func (s *search) printed(text []byte) {
	if printsPrivate(text) {
		s.add(Leak{Kind: "the numbers of a private key"})
	}
	if at := privateExponent(text); at >= 0 {
		s.add(Leak{
			Kind:      "the numbers of a private key",
			PublicKey: s.owner(func() SPKIHash { return printedNumbers(text, at).owner() }),
		})
	}
}

// exponentValue is what follows the words "private exponent": its value in hexadecimal, decimal or
// base64.
var exponentValue = regexp.MustCompile(`^["']?\s*[:=(,]\s*["']?(?i:(?:0x)?[0-9a-z+/]{2}[0-9a-z+/:]{30})`)

// privateExponent returns where text has the private exponent as openssl rsa -text, Java, DNSSEC and
// others print it, or -1.
func privateExponent(text []byte) int {
	const private, exponent = "private", "exponent"
	for at := len(private); at+len(exponent) <= len(text); at++ {
		if text[at]|0x20 != exponent[0] || text[at+1]|0x20 != exponent[1] ||
			!equalFoldASCII(text[at:at+len(exponent)], exponent) {
			continue
		}
		begin := at - len(private)
		if sign := text[at-1]; (sign == ' ' || sign == '_' || sign == '-') && begin > 0 {
			begin--
		}
		if equalFoldASCII(text[begin:begin+len(private)], private) && exponentValue.Match(text[at+len(exponent):]) {
			return begin
		}
	}
	return -1
}

// equalFoldASCII reports whether text is word, which is in small letters.
func equalFoldASCII(text []byte, word string) bool {
	for i := range len(word) {
		if text[i]|0x20 != word[i] {
			return false
		}
	}
	return true
}

// pythonNumbers is what libraries of Python print of a private key, by the word that it begins with.
var pythonNumbers = map[string]*regexp.Regexp{
	"PrivateKey(":        regexp.MustCompile(`^\d{100}\d*, ?\d+, ?\d{100}`),
	"RSAPrivateNumbers(": regexp.MustCompile(`^(?:[^()]{0,1000}\bd=|p=)\d{100}`),
	"RsaKey(":            regexp.MustCompile(`^[^()]{0,1000}\bd=\d{100}`),
}

func printsPrivate(text []byte) bool {
	for word, numbers := range pythonNumbers {
		for at := 0; ; {
			next := bytes.Index(text[at:], []byte(word))
			if next < 0 {
				break
			}
			begin := at + next
			at = begin + len(word)
			if (begin == 0 || !isWord(text[begin-1])) && numbers.Match(text[at:]) {
				return true
			}
		}
	}
	return false
}

func isWord(c byte) bool { return isInner(c) && c != '+' && c != '/' || c == '_' }
