// Package jose reads and writes compact JWS and JWE. Its algorithms are those of
// internal/alg; others do not exist here. Which of them are accepted is an
// argument of every reader; there is no default.
//
// Reading goes in steps, each of which takes only what the one before returned:
//
//	ParseEncrypted → (*Encrypted).Decrypt → ParseSigned → (*Signed).Verify
//
// so that what is wrong without any key is known before a key is used, and no
// payload exists before its signature holds.
package jose

import (
	"fmt"

	"github.com/sealane/sealane/fault"
)

// Kind is what a refusal means to the partner.
type Kind int

const (
	NotJWE     Kind = iota + 1 // seen without any key
	Decryption                 // all that needs the private key: one outcome
	NotJWS                     // the inner part is not an acceptable JWS
	Signature                  // the signature does not hold
	Key                        // a key could not be used: the message was not judged
)

// Error is every error of this package. Fault and Detail are for the operator;
// the partner may learn no more than Kind.
type Error struct {
	Kind   Kind
	Fault  fault.Code
	Detail string
	Err    error
}

func (e *Error) Error() string {
	text := e.Detail
	if text == "" {
		text = e.Fault.Meaning()
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return fmt.Sprintf("%s [%s]", text, e.Fault)
}

func (e *Error) Unwrap() error { return e.Err }
