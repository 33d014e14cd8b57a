package registry

import (
	"slices"
	"strings"

	"github.com/sealane/sealane/cert"
)

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
func Refusal(found []cert.Finding, waived []Waiver) error {
	var refusing []cert.Finding
	var lines []string
	for _, f := range found {
		let := f.Waivable && slices.ContainsFunc(waived, func(w Waiver) bool { return w.Rule == f.Code })
		if f.Level == cert.Refused && !let {
			refusing, lines = append(refusing, f), append(lines, f.String())
		}
	}
	if len(refusing) == 0 {
		return nil
	}
	e := Refuse("%s", strings.Join(lines, "\n"))
	e.Findings = refusing
	return e
}

// Check is the result of one check of a lane, and what to do next.
type Check struct {
	cert.Finding
	Next Advice `json:"next,omitzero"`
}
