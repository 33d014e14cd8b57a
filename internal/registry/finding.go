package registry

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sealane/sealane/cert"
)

// Finding is what a rule says of a certificate or key that comes in. One that is
// Waivable may be let pass for a reason, by two people.
type Finding struct {
	Rule     string `json:"rule"`
	Level    string `json:"level"` // "refused" or "warning"
	Found    string `json:"found"`
	Do       string `json:"do"`
	Waivable bool   `json:"waivable,omitempty"`
}

// Error lets a finding that refuses be the error.
func (f Finding) Error() string { return f.String() }

func (f Finding) String() string {
	text := fmt.Sprintf("%s [%s]: %s", f.Level, f.Rule, f.Found)
	if f.Do != "" {
		text += "; " + f.Do
	}
	return text
}

// The rules of the registry, beside those of cert.Check.
const (
	RuleKeyKnown    = "key-known"     // the same public key is known elsewhere
	RuleKeyBlocked  = "key-blocked"   // another product's, or one whose private part was seen
	RuleSharedPrime = "shared-factor" // with another key of the registry
)

// unwaivable are the rules that no reason outweighs: whoever lets these pass has
// no secret any more.
var unwaivable = map[string]bool{
	"weak-key": true, "key-type": true, "key-size": true, "exponent": true, "signature-algorithm": true,
}

// Refusal gives the error that lists what refuses, but for the rules that are
// waived.
func Refusal(found []Finding, waived []Waiver) error {
	var lines []error
	for _, f := range found {
		if f.Level != string(cert.Refused) || f.Waivable && slices.ContainsFunc(waived, func(w Waiver) bool { return w.Rule == f.Rule }) {
			continue
		}
		lines = append(lines, f)
	}
	return errors.Join(lines...)
}
