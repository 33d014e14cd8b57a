package cert

import "slices"

// Level is how bad a [Finding] is.
type Level string

// The levels, from good to bad.
const (
	OK      Level = "ok"
	Warning Level = "warning"
	Refused Level = "refused"
)

// Finding is the outcome of one rule of [Check]. Its texts are safe to print: what
// comes from the certificate is cut to a bounded length and escaped.
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
	Wanted string `json:"wanted"`
	// Remedy is what to do next. It is empty if Level is OK.
	Remedy string `json:"remedy,omitempty"`
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
