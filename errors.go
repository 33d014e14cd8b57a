package sealane

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/profile"
)

// One sentinel for each outcome that a partner can see, and a few that only we
// see. Errors of this module wrap one of them; use errors.Is.
var (
	// ErrNotSupported: no keys were exchanged for this account or lane.
	ErrNotSupported = errors.New("payload encryption is not set up")
	// ErrPlainRefused: in clear, where the lane requires sealing.
	ErrPlainRefused = errors.New("plain where sealing is required")
	// ErrTooLarge: more than the lane's MaxPayload.
	ErrTooLarge = errors.New("too large")
	// ErrFormat: the body is not as agreed.
	ErrFormat = errors.New("body is not as agreed")
	// ErrNotJWE: wrong already without a key.
	ErrNotJWE = errors.New("not an acceptable JWE")
	// ErrDecryption: whatever needs the private key. There is no finer error for a partner.
	ErrDecryption = errors.New("decryption failed")
	// ErrNotJWS: what was encrypted is not an acceptable JWS.
	ErrNotJWS = errors.New("not an acceptable JWS")
	// ErrSignature: the signature does not hold under the partner's keys.
	ErrSignature = errors.New("signature could not be verified")
	// ErrSealingFailed: the request was verified and probably processed, but its
	// answer could not be sealed. Do not send the request again blindly.
	ErrSealingFailed = errors.New("processed, but the answer could not be sealed")
	// ErrUnavailable: a key could not be used; nothing was judged. Try again later.
	ErrUnavailable = errors.New("key is not available")

	// ErrMayBeProcessed: the request went out, and what came back (or did not)
	// does not say what became of it. It comes beside the reason. Ask for it first:
	// the other sentinels do not tell whether a request was processed.
	ErrMayBeProcessed = errors.New("the request may have been processed")
	// ErrNotSealed: an answer came in clear where it should be sealed.
	ErrNotSealed = errors.New("answer is not sealed")
	// ErrContradiction: an identifier outside the seal is not the signed one, or
	// the answer is not to this request.
	ErrContradiction = errors.New("answer contradicts itself or its request")
)

// sentinels maps what a profile's error table calls an outcome.
var sentinels = map[profile.Outcome]error{
	profile.NotSupported:  ErrNotSupported,
	profile.PlainRefused:  ErrPlainRefused,
	profile.TooLarge:      ErrTooLarge,
	profile.Format:        ErrFormat,
	profile.NotJWE:        ErrNotJWE,
	profile.Decryption:    ErrDecryption,
	profile.NotJWS:        ErrNotJWS,
	profile.Signature:     ErrSignature,
	profile.SealingFailed: ErrSealingFailed,
	profile.Unavailable:   ErrUnavailable,
}

// Sentinel gives the error that stands for an outcome, or nil.
func Sentinel(on profile.Outcome) error { return sentinels[on] }

// OutcomeOf gives the outcome that an error means to a partner: that of the
// outermost *Error in it. What has no outcome of its own is Unavailable: the
// message was not judged.
func OutcomeOf(err error) profile.Outcome {
	var lane *Error
	if errors.As(err, &lane) {
		for on, sentinel := range sentinels {
			if lane.Sentinel == sentinel {
				return on
			}
		}
	}
	return profile.Unavailable
}

// FaultCode names a fault exactly; docs/faults.md explains each.
type FaultCode = fault.Code

// Error is an error of a lane. Its text is for the operator: it names the
// fault, but no payload, key or token. A partner may learn no more than the
// outcome.
type Error struct {
	Op       string // "seal" or "open"
	Lane     string // the lane's name
	Sentinel error  // one of the above
	Fault    FaultCode
	Detail   string
	Err      error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Lane != "" {
		b.WriteString(" " + e.Lane)
	}
	fmt.Fprintf(&b, ": %v", e.Sentinel)
	detail := e.Detail
	if detail == "" {
		detail = strings.TrimSuffix(e.Fault.Meaning(), ".")
	}
	fmt.Fprintf(&b, ": %s [%s]", detail, e.Fault)
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap lets errors.Is find the sentinel and errors.As the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Sentinel}
	}
	return []error{e.Sentinel, e.Err}
}

// FaultOf gives the exact fault code in err, or the empty code.
func FaultOf(err error) FaultCode {
	var lane *Error
	if errors.As(err, &lane) {
		return lane.Fault
	}
	return ""
}

// fromCodec says what a codec's refusal is to the lane.
func (l *Lane) fromCodec(op string, err error) error {
	var codec *jose.Error
	if !errors.As(err, &codec) {
		return l.fail(op, ErrUnavailable, fault.KeyUnavailable, "", err)
	}
	sentinel := map[jose.Kind]error{
		jose.NotJWE: ErrNotJWE, jose.Decryption: ErrDecryption, jose.NotJWS: ErrNotJWS,
		jose.Signature: ErrSignature, jose.Key: ErrUnavailable,
	}[codec.Kind]
	detail := codec.Detail
	if codec.Fault == fault.AlgSHA1 && l.mayAdd(alg.RSAOAEP) {
		detail = "alg is RSA-OAEP (SHA-1), the profile asks for RSA-OAEP-256; to accept it on this lane, say why in AcceptRSAOAEP (--accept-rsa-oaep)"
	}
	return l.fail(op, sentinel, codec.Fault, detail, codec.Err)
}

func (l *Lane) fail(op string, sentinel error, f fault.Code, detail string, cause error) error {
	return &Error{Op: op, Lane: l.Name(), Sentinel: sentinel, Fault: f, Detail: detail, Err: cause}
}
