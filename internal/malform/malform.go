// Package malform makes malformed messages: each has exactly one fault, which is named by
// its code, and is well-formed otherwise. The stand-ins use it to misbehave, and tests use
// it for messages that must be refused. It has an encoder of its own on the primitives of
// the standard library, because internal/jose refuses to write such messages.
//
// Code that serves real partners must not import it.
package malform

import (
	"cmp"
	"crypto/fips140"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
)

// Material holds the keys and the content of a message.
type Material struct {
	Payload   []byte
	Signer    *rsa.PrivateKey // signs the inner token; required if Nested
	Recipient *rsa.PublicKey  // the key to encrypt to; required
	// SignerID and RecipientID are the key IDs of the inner and the outer header, or empty.
	SignerID, RecipientID string
	Other                 *rsa.PrivateKey // a stranger's key, for faults that need a second key
	Nested                bool            // signed, then encrypted; otherwise only encrypted
	Limit                 int             // jwe.too-large is longer than this; default 64 MiB

	// The algorithms of the message. The default is those of the shipped profiles: RS256,
	// RSA-OAEP-256 and A256GCM. Keys are always encrypted with RSA-OAEP-256.
	Signature *alg.Signature
	Content   *alg.Content
}

// complete fills in the defaults.
func (m Material) complete() Material {
	if m.Limit == 0 {
		m.Limit = defaultLimit
	}
	m.Signature, m.Content = cmp.Or(m.Signature, alg.RS256), cmp.Or(m.Content, alg.A256GCM)
	return m
}

// Variant is one way to make a fault. All variants of a code have distinct names.
type Variant struct {
	Code   fault.Code
	Name   string
	Nested bool // in the inner token: needs Material.Nested

	only   func(Material) bool // reports whether it is a fault of such a message; nil: always
	change func(*message)
}

// Fits reports whether a message of m can have the fault: a fault of the inner token needs
// one, and what is wrong for one algorithm may be right for another.
func (v Variant) Fits(m Material) bool {
	return (m.Nested || !v.Nested) && (v.only == nil || v.only(m.complete()))
}

var errMaterial = errors.New("material is missing")

const defaultLimit = 64 << 20

// Codes lists the codes that Make accepts for messages with the algorithms of the shipped
// profiles, each once, in the order of the layers.
func Codes() []fault.Code {
	var codes []fault.Code
	for _, v := range Variants() {
		if !slices.Contains(codes, v.Code) {
			codes = append(codes, v.Code)
		}
	}
	return codes
}

// Variants lists every variant of every fault of messages with the algorithms of the
// shipped profiles.
func Variants() []Variant { return VariantsOf(Material{Nested: true}) }

// VariantsOf lists the variants that fit m.
func VariantsOf(m Material) []Variant {
	all := slices.Concat(tokenVariants(fault.JWE), outerVariants, keyVariants, contentVariants,
		tokenVariants(fault.JWS), innerVariants, signatureVariants)
	return slices.DeleteFunc(all, func(v Variant) bool { return !v.Fits(m) })
}

// Make returns a message with exactly the fault that code names, in the first of its
// variants. The empty code makes a message without a fault.
func Make(code fault.Code, m Material) ([]byte, error) {
	if code == "" {
		return Variant{}.Make(m)
	}
	for _, v := range VariantsOf(m) {
		if v.Code == code {
			return v.Make(m)
		}
	}
	return nil, fmt.Errorf("malform: a message of this kind cannot have the fault %q", code)
}

// Make returns the message. It does not change the material.
func (v Variant) Make(m Material) ([]byte, error) {
	fail := func(err error) ([]byte, error) {
		return nil, fmt.Errorf("malform %s (%s): %w", v.Code, v.Name, err)
	}
	switch {
	case m.Recipient == nil:
		return fail(fmt.Errorf("%w: Recipient", errMaterial))
	case m.Nested && m.Signer == nil:
		return fail(fmt.Errorf("%w: Signer", errMaterial))
	case v.Nested && !m.Nested:
		return fail(errors.New("the fault is in the inner token, and there is none"))
	case !v.Fits(m):
		return fail(errors.New("a message with these algorithms cannot have this fault"))
	}
	w := newMessage(m.complete())
	var token []byte
	var err error
	// Faults may need algorithms that FIPS 140-3 forbids. Nothing is protected here.
	fips140.WithoutEnforcement(func() {
		if v.change != nil {
			v.change(w)
		}
		if err = w.err; err == nil {
			token, err = w.write()
		}
	})
	if err != nil {
		return fail(err)
	}
	return token, nil
}
