package registry

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sealane/sealane/cert"
)

// Finding is what a rule finds about a certificate or key that comes in.
type Finding struct {
	Rule     string     `json:"rule"`
	Level    cert.Level `json:"level"` // cert.Refused, cert.Warning or Waived
	Found    string     `json:"found"`
	Do       string     `json:"do"`                 // what to do next
	Waivable bool       `json:"waivable,omitempty"` // two people may let it pass, for a reason
}

// Waived is the level of a finding that would refuse, and for which a waiver is asked. It
// needs another person, who grants it.
const Waived cert.Level = "waived"

// Error makes a finding that refuses the error.
func (f Finding) Error() string { return f.String() }

// String returns the finding in one line.
func (f Finding) String() string {
	text := fmt.Sprintf("%s [%s]: %s", f.Level, f.Rule, f.Found)
	if f.Do != "" {
		text += "; " + f.Do
	}
	return text
}

// The rules of the registry. Those of [cert.Check] come on top.
const (
	RuleKeyKnown    = "key-known"     // the same public key is known elsewhere
	RuleKeyBlocked  = "key-blocked"   // another product's, or one whose private part was seen
	RuleSharedPrime = "shared-factor" // with another key of the registry
)

// unwaivable are the rules that can't be waived: a key that breaks one of them may not be
// secret, or its certificate may be forged.
var unwaivable = map[string]bool{
	"weak-key": true, "key-type": true, "key-size": true, "exponent": true, "signature-algorithm": true,
}

// Refusal returns an error that lists the findings which refuse and are not waived, or nil.
func Refusal(found []Finding, waived []Waiver) error {
	var lines []error
	for _, f := range found {
		let := f.Waivable && slices.ContainsFunc(waived, func(w Waiver) bool { return w.Rule == f.Rule })
		if f.Level == cert.Refused && !let {
			lines = append(lines, f)
		}
	}
	return errors.Join(lines...)
}
