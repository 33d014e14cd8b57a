package profile

import "slices"

// Outcome is the judgment on one message. It is an error: an error of this module
// wraps the outcome that it stands for, and errors.Is and errors.As find it.
// Package sealane has the same values under the names ErrDecryption and so on.
type Outcome string

// The outcomes that a partner can see, in the order in which they are decided. The error
// table of a profile defines the answer to each.
const (
	NotSupported  Outcome = "not-supported"  // no keys were exchanged for the account
	PlainRefused  Outcome = "plain-refused"  // the message is not sealed, and sealing is required
	TooLarge      Outcome = "too-large"      // the message is larger than the lane allows
	Format        Outcome = "format"         // the body does not have the agreed form
	NotJWE        Outcome = "not-jwe"        // the outer token is wrong, which is visible without a key
	Decryption    Outcome = "decryption"     // the outer token does not decrypt; a partner learns no more
	NotJWS        Outcome = "not-jws"        // the decrypted content is not an acceptable JWS
	Signature     Outcome = "signature"      // no key of the partner verifies the signature
	SealingFailed Outcome = "sealing-failed" // the request was processed, and its response could not be sealed
	Unavailable   Outcome = "unavailable"    // the message was not judged
)

// The outcomes that only the client's side has. No table has a row for them.
const (
	NotSealed     Outcome = "not-sealed"    // a response is not sealed, but must be
	Contradiction Outcome = "contradiction" // a response contradicts itself or its request
)

var outcomeTexts = map[Outcome]string{
	NotSupported:  "no keys are set up for payload encryption",
	PlainRefused:  "the message is not sealed, but sealing is required",
	TooLarge:      "the message is too large",
	Format:        "the body does not have the agreed form",
	NotJWE:        "the token is not an acceptable JWE",
	Decryption:    "decryption failed",
	NotJWS:        "the signed content is not an acceptable JWS",
	Signature:     "the signature could not be verified",
	SealingFailed: "the request was processed, but its response could not be sealed",
	Unavailable:   "the message was not judged",
	NotSealed:     "the response is not sealed",
	Contradiction: "the response contradicts itself or its request",
}

var tableOutcomes = []Outcome{
	NotSupported, PlainRefused, TooLarge, Format, NotJWE, Decryption, NotJWS, Signature, SealingFailed, Unavailable,
}

// TableOutcomes lists the outcomes that a partner can see, in the order in which
// they are decided.
func TableOutcomes() []Outcome { return slices.Clone(tableOutcomes) }

// Error describes the outcome for an operator. The text for the partner is in the profile's
// error table.
func (o Outcome) Error() string {
	if text, ok := outcomeTexts[o]; ok {
		return text
	}
	return "outcome " + string(o)
}
