package keyfile

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"slices"
)

// PrivateKeyError says that a file which should be public holds a private key.
// It never holds the key.
type PrivateKeyError struct {
	Kind            string // what was found, in words
	PublicKeySHA256 string // SHA-256 of the SubjectPublicKeyInfo in hexadecimal, or empty if the file does not prove whose private part it is
}

func (e *PrivateKeyError) Error() string {
	which := "which key it is cannot be seen from outside"
	if e.PublicKeySHA256 != "" {
		which = "SHA-256 of its public key " + e.PublicKeySHA256
	}
	return "the file holds " + e.Kind + " (" + which + "): a private key never leaves its owner; treat it as compromised, make a new pair, and send only the new certificate"
}

const (
	maxSearched = 16 << 20 // octets of a file in which private keys are looked for
	maxNamed    = 64       // private keys of one file that are told apart
)

// PrivateKeys finds the private keys in the first 16 MiB of a file of any form and
// any damage, larger than [Read] takes too. Those of which the public part can be
// seen are named one by one; of all others together there is one error.
func PrivateKeys(data []byte) []*PrivateKeyError {
	data = data[:min(len(data), maxSearched)]
	var s search
	s.file(data)
	if len(s.found) == 0 && len(data) <= maxFile {
		_, err := read(data)
		var e *PrivateKeyError
		if errors.As(err, &e) {
			s.add(e)
		}
	}
	return s.found
}

// search collects the private keys of one file.
type search struct {
	found []*PrivateKeyError
	tried int // how often a key was asked whose it is
}

func (s *search) add(e *PrivateKeyError) {
	if len(s.found) == maxNamed || slices.ContainsFunc(s.found, func(f *PrivateKeyError) bool { return f.PublicKeySHA256 == e.PublicKeySHA256 }) {
		return
	}
	s.found = append(s.found, e)
}

// addKey names the owner of a key while that was not asked too often.
func (s *search) addKey(k kind, der []byte) {
	s.add(&PrivateKeyError{Kind: k.private(), PublicKeySHA256: s.owner(func() string { return publicOf(k, der) })})
}

func (s *search) owner(ask func() string) string {
	if s.tried++; s.tried > mostProven {
		return ""
	}
	return ask()
}

// err is what Read says: one key, with a name if any has one.
func (s *search) err() error {
	for _, e := range s.found {
		if e.PublicKeySHA256 != "" {
			return e
		}
	}
	if len(s.found) > 0 {
		return s.found[0]
	}
	return nil
}

// file looks at data as Read does, but goes on after what it finds.
func (s *search) file(data []byte) {
	kind := javaKeyStore(data)
	switch {
	case kind != "":
		if _, only := trusted(data); !only {
			s.add(&PrivateKeyError{Kind: kind})
		}
		s.text(data)
	case isDER(data):
		s.der(data)
		s.text(data)
	default:
		text, _ := plainText(data)
		s.text(text)
	}
}

// text finds private keys in text, in any place and however damaged the rest is, and
// in the base64 in it.
func (s *search) text(text []byte) {
	text = s.marks(text)
	for decoded := range longBase64(text) {
		s.der(decoded)
		s.marks(decoded)
	}
}

// marks returns the text without the PEM blocks that it found: what is said of a key
// once is not said again of its base64.
func (s *search) marks(text []byte) []byte {
	text = s.blocks(text)
	if bytes.Contains(text, []byte("PuTTY-User-Key-File-")) {
		s.add(&PrivateKeyError{Kind: "a PuTTY private key"})
	}
	s.json(text)
	if privateXML(text) {
		s.add(&PrivateKeyError{Kind: "an RSA private key in XML"})
	}
	s.base64(text)
	s.microsoft(text)
	s.bareDER(text)
	return text
}

// refusePrivateText finds a private key in text, in any place and however
// damaged the rest is.
func refusePrivateText(text []byte) error {
	var s search
	s.text(text)
	return s.err()
}

// refusePrivateDER finds a private key among the parts of DER, such as the
// certificates of a PKCS#7 or what follows a certificate. A PKCS#12 is left to
// its own reader: it has parts that are encrypted like keys.
func refusePrivateDER(der []byte) error {
	if recognise(der) == kindPKCS12 {
		return nil
	}
	var s search
	s.parts(der)
	return s.err()
}

// der finds private keys among the parts of DER, or what tells of one in a PKCS#12.
func (s *search) der(der []byte) {
	switch {
	case recognise(der) != kindPKCS12:
		s.parts(der)
	case holdsKeyBag(der):
		s.add(&PrivateKeyError{Kind: kindPKCS12.private()})
	}
}

func (s *search) parts(der []byte) {
	elements := 0
	privateParts(der, 0, &elements, s.addKey)
}

// blocks finds the private keys in PEM, and returns the text without them.
func (s *search) blocks(text []byte) []byte {
	const longest = 64 << 10 // of a block whose end is missing
	rest, copied := text, false
	begin, behind, label := privateLine(text, 0)
	for begin >= 0 {
		if keyFollows(text[behind:]) {
			if !copied {
				rest, copied = bytes.Clone(text), true
			}
			end := bytes.Index(text[behind:], []byte(pemDash))
			if end < 0 || end > longest {
				end = min(longest, len(text)-behind)
			}
			s.block(label, text[behind:behind+end])
			copy(rest[begin:behind+end], bytes.Repeat([]byte(" "), behind+end-begin))
		}
		begin, behind, label = privateLine(text, behind)
	}
	return rest
}

func (s *search) block(label string, body []byte) {
	e := &PrivateKeyError{Kind: "a private key in PEM (" + label + ")"}
	for _, der := range [][]byte{pemBlock{body: body}.bytes(), body, bytes.TrimLeft(body, jsonSpace)} {
		if k := recognise(der); k.private() != "" {
			e.PublicKeySHA256 = s.owner(func() string { return publicOf(k, der) })
			break
		}
	}
	if e.PublicKeySHA256 == "" && label == "OPENSSH PRIVATE KEY" {
		e.PublicKeySHA256 = s.owner(func() string { return openSSHNumbers(pemBlock{body: body}.bytes()).owner() })
	}
	s.add(e)
}

func privateKeyError(k kind, der []byte) error {
	return &PrivateKeyError{Kind: k.private(), PublicKeySHA256: publicOf(k, der)}
}

// publicOf names the public key that belongs to the private part of an
// unencrypted key, or returns "".
func publicOf(k kind, der []byte) string {
	if len(der) > maxKeyDER {
		return ""
	}
	var key any
	var err error
	switch k {
	case kindPKCS8:
		if pkcs1 := pkcs1In(der); pkcs1 != nil {
			return pkcs1Numbers(pkcs1).owner()
		}
		key, err = x509.ParsePKCS8PrivateKey(der) // of other kinds it computes the public key
	case kindPKCS1:
		return pkcs1Numbers(der).owner()
	case kindSEC1:
		key, err = x509.ParseECPrivateKey(der)
	default:
		return ""
	}
	owner, ok := key.(interface{ Public() crypto.PublicKey })
	if err != nil || !ok {
		return ""
	}
	return spkiSHA256(owner.Public())
}
