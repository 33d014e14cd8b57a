package cert

import (
	"cmp"
	"crypto/rsa"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/pasted"
)

const maxKeyID = 128

// KeyID is the six-part name of a key in VCAS, which calls it "alias":
//
//	[Reason/Entity]-[Use Case]-[MPI/ACS]-[Cert Owning Entity]-[Bit Length/Algorithm]-[Environment]
//
// It has no version: a renewed key of the same size has the same name.
type KeyID struct {
	Entity      string // for example 1234dadc1234b704c1f23dc4
	UseCase     string // for example PKE
	Component   string // MPI or ACS
	Owner       string // for example Client
	Bits        int    // 2048, 3072 or 4096
	Hash        string // SHA2
	Environment string // for example STAG
}

// ParseKeyID parses a six-part key ID strictly: [KeyID.String] returns what ParseKeyID
// accepts, byte for byte.
func ParseKeyID(s string) (KeyID, error) {
	var none KeyID
	if s == "" {
		return none, errors.New("key ID is empty: ask the partner for the alias that it assigned")
	}
	if len(s) > maxKeyID {
		return none, fmt.Errorf("key ID has %d characters: at most %d are allowed", len(s), maxKeyID)
	}
	if _, err := pasted.Word(s); err != nil {
		return none, fmt.Errorf("key ID: %w", err)
	}
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7e {
			return none, fmt.Errorf("key ID %q: character %d is blank or not printable ASCII: remove it", s, i+1)
		}
	}
	parts := strings.Split(s, "-")
	if len(parts) != 6 {
		return none, fmt.Errorf("key ID %q has %d parts: it needs six, "+
			"Entity-UseCase-MPI|ACS-Owner-BitsSHA2-Environment, "+
			"with no hyphen inside a part", s, len(parts))
	}
	id := KeyID{Entity: parts[0], UseCase: parts[1], Component: parts[2], Owner: parts[3], Environment: parts[5]}
	for _, size := range alg.RSABits {
		if parts[4] == strconv.Itoa(size)+"SHA2" {
			id.Bits, id.Hash = size, "SHA2"
		}
	}
	if id.Bits == 0 {
		return none, fmt.Errorf("key ID %q: part 5 (bit length and algorithm) is %q: "+
			"it must be 2048SHA2, 3072SHA2 or 4096SHA2",
			s, parts[4])
	}
	if err := id.check(); err != nil {
		return none, fmt.Errorf("key ID %q: %w", s, err)
	}
	return id, nil
}

// NewKeyID returns the key ID of these parts, if they are valid. An empty Hash means
// SHA2.
func NewKeyID(parts KeyID) (KeyID, error) {
	parts.Hash = cmp.Or(parts.Hash, "SHA2")
	return ParseKeyID(parts.String())
}

func (id KeyID) check() error {
	for _, p := range []struct {
		number int
		name   string
		value  string
	}{
		{1, "reason or entity", id.Entity},
		{2, "use case", id.UseCase},
		{4, "certificate owner", id.Owner},
	} {
		if p.value == "" {
			return fmt.Errorf("part %d (%s) is empty: fill it in", p.number, p.name)
		}
		if strings.ContainsFunc(p.value, func(r rune) bool { return !isWord(r) }) {
			return fmt.Errorf("part %d (%s) is %q: use letters, digits, dot and underscore only",
				p.number, p.name, p.value)
		}
	}
	if id.Component != "MPI" && id.Component != "ACS" {
		return fmt.Errorf("part 3 is %q: it must be MPI or ACS, in capitals", id.Component)
	}
	if id.Environment == "" || strings.ContainsFunc(id.Environment, func(r rune) bool { return !isLetter(r) }) {
		return fmt.Errorf("part 6 (environment) is %q: use letters only, for example STAG or PROD", id.Environment)
	}
	return nil
}

// String joins the six parts with hyphens.
func (id KeyID) String() string {
	return strings.Join([]string{
		id.Entity, id.UseCase, id.Component, id.Owner, strconv.Itoa(id.Bits) + id.Hash, id.Environment,
	}, "-")
}

// Check returns an error if the key ID states another size than the key has, or
// another environment than the one in which it is used.
func (id KeyID) Check(pub *rsa.PublicKey, environment string) error {
	if pub == nil || pub.N == nil {
		return fmt.Errorf("key ID %q: there is no RSA key to compare it with", id)
	}
	if bits := pub.N.BitLen(); bits != id.Bits {
		return fmt.Errorf("key ID %q says %d%s but the key has %d bits: use the key that the ID was made for, "+
			"or ask the partner for an ID with %[4]dSHA2", id, id.Bits, id.Hash, bits)
	}
	if id.Environment != environment {
		return fmt.Errorf("key ID %q is for environment %s but is used in %s: "+
			"every environment has its own key and ID, "+
			"ask for the one of %[3]s", id, id.Environment, environment)
	}
	return nil
}

func isLetter(r rune) bool {
	return r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
}

func isWord(r rune) bool {
	return isLetter(r) || r >= '0' && r <= '9' || r == '.' || r == '_'
}

// CheckKeyIDText returns an error for a key ID that must not be in a header: an empty
// one, one of more than 128 characters, or one with others than printable ASCII.
func CheckKeyIDText(keyID string) error {
	if keyID == "" {
		return errors.New("key ID is empty: leave it out, or give it 1 to 128 characters")
	}
	if len(keyID) > maxKeyID {
		return fmt.Errorf("key ID has %d characters: at most %d are allowed", len(keyID), maxKeyID)
	}
	if _, err := pasted.Word(keyID); err != nil {
		return fmt.Errorf("key ID: %w", err)
	}
	for i := range len(keyID) {
		if keyID[i] < 0x20 || keyID[i] > 0x7e {
			return fmt.Errorf("key ID %q: character %d is not printable ASCII: remove it", keyID, i+1)
		}
	}
	return nil
}
