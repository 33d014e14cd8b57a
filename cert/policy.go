package cert

import (
	"fmt"
	"slices"
)

// Demand is what a partner asks of a certificate. The profile that names the
// partner's dialect holds it as YAML. An empty member asks for the house's own
// rule, which is given with it.
type Demand struct {
	Bits         []int          `yaml:"bits"`        // allowed sizes; empty: 2048, 3072, 4096
	PreferBits   int            `yaml:"prefer_bits"` // 0: none preferred
	KeyUsage     KeyUsageDemand `yaml:"key_usage"`
	CommonName   Need           `yaml:"common_name"`
	Organization Need           `yaml:"organization"`
	Unit         Need           `yaml:"unit"`
	Email        Need           `yaml:"email"`
	Validity     ValidityDemand `yaml:"validity"`
	KeyIDFormat  KeyIDFormat    `yaml:"key_id_format"`
}

// KeyUsageDemand lists key usages by their names in RFC 5280, section 4.2.1.3.
// What is required is allowed too.
type KeyUsageDemand struct {
	Required []string `yaml:"required"`
	Allowed  []string `yaml:"allowed"`
	Absent   Level    `yaml:"absent"` // of a certificate without the extension: "warning", or "refused" (the default)
}

// ValidityDemand counts in calendar years.
type ValidityDemand struct {
	MaxYears       int `yaml:"max_years"`        // longer is refused; 0: 2
	WarnBelowYears int `yaml:"warn_below_years"` // shorter is warned about; 0: never
}

// Need says whether a member of the certificate must be there.
type Need string

// The values of Need; empty means optional.
const (
	Required Need = "required"
	Optional Need = "optional"
)

// KeyIDFormat says how key IDs of the dialect are written.
type KeyIDFormat string

// The values of KeyIDFormat; empty means any.
const (
	KeyIDSixPart KeyIDFormat = "six-part"
	KeyIDAny     KeyIDFormat = "any"
)

// Validate finds words and numbers that [Check] would not know what to do with.
// Whoever decodes a Demand calls it.
func (d Demand) Validate() error {
	for _, bits := range append([]int{d.preferred()}, d.Bits...) {
		if !sizeAllowed(bits) {
			return fmt.Errorf("bits: %d: give 2048, 3072 or 4096", bits)
		}
	}
	if d.PreferBits != 0 && !slices.Contains(d.sizes(), d.PreferBits) {
		return fmt.Errorf("prefer_bits: %d is not among bits %v", d.PreferBits, d.sizes())
	}
	for _, name := range slices.Concat(d.KeyUsage.Required, d.KeyUsage.Allowed) {
		if !slices.ContainsFunc(keyUsages, func(u namedUsage) bool { return u.name == name }) {
			return fmt.Errorf("key_usage: %q is no key usage of RFC 5280, section 4.2.1.3", name)
		}
	}
	if a := d.KeyUsage.Absent; a != "" && a != Warning && a != Refused {
		return fmt.Errorf("key_usage: absent: %q: give %s or %s", a, Warning, Refused)
	}
	for _, n := range []struct {
		name string
		need Need
	}{
		{"common_name", d.CommonName}, {"organization", d.Organization}, {"unit", d.Unit}, {"email", d.Email},
	} {
		if n.need != "" && n.need != Required && n.need != Optional {
			return fmt.Errorf("%s: %q: give required or optional", n.name, n.need)
		}
	}
	v := d.Validity
	if v.MaxYears < 0 || v.MaxYears > 30 || v.WarnBelowYears < 0 || v.WarnBelowYears > d.maxYears() {
		return fmt.Errorf("validity: max_years %d and warn_below_years %d: give 1 to 30, and warn at no more than the maximum", v.MaxYears, v.WarnBelowYears)
	}
	if d.KeyIDFormat != "" && d.KeyIDFormat != KeyIDSixPart && d.KeyIDFormat != KeyIDAny {
		return fmt.Errorf("key_id_format: %q: give six-part or any", d.KeyIDFormat)
	}
	return nil
}

// CheckKeyID holds a key ID against the format that the dialect prescribes.
func (d Demand) CheckKeyID(keyID string) error {
	if d.KeyIDFormat == KeyIDSixPart {
		_, err := ParseKeyID(keyID)
		return err
	}
	return CheckKeyIDText(keyID)
}

func (d Demand) sizes() []int {
	if len(d.Bits) == 0 {
		return []int{2048, 3072, 4096}
	}
	return d.Bits
}

func (d Demand) preferred() int {
	if d.PreferBits == 0 {
		return d.sizes()[0]
	}
	return d.PreferBits
}

func (d Demand) maxYears() int {
	if d.Validity.MaxYears == 0 {
		return 2
	}
	return d.Validity.MaxYears
}

// Level is the outcome of one rule.
type Level string

// The levels, from good to bad.
const (
	OK      Level = "ok"
	Warning Level = "warning"
	Refused Level = "refused"
)

// Rule is the outcome of one rule of a check. Found quotes the certificate, cut
// to a sane length and with control characters escaped.
type Rule struct {
	Code   string `json:"code"`
	Name   string `json:"name"`
	Level  Level  `json:"level"`
	Found  string `json:"found"`
	Wanted string `json:"wanted"`
	Do     string `json:"do,omitempty"` // the next step; empty when nothing is to be done
}

// Verdict is the outcome of every rule, in the order in which they were applied.
type Verdict []Rule

// Refused reports whether any rule refuses the certificate.
func (v Verdict) Refused() bool {
	return slices.ContainsFunc(v, func(r Rule) bool { return r.Level == Refused })
}

// Warned reports whether any rule warns.
func (v Verdict) Warned() bool {
	return slices.ContainsFunc(v, func(r Rule) bool { return r.Level == Warning })
}
