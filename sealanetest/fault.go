package sealanetest

import (
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/sandbox"
	"github.com/sealane/sealane/profile"
)

// Fault is one way in which a fake misbehaves: an outcome of its profile's error table
// (Fault(sealane.ErrDecryption)), a constant of this package, or a code of package fault
// (Fault(fault.OpenTag)).
type Fault string

// The faults of messages, of a provider's responses and of the requests of a [VCAS].
const (
	// WrongKey encrypts the message to a key that nobody has.
	WrongKey Fault = "wrong-key"
	// OtherSigner signs the message with a key that nobody knows. Only RiskOS signs.
	OtherSigner Fault = "other-signer"
	// Unsigned encrypts the message without signing it. Only RiskOS signs.
	Unsigned Fault = "unsigned"
	// SHA1OAEP encrypts the message's key with RSA-OAEP (SHA-1).
	SHA1OAEP Fault = "sha1-oaep"
	// CutTag shortens the authentication tag.
	CutTag Fault = "cut-tag"
	// UnknownKeyID names a key ID that nobody knows.
	UnknownKeyID Fault = "unknown-key-id"
	// Unsealed sends the message unencrypted.
	Unsealed Fault = "unsealed"
	// Swapped repeats the previous sealed response with the identifier of the new one.
	// There must have been one. Only a provider has this fault.
	Swapped Fault = "swapped"
	// Slow delays the message by a second; see [SlowBy].
	Slow Fault = "slow"
	// Cut breaks the connection in the middle of the message.
	Cut Fault = "cut"
)

// SlowBy delays the message, by a minute at most.
func SlowBy(d time.Duration) Fault { return Slow + Fault("="+d.String()) }

// ProviderFaults lists the faults of a [Provider] that have a name: the outcomes of RiskOS's error
// table, and constants of this package. Every code of [Codes] is a fault too.
func ProviderFaults() []Fault { return named(sandbox.ResponseFaults(load("riskos"))) }

// IssuerFaults lists the faults of an [Issuer]: the outcomes of RDX's error table, Slow and
// Cut. Its responses are not sealed.
func IssuerFaults() []Fault { return named(sandbox.ResponseFaults(load("rdx"))) }

// VCASFaults lists the faults of a [VCAS] that have a name. Every code of [Codes] that concerns
// encryption is a fault too.
func VCASFaults() []Fault { return named(sandbox.RequestFaults(load("rdx"))) }

// Codes lists the codes of package fault that are faults here: each makes a sealed message
// with that fault.
func Codes() []fault.Code { return sandbox.Codes() }

func named(faults []sandbox.Fault) []Fault {
	list := make([]Fault, len(faults))
	for i, f := range faults {
		list[i] = Fault(f)
	}
	return list
}

func load(name string) *profile.Profile {
	p, err := profile.Load(name)
	if err != nil {
		panic(err) // it is embedded
	}
	return p
}

// isNamed reports whether f is in the list, or is one of the list with a value, such as
// "slow=3s".
func isNamed(f Fault, list []Fault) bool {
	name, _, _ := strings.Cut(string(f), "=")
	return slices.Contains(list, Fault(name))
}

func isCode(f Fault) bool { return slices.Contains(sandbox.Codes(), fault.Code(f)) }
