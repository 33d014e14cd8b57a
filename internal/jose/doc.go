// Package jose reads and writes compact JWS and JWE of two fixed suites:
// RS256 (RFC 7518 section 3.3), and RSA-OAEP-256 or RSA-OAEP with A256GCM
// (sections 4.3 and 5.3). Other algorithms do not exist here. What may be
// accepted is an argument of every reader; there is no default.
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

// Algorithm names, compared byte for byte (RFC 7518).
const (
	RS256      = "RS256"
	RSAOAEP256 = "RSA-OAEP-256"
	RSAOAEP    = "RSA-OAEP" // SHA-1; to open only
	A256GCM    = "A256GCM"
)

// Lengths in bytes.
const (
	cekLength = 32
	ivLength  = 12
	tagLength = 16
)

// modulusLength reports whether n is the length in bytes of what an RSA key of
// 2048, 3072 or 4096 bits encrypts or signs.
func modulusLength(n int) bool { return n == 256 || n == 384 || n == 512 }

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
