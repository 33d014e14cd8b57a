package inspect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/profile"
)

// noProfile requires only that the algorithms are in the table.
var noProfile = side{leg: &profile.Direction{
	Encrypt: &profile.Protection{
		Alg: profile.Algorithms{Open: []string{alg.RSAOAEP256.Name}, LaneMayAdd: []string{alg.RSAOAEP.Name}},
		Enc: profile.Algorithms{Open: alg.Contents.Names()}, Kid: anyValue, Typ: anyValue, Cty: anyValue,
	},
	Sign: &profile.Protection{
		Alg: profile.Algorithms{Open: alg.Signatures.Names()},
		Kid: anyValue,
		Typ: anyValue,
		Cty: anyValue,
	},
}}

// sides lists the directions that the message is compared with.
func (x *examiner) sides() []side {
	if legs := x.legs(); len(legs) > 0 {
		return legs
	}
	return []side{noProfile}
}

// keyEncryptions, contents and signatures list the algorithms that any side accepts.
func (x *examiner) keyEncryptions() []string {
	return x.named(func(d *profile.Direction) []string { return d.Encrypt.Alg.Open })
}

func (x *examiner) contents() []string {
	return x.named(func(d *profile.Direction) []string { return d.Encrypt.Enc.Open })
}

func (x *examiner) signatures() []string {
	names := x.named(func(d *profile.Direction) []string {
		if d.Sign == nil {
			return nil
		}
		return d.Sign.Alg.Open
	})
	if len(names) == 0 { // no side signs
		return alg.Signatures.Names()
	}
	return names
}

func (x *examiner) named(of func(*profile.Direction) []string) []string {
	var names []string
	for _, s := range x.sides() {
		names = append(names, of(s.leg)...)
	}
	return names
}

// contentOf returns the content encryption that a header names or probably means, or nil if
// it is not in the table. Without an enc it is the first that is accepted.
func (x *examiner) contentOf(t *token) *alg.Content {
	enc, there := t.header.values["enc"]
	if !there {
		enc = x.contents()[0]
	}
	meant := strings.ReplaceAll(enc, "+", "-") // as drafts of RFC 7518 wrote it
	for _, c := range alg.Contents {
		if strings.EqualFold(c.Name, meant) {
			return c
		}
	}
	return nil
}

// lengthsOf is like contentOf for lengths: a name that is not in the table has those of
// AES-GCM, unless it contains CBC.
func (x *examiner) lengthsOf(t *token) (c *alg.Content, known bool) {
	if c = x.contentOf(t); c != nil {
		return c, true
	}
	return alg.A256GCM, !strings.Contains(strings.ToUpper(t.header.values["enc"]), "CBC")
}

// dueLengths lists the lengths that the parts of an outer token should have.
func (x *examiner) dueLengths(t *token) string {
	c, _ := x.lengthsOf(t)
	return fmt.Sprintf("%s; %d; %d", alg.ModulusLens(), c.IV, c.Tag)
}

// dueSignature returns the algorithm by which a signature should hold: the one that the
// header names, if it is allowed, else the first allowed one.
func (x *examiner) dueSignature() *alg.Signature {
	allowed := x.signatures()
	name := x.inner.header.values["alg"]
	if !slices.Contains(allowed, name) {
		name = allowed[0]
	}
	s, ok := alg.Signatures.Find(name)
	if !ok { // the profile was not validated
		return alg.RS256
	}
	return s
}

// remarkAlgorithm comments on an alg or enc where the comment is true for every profile.
func (x *examiner) remarkAlgorithm(t *token, name, value string) (cert.Level, string) {
	switch {
	case name == "enc" && !slices.Contains(x.contents(), value):
		return Bad, "no content encryption of these profiles"
	case name == "alg" && t.layer == fault.JWE && value == alg.RSAOAEP.Name:
		return Note, alg.RSAOAEP.Name + " with SHA-1: only where a lane accepts it on purpose"
	case name == "alg" && t.layer == fault.JWE && !slices.Contains(x.keyEncryptions(), value),
		name == "alg" && t.layer == fault.JWS && !slices.Contains(x.signatures(), value):
		return Bad, "no algorithm of these profiles"
	}
	return OK, ""
}
