// Package jose reads and writes compact JWS and JWE. Its algorithms are those of
// internal/alg. Every parse function takes the accepted algorithms as an argument; there is
// no default.
//
// Reading has steps, each of which takes only the result of the one before:
//
//	ParseEncrypted → (*Encrypted).Decrypt → ParseSigned → (*Signed).Verify
//
// Faults that are visible without a key are found before a key is used, and no payload is
// available before its signature is verified.
package jose

import (
	"fmt"

	"github.com/sealane/sealane/fault"
)

// Kind is what the partner may learn about a refusal.
type Kind int

const (
	NotJWE     Kind = iota + 1 // visible without a key
	Decryption                 // everything that needs the private key: one outcome
	NotJWS                     // the inner part is not an acceptable JWS
	Signature                  // no key verifies the signature
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
