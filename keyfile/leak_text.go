package keyfile

import (
	"bytes"
	"html"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The functions of this file find private keys by marks that no public file has, in files
// of any format and with any damage. Each reads the file once.

// words finds private keys by the words with which programs begin them.
func (s *search) words(text []byte) {
	for mark, kind := range map[string]string{
		"PuTTY-User-Key-File-":            "a PuTTY private key",
		"BEGIN SSH2 ENCRYPTED PRIVATE":    "a private key of SSH (RFC 4716)",
		"SSH PRIVATE KEY FILE FORMAT 1.1": "a private key of SSH 1",
		"AGE-SECRET-KEY-1":                "a private key of age",
	} {
		if bytes.Contains(text, []byte(mark)) {
			s.add(Leak{Kind: kind})
		}
	}
	if at := bytes.Index(text, []byte(openSSHHead)); at >= 0 {
		s.add(Leak{
			Kind:      "a private key of OpenSSH",
			PublicKey: s.owner(func() SPKIHash { return openSSHNumbers(text[at:]).owner() }),
		})
	}
	s.printed(text)
}

var privateTag = regexp.MustCompile(`<(?:[\w.-]+:)?(?:D|P|Q|DP|DQ|InverseQ)>\s*[A-Za-z0-9+/]{20}`)

// xml finds the private members of .NET's RSAKeyValue and RSAParameters.
func (s *search) xml(text []byte) {
	if bytes.Contains(text, []byte("RSAKeyValue&gt;")) {
		text = []byte(html.UnescapeString(string(text)))
	}
	if (bytes.Contains(text, []byte("RSAKeyValue")) || bytes.Contains(text, []byte("RSAParameters"))) &&
		privateTag.Match(text) {
		s.add(Leak{Kind: "an RSA private key in XML"})
	}
}

const privateJWK = "a private JWK"

// json finds private JWKs in text that need not be JSON: cut, with something around it,
// in a list, in a string. It looks for an owner only in whole JSON, where it is clear
// which members belong to one key.
func (s *search) json(text []byte) {
	if !bytes.Contains(text, []byte("kty")) {
		return
	}
	var members jwkMembers
	for at, c := range text {
		if c == ':' {
			members.add(jsonNameBefore(text[:at]), jsonValueAt(text[at+1:]))
		}
	}
	if !members.secret && (!members.symmetric || members.onlyRSA()) {
		return
	}
	if len(text) <= MaxSize {
		if keys, err := jwkObjects(bytes.TrimSpace(text)); err == nil && s.jwks(keys) {
			return
		}
	}
	s.add(Leak{Kind: privateJWK})
}

// jwks adds the private keys of a set, and reports whether there are any.
func (s *search) jwks(keys []map[string]any) (found bool) {
	for _, object := range keys {
		if holdsPrivate(object) {
			s.add(Leak{Kind: privateJWK, PublicKey: s.owner(func() SPKIHash { return jwkNumbers(object).owner() })})
			found = true
		}
	}
	return found
}

// jwkMembers is what a text has of JWKs. It is not known which members belong together.
type jwkMembers struct {
	types, rsa        int
	secret, symmetric bool
}

func (j *jwkMembers) add(name, value string) {
	// Shorter than any private number in base64, and longer than the words that may be
	// in its place.
	const shortestSecret = 20
	if name == "kty" {
		if j.types++; value == "RSA" {
			j.rsa++
		}
	}
	if len(value) >= shortestSecret && slices.Contains(privateMembers, name) {
		if name == "k" {
			j.symmetric = true
		} else {
			j.secret = true
		}
	}
}

// onlyRSA reports whether no key has a type to which "k" belongs.
func (j *jwkMembers) onlyRSA() bool { return j.types > 0 && j.rsa == j.types }

const jsonSpace = " \t\r\n"

// jsonNameBefore returns the short name at the end of b, without escapes. It is in quotation marks,
// which may be escaped, as they are in a string, or has none, as in YAML and JavaScript.
func jsonNameBefore(b []byte) string {
	const longest = 6 * 6 // every character of the longest name escaped
	b = bytes.TrimRight(b, jsonSpace)
	if len(b) == 0 || b[len(b)-1] != '"' {
		b = bytes.TrimSuffix(b[max(0, len(b)-longest):], []byte("'"))
		n := len(b)
		for n > 0 && b[n-1] >= 'a' && b[n-1] <= 'z' {
			n--
		}
		// Such a name begins a member: in a text, it may be a word, a part of an address, or a drive.
		before := bytes.TrimRight(b[:n], " \t")
		if len(before) > 0 && !bytes.ContainsAny(before[len(before)-1:], "{,\n\r-'") {
			return ""
		}
		return string(b[n:])
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

// jsonValueAt returns the base64 or base64url of the string at the start of b.
func jsonValueAt(b []byte) string {
	const longest = 1 << 10
	b = bytes.TrimLeft(b[:min(len(b), longest)], jsonSpace)
	b = bytes.TrimLeft(b, `\`)
	if len(b) > 0 && (b[0] == '"' || b[0] == '\'') {
		b = b[1:]
	}
	n := base64Run(b)
	if rest := b[n:]; len(rest) > 0 && rest[0] == '.' { // a path, or the name of a file
		return ""
	}
	return string(b[:n])
}
