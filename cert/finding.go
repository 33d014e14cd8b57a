package cert

import (
	"fmt"
	"slices"
)

// Level is how bad a [Finding] is.
type Level string

// The levels, from good to bad.
const (
	OK      Level = "ok"
	Warning Level = "warning"
	Refused Level = "refused"
)

// Waived is the level of a finding that would refuse, if two people had not agreed that the
// rule does not count this time. [Check] never returns it.
const Waived Level = "waived"

// Finding is the outcome of one rule, such as those of [Check]. The texts of Check are safe to
// print: what comes from the certificate is cut to a bounded length and escaped.
type Finding struct {
	// Code identifies the rule, for example "key-size". It does not change between
	// versions.
	Code string `json:"code"`
	// Name is the rule's name for people.
	Name  string `json:"name"`
	Level Level  `json:"level"`
	// Found is what the certificate has.
	Found string `json:"found"`
	// Wanted is what the policy asks for.
	Wanted string `json:"wanted,omitempty"`
	// Remedy is what to do next. It is empty if Level is OK.
	Remedy string `json:"remedy,omitempty"`
	// Waivable reports whether two people may let the certificate pass for a reason, although
	// the rule refuses it. Check never sets it.
	Waivable bool `json:"waivable,omitempty"`
}

// String returns the finding in one line.
func (f Finding) String() string {
	text := fmt.Sprintf("%s [%s]: %s: %s", f.Level, f.Code, f.Name, f.Found)
	if f.Wanted != "" {
		text += "; wanted: " + f.Wanted
	}
	if f.Remedy != "" {
		text += "; " + f.Remedy
	}
	return text
}

// orElse sets the finding's level: OK if the rule holds, otherwise the given level
// with the remedy.
func (f Finding) orElse(holds bool, level Level, remedy string) Finding {
	f.Level = OK
	if !holds {
		f.Level, f.Remedy = level, remedy
	}
	return f
}

// Verdict holds the finding of every rule, in the order in which they were applied.
type Verdict []Finding

// Refused reports whether any rule refuses the certificate.
func (v Verdict) Refused() bool { return v.has(Refused) }

// Warned reports whether any rule warns.
func (v Verdict) Warned() bool { return v.has(Warning) }

func (v Verdict) has(level Level) bool {
	return slices.ContainsFunc(v, func(f Finding) bool { return f.Level == level })
}

// holds reports whether each of the rules was applied and is OK.
func (v Verdict) holds(codes ...string) bool {
	for _, code := range codes {
		if !slices.ContainsFunc(v, func(f Finding) bool { return f.Code == code && f.Level == OK }) {
			return false
		}
	}
	return true
}
