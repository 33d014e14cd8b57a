package cert

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sealane/sealane/internal/alg"
)

// Policy is what a partner asks of a certificate. A profile holds it as YAML. The
// zero Policy is valid: each field says what its zero value means.
type Policy struct {
	// Bits lists the allowed sizes of the RSA modulus. Empty means 2048, 3072 and 4096.
	Bits []int `yaml:"bits"`
	// PreferBits is the size that a finding recommends; it must be in Bits. Zero means
	// no preference.
	PreferBits int `yaml:"prefer_bits"`
	// KeyUsage says which key usages the certificate must and may have.
	KeyUsage KeyUsagePolicy `yaml:"key_usage"`
	// CommonName, Organization and Unit are about the subject's CN, O and OU.
	CommonName   Presence `yaml:"common_name"`
	Organization Presence `yaml:"organization"`
	Unit         Presence `yaml:"unit"`
	// Email is about a contact address: an rfc822Name, or the subject's emailAddress.
	Email Presence `yaml:"email"`
	// Validity limits the length of the certificate's validity.
	Validity ValidityPolicy `yaml:"validity"`
	// KeyIDFormat says how key IDs are written. Empty means KeyIDAny.
	KeyIDFormat KeyIDFormat `yaml:"key_id_format"`
}

// KeyUsagePolicy lists key usages by their names in RFC 5280, section 4.2.1.3. With
// both lists empty, [Check] refuses only the usages of a CA.
type KeyUsagePolicy struct {
	// Required usages must be in the certificate. They are also allowed.
	Required []string `yaml:"required"`
	// Allowed usages may be in the certificate. Check warns about any other usage,
	// and refuses those of a CA.
	Allowed []string `yaml:"allowed"`
	// Absent is the level for a certificate without the extension: Warning or
	// Refused. Empty means Refused.
	Absent Level `yaml:"absent"`
}

// ValidityPolicy counts calendar years.
type ValidityPolicy struct {
	// MaxYears is the longest validity that Check accepts. Zero means 2.
	MaxYears int `yaml:"max_years"`
	// WarnBelowYears is the shortest validity without a warning. Zero means that
	// Check never warns.
	WarnBelowYears int `yaml:"warn_below_years"`
}

// Presence says whether a part of the certificate must be there. Empty means
// optional.
type Presence string

// The values of Presence.
const (
	PresenceRequired Presence = "required"
	PresenceOptional Presence = "optional"
)

// KeyIDFormat says how key IDs are written. Empty means any.
type KeyIDFormat string

// The values of KeyIDFormat.
const (
	KeyIDSixPart KeyIDFormat = "six-part" // see [KeyID]
	KeyIDAny     KeyIDFormat = "any"      // see [CheckKeyIDText]
)

// Validate returns an error for words and numbers that [Check] can't use. Call it
// after decoding a Policy. The error joins one error for each fault, each of which
// begins with the word of the file.
func (p Policy) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	for _, bits := range p.Bits {
		if !sizeAllowed(bits) {
			fault("bits: %d: use 2048, 3072 or 4096", bits)
		}
	}
	if p.PreferBits != 0 && !slices.Contains(p.sizes(), p.PreferBits) {
		fault("prefer_bits: %d is not among bits", p.PreferBits)
	}
	for _, name := range slices.Concat(p.KeyUsage.Required, p.KeyUsage.Allowed) {
		if !slices.ContainsFunc(keyUsages, func(u namedUsage) bool { return u.name == name }) {
			fault("key_usage: %q is not a key usage of RFC 5280, section 4.2.1.3", name)
		}
	}
	if a := p.KeyUsage.Absent; a != "" && a != Warning && a != Refused {
		fault("key_usage.absent: %q: use %s or %s", a, Warning, Refused)
	}
	for _, f := range []struct {
		name     string
		presence Presence
	}{
		{"common_name", p.CommonName}, {"organization", p.Organization}, {"unit", p.Unit}, {"email", p.Email},
	} {
		if f.presence != "" && f.presence != PresenceRequired && f.presence != PresenceOptional {
			fault("%s: %q: use %s or %s", f.name, f.presence, PresenceRequired, PresenceOptional)
		}
	}
	v := p.Validity
	if v.MaxYears < 0 || v.MaxYears > 30 || v.WarnBelowYears < 0 || v.WarnBelowYears > p.maxYears() {
		fault("validity: max_years %d and warn_below_years %d: use 1 to 30, and warn at no more than the maximum",
			v.MaxYears, v.WarnBelowYears)
	}
	if p.KeyIDFormat != "" && p.KeyIDFormat != KeyIDSixPart && p.KeyIDFormat != KeyIDAny {
		fault("key_id_format: %q: use %s or %s", p.KeyIDFormat, KeyIDSixPart, KeyIDAny)
	}
	return errors.Join(faults...)
}

// CheckKeyID returns an error if the key ID is not written in the policy's format.
func (p Policy) CheckKeyID(keyID string) error {
	if p.KeyIDFormat == KeyIDSixPart {
		_, err := ParseKeyID(keyID)
		return err
	}
	return CheckKeyIDText(keyID)
}

func (p Policy) sizes() []int {
	if len(p.Bits) == 0 {
		return alg.RSABits
	}
	return p.Bits
}

func (p Policy) preferred() int {
	if p.PreferBits == 0 {
		return p.sizes()[0]
	}
	return p.PreferBits
}

func (p Policy) maxYears() int {
	if p.Validity.MaxYears == 0 {
		return 2
	}
	return p.Validity.MaxYears
}
