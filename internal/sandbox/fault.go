package sandbox

import (
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/malform"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
)

// Fault is one way in which a stand-in misbehaves: an outcome of its profile's error table,
// which is then the answer; one of the constants below; or one of [Codes]. "slow" may have
// a value, as in "slow=3s".
type Fault string

// The faults that are neither outcomes nor codes. Some have a code too, and a name that
// describes the partner's mistake.
const (
	WrongKey     Fault = "wrong-key"
	OtherSigner  Fault = "other-signer"
	SHA1OAEP     Fault = "sha1-oaep"
	CutTag       Fault = "cut-tag"
	UnknownKeyID Fault = "unknown-key-id"
	Unsigned     Fault = "unsigned"
	Unsealed     Fault = "unsealed"
	Swapped      Fault = "swapped"
	Slow         Fault = "slow"
	Cut          Fault = "cut"
)

// kind tells which messages can have a fault.
type kind int

const (
	anyMessage kind = iota
	sealedMessage
	signedMessage
	sealedResponse
)

// named lists the constants, in the order in which they are shown.
var named = []struct {
	fault  Fault
	of     kind
	code   fault.Code // with which malform makes it, if it does
	effect string
}{
	{WrongKey, sealedMessage, fault.OpenKey, "the message is encrypted to another key"},
	{OtherSigner, signedMessage, fault.SignatureWrong, "the message is signed by another key"},
	{SHA1OAEP, sealedMessage, fault.AlgSHA1, "the message's key is encrypted with RSA-OAEP (SHA-1)"},
	{CutTag, sealedMessage, fault.OpenTagShort, "the message's authentication tag is shortened"},
	{UnknownKeyID, sealedMessage, fault.KidUnknown.In(fault.JWE), "the message names a key ID that nobody knows"},
	{Unsigned, signedMessage, fault.InnerNotSigned, "the message is encrypted, but not signed"},
	{Unsealed, sealedMessage, "", "the message is not encrypted"},
	{Swapped, sealedResponse, "", "the message is the previous one, with the new identifier"},
	{Slow, anyMessage, "", "the message is delayed (slow=3s; default 1s)"},
	{Cut, anyMessage, "", "the connection is cut in the middle of the message"},
}

// ResponseFaults lists the named faults of an [Endpoint] of the profile.
func ResponseFaults(p *profile.Profile) []Fault {
	var list []Fault
	for _, row := range p.Errors.Table {
		list = append(list, Fault(row.On))
	}
	return append(list, namedFaults(p.Response, true)...)
}

// RequestFaults lists the named faults of a [FaultyTransport] of the profile.
func RequestFaults(p *profile.Profile) []Fault { return namedFaults(p.Request, false) }

func namedFaults(d profile.Direction, response bool) []Fault {
	can := map[kind]bool{
		anyMessage: true, sealedMessage: d.Sealed(), signedMessage: d.Sign != nil, sealedResponse: d.Sealed() &&
			response,
	}
	var list []Fault
	for _, n := range named {
		if can[n.of] {
			list = append(list, n.fault)
		}
	}
	return list
}

// Effect describes a fault of the profile, or returns "".
func (f Fault) Effect(p *profile.Profile) string {
	if row, ok := p.Errors.Row(profile.Outcome(f)); ok {
		return fmt.Sprintf("%d: %s", row.Status, row.Text)
	}
	for _, n := range named {
		if n.fault == f {
			return n.effect
		}
	}
	return ""
}

// Code returns the code of the fault, or "" if it has none.
func (f Fault) Code() fault.Code {
	for _, n := range named {
		if n.fault == f {
			return n.code
		}
	}
	if code := fault.Code(f); code.Known() {
		return code
	}
	return ""
}

// Meaning says what is wrong with a message of the profile that has the fault, or returns "".
func (f Fault) Meaning(p *profile.Profile) string {
	if effect := f.Effect(p); effect != "" {
		return effect
	}
	return fault.Code(f).Meaning()
}

// Codes lists the codes that are faults too.
func Codes() []fault.Code { return malform.Codes() }

// split returns the name and the value of a fault.
func (f Fault) split() (name Fault, value string) {
	before, value, _ := strings.Cut(string(f), "=")
	return Fault(before), value
}

// stranger is a key that neither side knows.
var stranger = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// Malform seals a payload on a lane with a fault: a constant of this package that malform
// makes, or a code. signer is the active key of the lane; it must be in memory if the lane
// signs.
func Malform(f Fault, lane *sealane.Lane, signer keyring.Private, payload []byte) ([]byte, error) {
	code := cmp.Or(f.Code(), fault.Code(f))
	other, err := stranger()
	if err != nil {
		return nil, err
	}
	material := malform.Material{Payload: payload, Other: other, Nested: lane.Outbound().Signed()}
	direction := lane.Outbound().Direction()
	if direction.Encrypt != nil {
		material.Content, _ = alg.Contents.Find(direction.Encrypt.Enc.Seal)
	}
	if material.Nested {
		material.Signature, _ = alg.Signatures.Find(direction.Sign.Alg.Seal)
	}
	if recipient, ok := active(lane.Theirs()); ok {
		material.Recipient, material.RecipientID = recipient.Public, recipient.ID
	}
	if ours, ok := active(lane.Ours()); ok && signer != nil {
		material.SignerID = ours.ID
		material.Signer, _ = signer.(*rsa.PrivateKey)
	}
	if material.Recipient == nil || material.Nested && material.Signer == nil {
		return nil, fmt.Errorf("malform %s: the lane has no key in memory for it", f)
	}
	return malform.Make(code, material)
}

// active returns the key in use.
func active(keys []keyring.KeyInfo) (keyring.KeyInfo, bool) {
	i := slices.IndexFunc(keys, func(k keyring.KeyInfo) bool { return k.State == keyring.Active })
	if i < 0 {
		return keyring.KeyInfo{}, false
	}
	return keys[i], true
}
