package sealane

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
)

// The outcomes. Each is an error: errors of this module wrap the outcome that they stand
// for, so that errors.Is finds it. A partner learns no more than the outcome. See
// [profile.Outcome] for their meanings.
const (
	ErrNotSupported  = profile.NotSupported
	ErrPlainRefused  = profile.PlainRefused
	ErrTooLarge      = profile.TooLarge
	ErrFormat        = profile.Format
	ErrNotJWE        = profile.NotJWE
	ErrDecryption    = profile.Decryption
	ErrNotJWS        = profile.NotJWS
	ErrSignature     = profile.Signature
	ErrSealingFailed = profile.SealingFailed
	ErrUnavailable   = profile.Unavailable
	ErrNotSealed     = profile.NotSealed
	ErrContradiction = profile.Contradiction
)

// ErrMayBeProcessed is wrapped if the request was sent and the response, if there is one,
// does not tell whether it was processed. Test for it first: an outcome alone does not
// tell. Do not send such a request again without asking for its result.
var ErrMayBeProcessed = errors.New("the request may have been processed")

// OutcomeOf returns the outcome that err stands for: that of the partner if err is a
// partner's answer, else our own. An error without an outcome is [ErrUnavailable]: the
// message was not judged. For nil it returns "".
func OutcomeOf(err error) profile.Outcome {
	if err == nil {
		return ""
	}
	var on profile.Outcome
	if errors.As(err, &on) {
		return on
	}
	return profile.Unavailable
}

// The values of Error.Op.
const (
	OpSeal         = "seal"
	OpOpen         = "open"
	OpReadBody     = "read body"     // of a request, or of a sealed response
	OpReadResponse = "read response" // as a whole, or as a service wrote it
	OpBind         = "bind response" // to its request
	OpSend         = "send"          // a request that is not sealed
)

// Error describes a failure on a lane. Its text is for the operator: it names the fault,
// and contains no payload, key or token.
type Error struct {
	// Op is the operation, one of the Op constants.
	Op string
	// Lane is the lane's name.
	Lane string
	// Outcome is the outcome that a partner may learn.
	Outcome profile.Outcome
	// Fault is the exact fault.
	Fault fault.Code
	// Detail replaces the fault's meaning if it is not empty.
	Detail string
	// Err is the cause, or nil.
	Err error
	// OpenedBy describes our key pair that decrypted a message whose content was refused then, such as
	// for its signature. It is nil for any other error. The partner, or somebody else who has the
	// certificate, still encrypts to that pair.
	OpenedBy *keyring.KeyInfo
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Lane != "" {
		b.WriteString(" " + e.Lane)
	}
	detail := e.Detail
	if detail == "" {
		detail = strings.TrimSuffix(e.Fault.Meaning(), ".")
	}
	fmt.Fprintf(&b, ": %v: %s [%s]", e.Outcome, detail, e.Fault)
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap returns the outcome and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Outcome}
	}
	return []error{e.Outcome, e.Err}
}

// FaultOf returns the exact fault in err, or "".
func FaultOf(err error) fault.Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Fault
	}
	return ""
}

// outcomes maps the codec's refusals.
var outcomes = map[jose.Kind]profile.Outcome{
	jose.NotJWE: ErrNotJWE, jose.Decryption: ErrDecryption, jose.NotJWS: ErrNotJWS,
	jose.Signature: ErrSignature, jose.Key: ErrUnavailable,
}

// fromCodec turns an error of the codec into an *Error of the lane.
func (l *Lane) fromCodec(op string, err error) error {
	var codec *jose.Error
	if !errors.As(err, &codec) {
		return l.fail(op, ErrUnavailable, fault.KeyUnavailable, "", err)
	}
	detail := codec.Detail
	if codec.Fault == fault.AlgSHA1 && l.mayAdd(alg.RSAOAEP) {
		detail = fmt.Sprintf("alg is %s (SHA-1), the profile asks for %s; "+
			"to accept it on this lane, give the reason in AcceptRSAOAEP",
			alg.RSAOAEP, strings.Join(l.in.Encrypt.Alg.Open, " or "))
	}
	return l.fail(op, outcomes[codec.Kind], codec.Fault, detail, codec.Err)
}

func (l *Lane) fail(op string, on profile.Outcome, f fault.Code, detail string, cause error) error {
	return &Error{Op: op, Lane: l.Name(), Outcome: on, Fault: f, Detail: detail, Err: cause}
}
