// Package forge makes malformed messages: each is well-formed but for one
// fault, which is named by its code. The stand-ins misbehave with it, and tests
// ask for what they want refused. It is a writer of its own on the standard
// library's primitives, because internal/jose refuses to write such things.
//
// Nothing that serves real partners may import it.
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

// Material is what a message is made of.
type Material struct {
	Payload   []byte
	Signer    *rsa.PrivateKey // signs the inner token; needed where Nested
	Recipient *rsa.PublicKey  // the key to encrypt to; must be given
	// SignerID and RecipientID are the key IDs of the inner and the outer header;
	// empty: none.
	SignerID, RecipientID string
	Other                 *rsa.PrivateKey // a stranger's key, for faults with a second key in them
	Nested                bool            // signed, then encrypted; otherwise only encrypted
	Limit                 int             // jwe.too-large is longer than this; default 64 MiB

	// The algorithms of the message; by default those of the shipped profiles: RS256,
	// RSA-OAEP-256 and A256GCM. Keys are encrypted with RSA-OAEP-256 always.
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
	Nested bool // lies in the inner token: needs Material.Nested

	only   func(Material) bool // whether it is a fault of such a message; nil: of all
	change func(*message)
}

// Fits reports whether a message of m can have the fault: those of the inner token
// need one, and what is wrong for one algorithm may be right for another.
func (v Variant) Fits(m Material) bool {
	return (m.Nested || !v.Nested) && (v.only == nil || v.only(m.complete()))
}

var errMaterial = errors.New("material is missing")

const defaultLimit = 64 << 20

// Codes lists the codes that Make knows for messages with the algorithms of the
// shipped profiles, each once, in the order of the layers.
func Codes() []fault.Code {
	var codes []fault.Code
	for _, v := range Variants() {
		if !slices.Contains(codes, v.Code) {
			codes = append(codes, v.Code)
		}
	}
	return codes
}

// Variants lists every fault of messages with the algorithms of the shipped
// profiles, in every way that it can be made.
func Variants() []Variant { return VariantsOf(Material{Nested: true}) }

// VariantsOf lists the variants that fit m.
func VariantsOf(m Material) []Variant {
	all := slices.Concat(tokenVariants(fault.JWE), outerVariants, keyVariants, contentVariants,
		tokenVariants(fault.JWS), innerVariants, signatureVariants)
	return slices.DeleteFunc(all, func(v Variant) bool { return !v.Fits(m) })
}

// Make makes a message that has exactly the fault that code names, in the first
// of its variants, and is else well-formed. The empty code makes a message
// without any fault.
func Make(code fault.Code, m Material) ([]byte, error) {
	if code == "" {
		return Variant{}.Make(m)
	}
	for _, v := range VariantsOf(m) {
		if v.Code == code {
			return v.Make(m)
		}
	}
	return nil, fmt.Errorf("forge: %q cannot be made of this message", code)
}

// Make makes the message. The material is left as it is.
func (v Variant) Make(m Material) ([]byte, error) {
	fail := func(err error) ([]byte, error) {
		return nil, fmt.Errorf("forge %s (%s): %w", v.Code, v.Name, err)
	}
	switch {
	case m.Recipient == nil:
		return fail(fmt.Errorf("%w: Recipient", errMaterial))
	case m.Nested && m.Signer == nil:
		return fail(fmt.Errorf("%w: Signer", errMaterial))
	case v.Nested && !m.Nested:
		return fail(errors.New("the fault lies in the inner token, and there is none"))
	case !v.Fits(m):
		return fail(errors.New("this is no fault of a message with these algorithms"))
	}
	w := newMessage(m.complete())
	var token []byte
	var err error
	// Faults are made with what FIPS 140-3 forbids, too; nothing is protected here.
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
