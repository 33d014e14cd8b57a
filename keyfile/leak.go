package keyfile

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/sealane/sealane/internal/pasted"
	"github.com/sealane/sealane/internal/unpack"
)

// SPKIHash is the SHA-256 of a DER SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7). It
// identifies a key pair. The zero value identifies none.
type SPKIHash [sha256.Size]byte

// IsZero reports whether h identifies no key pair.
func (h SPKIHash) IsZero() bool { return h == SPKIHash{} }

// String returns the hash in hexadecimal.
func (h SPKIHash) String() string { return hex.EncodeToString(h[:]) }

// hashSPKI returns zero for a key that has no SubjectPublicKeyInfo.
func hashSPKI(pub any) SPKIHash {
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return SPKIHash{}
	}
	return sha256.Sum256(spki)
}

// Leak describes a private key in a file that should have none. It never holds the key.
type Leak struct {
	// Kind says in words what was found, for example "an RSA private key in PKCS#1".
	Kind string
	// PublicKey identifies the pair of the private key. It is zero if the file does not
	// prove which pair it is: encrypted keys do not, and neither do numbers that
	// anybody could have written next to a public key.
	PublicKey SPKIHash
}

// PrivateKeyError means that a file which should be public holds a private key.
type PrivateKeyError struct {
	Leak
}

func (e *PrivateKeyError) Error() string {
	which := "which key it is cannot be seen from outside"
	if !e.PublicKey.IsZero() {
		which = "SHA-256 of its public key " + e.PublicKey.String()
	}
	return "the file holds " + e.Kind + " (" + which + "): a private key never leaves its owner; " +
		"treat it as compromised, make a new pair, and send only the new certificate"
}

const (
	maxSearched = 16 << 20 // bytes of a file that are searched
	maxLeaks    = 64       // of one file
)

// FindPrivateKeys finds the private keys in the first 16 MiB of a file in any format and
// with any damage, and in the files that it holds: all that [Parse] reads. It also searches files
// that are too large for Parse. It returns up to 64 leaks: one for each key pair that it can
// identify, and one for all others together.
//
// It reads PEM, DER and the formats of other programs, also in base64, base32, ascii85, hexadecimal,
// lists of numbers and dumps, and in the compressed streams of a PDF. It does not see keys in images,
// in archives and documents that are encrypted, in 7z, RAR, xz and Zstandard, in a PDF whose fonts
// number their characters, or in dumps of octal numbers and of characters (od, od -c).
func FindPrivateKeys(data []byte) []Leak {
	data = data[:min(len(data), maxSearched)]
	var s search
	s.opened(unpack.Open(data, SignedContent), data)
	return s.found
}

// search collects the private keys of one file.
type search struct {
	found []Leak
	leaks int // how many were found, also those that are the same
	tried int // how many keys were examined for their owner
}

func (s *search) add(l Leak) {
	s.leaks++
	same := func(other Leak) bool { return other.PublicKey == l.PublicKey }
	if len(s.found) < maxLeaks && !slices.ContainsFunc(s.found, same) {
		s.found = append(s.found, l)
	}
}

// addKey adds a key with its owner.
func (s *search) addKey(k kind, der []byte) {
	s.add(Leak{Kind: k.private(), PublicKey: s.owner(func() SPKIHash { return ownerOf(k, der) })})
}

// owner calls find, unless too many keys were examined.
func (s *search) owner(find func() SPKIHash) SPKIHash {
	if s.tried++; s.tried > maxOwners {
		return SPKIHash{}
	}
	return find()
}

// err returns one leak as an error, if possible one that identifies its pair.
func (s *search) err() error {
	if len(s.found) == 0 {
		return nil
	}
	known := slices.IndexFunc(s.found, func(l Leak) bool { return !l.PublicKey.IsZero() })
	return &PrivateKeyError{s.found[max(known, 0)]}
}

// opened searches all parts of a file, of which whole is the content.
func (s *search) opened(f *unpack.File, whole []byte) {
	const most = 32 // parts whose private keys are compared with public ones, which takes time
	leaking := 0
	for _, p := range f.Parts {
		before := s.leaks
		if s.file(p.Data); s.leaks == before && len(p.Data) <= MaxSize {
			s.parsed(p.Data)
		}
		if s.leaks > before {
			leaking++
		}
		if leaking < most {
			s.tried = 0
		}
	}
	if f.Holds() && (f.Incomplete || s.leaks == 0) { // the headers, and what is between the parts
		s.file(whole)
	}
}

// parsed adds the private key because of which parse refuses a file.
func (s *search) parsed(data []byte) {
	_, err := parse(data)
	if e, ok := errors.AsType[*PrivateKeyError](err); ok {
		s.add(e.Leak)
	}
}

// file searches data as parse does, but continues after what it finds.
func (s *search) file(data []byte) {
	for stream := range unpack.PDFStreams(data) {
		s.text(stream)
	}
	switch {
	case keyStore(data) != "":
		s.store(data)
		s.text(data)
	case isDER(withoutMark(data)):
		der := withoutMark(data)
		if restored := withLF(der); restored != nil {
			der, data = restored, restored
		}
		s.der(der)
		s.text(data)
	default:
		if octets := fromUTF8(data); octets != nil {
			s.der(octets)
		}
		text, _ := plainText(data)
		if rest := withoutNULs(text); rest != nil {
			s.text(rest)
		}
		if meant := unpack.Meant(text); meant != nil {
			s.readings(text, meant)
		} else {
			s.text(text)
		}
	}
}

// store adds a key store of Java that has more than certificates.
func (s *search) store(data []byte) {
	if kind := keyStore(data); kind != "" {
		if _, only := trusted(data); !only {
			s.add(Leak{Kind: kind})
		}
	}
}

// readings searches two readings of one text. A key that one of them does not identify is not
// another key, if the other reading identifies one more.
func (s *search) readings(text, meant []byte) {
	as := [2]search{{tried: s.tried}, {tried: s.tried}}
	as[0].text(text)
	as[1].text(meant)
	for i, reading := range as {
		s.tried = max(s.tried, reading.tried)
		explained := slices.ContainsFunc(as[1-i].found, func(l Leak) bool {
			return !l.PublicKey.IsZero() && !slices.ContainsFunc(reading.found, func(o Leak) bool {
				return o.PublicKey == l.PublicKey
			})
		})
		for _, l := range reading.found {
			if !l.PublicKey.IsZero() || !explained {
				s.add(l)
			}
		}
	}
}

// text searches text, and the base64 in it.
func (s *search) text(text []byte) {
	text = s.marks(text)
	for decoded := range longBase64(text) {
		s.store(decoded)
		s.der(decoded)
		s.marks(decoded)
	}
	for decoded := range longHex(text) {
		s.octets(decoded)
		if wordsSwapped(decoded) {
			s.octets(swappedWords(decoded))
		}
	}
	for decoded := range pasted.Octets(text, leastOctets) {
		s.octets(decoded)
	}
	s.coded(text)
}

// marks searches for everything but what is inside base64. It returns the text without
// the PEM blocks that it found, so that they are not found again as base64.
func (s *search) marks(text []byte) []byte {
	text = s.blocks(text)
	s.words(text)
	s.json(text)
	s.xml(text)
	s.base64(text)
	s.microsoft(text)
	s.bareDER(text)
	return text
}

// refusePrivateText returns an error if it finds a private key anywhere in the readings of a text,
// however damaged the rest is.
func refusePrivateText(readings ...[]byte) error {
	var s search
	if len(readings) == 2 && readings[1] != nil {
		s.readings(readings[0], readings[1])
	} else {
		s.text(readings[0])
	}
	return s.err()
}
