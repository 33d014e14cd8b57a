package registry

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sealane/sealane/cert"
)

// RefusedError is the error of an act that a rule refuses. Any other error means that the act
// could not be judged or done: the database failed, a row does not exist, or somebody else has
// changed it.
//
// The text does not say how the caller asks for something, such as a flag's name. The advice
// says it as data, so that each front end shows it in its own words.
type RefusedError struct {
	Advice   Advice
	Findings []cert.Finding // the rules that refuse a certificate; empty for other acts
	err      error
}

// Error returns the reason in one sentence, without the advice.
func (e *RefusedError) Error() string { return e.err.Error() }

// Unwrap returns the error that the text was made of.
func (e *RefusedError) Unwrap() error { return e.err }

// Refuse returns a refusal with a text. It formats as [fmt.Errorf] does, with %w too.
func Refuse(format string, args ...any) *RefusedError {
	return &RefusedError{err: fmt.Errorf(format, args...)}
}

// Judged makes an error of another package's rule a refusal, and keeps its text. A nil error
// stays nil.
func Judged(err error) error {
	if err == nil {
		return nil
	}
	return &RefusedError{err: fmt.Errorf("%w", err)}
}

// Needing returns the refusal with what the caller may add to the same act.
func (e *RefusedError) Needing(needs ...Need) *RefusedError {
	e.Advice.Needs = append(e.Advice.Needs, needs...)
	return e
}

// Then returns the refusal with the act that helps.
func (e *RefusedError) Then(next Advice) *RefusedError {
	e.Advice = next
	return e
}

// Advice says what to do next. Without an Action it is about the same act, which lacks the
// Needs. The zero value is no advice.
type Advice struct {
	Action Action `json:"action,omitempty"`
	// ID is that of the certificate or key pair that the act is about.
	ID          string `json:"id,omitempty"`
	Partner     string `json:"partner,omitempty"`
	Environment string `json:"environment,omitempty"`
	// Needs are what the act asks for.
	Needs []Need `json:"needs,omitempty"`
}

// AdviceNotices is the Action of advice to look why there are notices about ID, or none. It only reads.
const AdviceNotices Action = "notice.why"

// IsZero reports whether there is no advice.
func (a Advice) IsZero() bool { return a.Action == "" && len(a.Needs) == 0 }

// Need is something that an act asks its caller for.
type Need struct {
	Kind NeedKind `json:"kind"`
	// Value is what is known of it, such as the rule whose waiver is to be granted.
	Value string `json:"value,omitempty"`
}

// NeedKind is the kind of a need.
type NeedKind string

// The kinds.
const (
	NeedReason   NeedKind = "reason"    // why it is done
	NeedLast     NeedKind = "last"      // that no other key follows
	NeedChange   NeedKind = "change"    // the reference of a change request
	NeedCallBack NeedKind = "call-back" // who was called back, and what they said
	NeedGrant    NeedKind = "grant"     // that a waiver is granted; Value is its rule
	NeedReplace  NeedKind = "replace"   // the key ID that is replaced; Value has it
	NeedAsIs     NeedKind = "as-is"     // that the partner has really written it so
	NeedPartner  NeedKind = "partner"   // which partner it is about
	NeedAgain    NeedKind = "again"     // that what is out already is replaced
	NeedRenewal  NeedKind = "renewal"   // that a new pair follows one in use
	NeedRole     NeedKind = "role"      // the contact's role; Value has it
	NeedRootKey  NeedKind = "root-key"  // the root key
	NeedWord     NeedKind = "word"      // what the partner has said, who and how
	NeedCancel   NeedKind = "cancel"    // that an order is taken back
)

// Needs of one kind without a value.
var (
	Reason   = Need{Kind: NeedReason}
	Last     = Need{Kind: NeedLast}
	Change   = Need{Kind: NeedChange}
	CallBack = Need{Kind: NeedCallBack}
	AsIs     = Need{Kind: NeedAsIs}
	Whose    = Need{Kind: NeedPartner}
	Again    = Need{Kind: NeedAgain}
	Follower = Need{Kind: NeedRenewal}
	RootKey  = Need{Kind: NeedRootKey}
	Word     = Need{Kind: NeedWord}
	Cancel   = Need{Kind: NeedCancel}
)

// NeedKinds returns all kinds, for front ends that must have words for each.
func NeedKinds() []NeedKind {
	return slices.Clone([]NeedKind{
		NeedReason, NeedLast, NeedChange, NeedCallBack, NeedGrant, NeedReplace, NeedAsIs, NeedPartner, NeedAgain,
		NeedRenewal, NeedRole, NeedRootKey, NeedWord, NeedCancel,
	})
}

// AdviceIn returns the advice of the first refusal in an error that has some.
func AdviceIn(err error) Advice {
	switch e := err.(type) {
	case *RefusedError:
		if !e.Advice.IsZero() {
			return e.Advice
		}
		return AdviceIn(errors.Unwrap(err))
	case interface{ Unwrap() error }:
		return AdviceIn(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			if advice := AdviceIn(one); !advice.IsZero() {
				return advice
			}
		}
	}
	return Advice{}
}
