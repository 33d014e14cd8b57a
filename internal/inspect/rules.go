package inspect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/termtext"
	"github.com/sealane/sealane/profile"
)

// ruleBody checks whether the token is in the body as the direction requires. A bare token
// is not a fault: it may have been copied out of its body.
func (x *examiner) ruleBody(r *ruling) {
	if code := x.first(stepAround, stepAround); code != "" {
		r.breach("body", code, "something is wrong around the token", "the token alone, or its JSON member alone")
	}
	form := r.side.leg.Body
	token := x.outer != nil || x.inner != nil || x.first(stepText, stepText) != ""
	switch {
	case x.wrap == nil && form.Field == "":
		if token {
			r.ok("body", "the bare token", "the bare token")
		}
	case x.wrap == nil:
		r.note("body", "the bare token", "JSON member "+show(form.Field),
			"in a request or answer it is in this member")
	case r.side.p == nil:
		if x.wrap.member != "" {
			r.note("body", "JSON member "+show(x.wrap.member), "", "")
		}
	case form.Field == "" && x.wrap.member == "" && !token:
		r.refuse("body", stepAround, fault.BodyNotSealed, "JSON without a token", "the bare token", "", 4)
	case form.Field == "":
		r.refuse("body", stepAround, fault.BodyWrapped, "JSON member "+show(clip(x.wrap.member)), "the bare token", "",
			4)
	case x.wrap.member != form.Field || x.wrap.inside:
		if x.has(fault.BodyType) || x.has(fault.BodyNotJSON) || x.has(fault.BodyNotObject) {
			return
		}
		found := "no member with a token"
		if x.wrap.member != "" {
			found = "the token in member " + show(clip(x.wrap.member))
		}
		r.refuse("body", stepAround, fault.BodyMissing, found, "it in member "+show(form.Field), "", 4)
	default:
		x.ruleBeside(r, form)
	}
}

func (x *examiner) ruleBeside(r *ruling, form profile.Body) {
	for _, name := range x.wrap.siblings {
		if form.Others == "refuse" && !slices.Contains(form.Accompanying, name) {
			r.refuse("body", stepAround, fault.BodyUnexpected, "member "+show(clip(name))+" next to the token",
				"nothing next to it", "", 1)
			return
		}
	}
	r.ok("body", "JSON member "+show(form.Field), "JSON member "+show(form.Field))
}

func (x *examiner) ruleForm(r *ruling) {
	code := x.first(stepText, stepText)
	if code == "" {
		code = x.first(stepBase64, stepBase64)
	}
	switch {
	case code != "":
		r.breach("form", code, "not that", "compact JWE: five parts in base64url")
	case x.outer != nil:
		r.ok("form", "compact JWE", "compact JWE")
	default:
		r.note("form", "compact JWS", "compact JWE", "")
	}
}

// ruleLayer compares a header with the profile's rules for the layer.
func (x *examiner) ruleLayer(r *ruling, t *token, layer *profile.Protection, offset step) {
	prefix := string(t.layer) + " "
	if !t.header.read {
		r.breach(prefix+"header", x.first(offset+stepHeader, offset+stepHeader), "not readable", "one JSON object")
		return
	}
	if code := x.first(offset+stepHeader, offset+stepHeader); code != "" {
		r.breach(prefix+"header", code, "a fault", "one JSON object without zip, crit, b64, jwk, jku, x5u, x5c")
	} else {
		r.ok(prefix+"header", "one JSON object", "one JSON object without zip, crit, b64, jwk, jku, x5u, x5c")
	}
	x.ruleAlg(r, t, layer, offset)
	if enc, ok := t.header.values["enc"]; ok && t.layer == fault.JWE {
		if slices.Contains(layer.Enc.Open, enc) {
			r.ok(prefix+"enc", enc, list(layer.Enc.Open))
		} else {
			r.refuse(prefix+"enc", offset+stepEnc, fault.EncNotAllowed, show(enc), list(layer.Enc.Open), "", 3)
		}
	}
	x.ruleKid(r, t, layer, offset)
	for _, m := range []struct {
		name    string
		member  profile.HeaderParam
		refused fault.TokenFault
	}{{"typ", layer.Typ, fault.TypNotAllowed}, {"cty", layer.Cty, fault.CtyNotAllowed}} {
		value := t.header.value(m.name)
		switch {
		case value == nil && t.hasMember(m.name): // not a string, which was reported
		case m.member.Accepts(value):
			r.ok(prefix+m.name, shown(value), list(m.member.Open))
		default:
			r.refuse(prefix+m.name, offset+stepMember, m.refused.In(t.layer), shown(value), list(m.member.Open), "", 1)
		}
	}
}

func (x *examiner) ruleAlg(r *ruling, t *token, layer *profile.Protection, offset step) {
	name := string(t.layer) + " alg"
	found, there := t.header.values["alg"]
	wanted := list(layer.Alg.Open)
	mayAdd := found == alg.RSAOAEP.Name && slices.Contains(layer.Alg.LaneMayAdd, found)
	switch {
	case !there: // which was reported
	case slices.Contains(layer.Alg.Open, found):
		r.ok(name, found, wanted)
	case mayAdd && x.o.AcceptRSAOAEP:
		r.note(name, found, wanted, "SHA-1, accepted on purpose (AcceptRSAOAEP)")
	case found == alg.RSAOAEP.Name && t.layer == fault.JWE:
		text := "It contradicts the profile's table."
		if mayAdd {
			text += " A lane may accept it on purpose, with a reason (AcceptRSAOAEP)."
		}
		r.refuse(name, offset+stepAlg, fault.AlgSHA1, found, wanted, text, 1)
		if x.has(fault.OpenOAEPSHA256) {
			r.faults = r.faults[:len(r.faults)-1] // the finer fault replaces it
		}
	case found == "none":
		r.refuse(name, offset+stepAlg, fault.AlgNone.In(t.layer), found, wanted, "", 1)
	default:
		text := ""
		if t.layer == fault.JWS && strings.HasPrefix(found, "HS") {
			text = "An HMAC with a shared secret is not a signature; if the secret is the public key, anyone can " +
				"make it."
		}
		r.refuse(name, offset+stepAlg, fault.AlgNotAllowed.In(t.layer), show(found), wanted, text, 1)
	}
}

func (x *examiner) ruleKid(r *ruling, t *token, layer *profile.Protection, offset step) {
	name := string(t.layer) + " kid"
	kid := t.header.value("kid")
	wanted := list(layer.Kid.Open)
	switch {
	case kid == nil && t.hasMember("kid"): // not a string, which was reported
		return
	case kid == nil && !layer.Kid.Accepts(nil):
		r.refuse(name, offset+stepMember, fault.KidMissing.In(t.layer), "absent", wanted, "", 2)
		return
	case kid != nil && cert.CheckKeyIDText(*kid) != nil:
		r.breach(name, fault.KidForm.In(t.layer), show(*kid), "1 to 128 printable ASCII characters")
		return
	case !layer.Kid.Accepts(kid):
		r.refuse(name, offset+stepMember, fault.KidNotAllowed.In(t.layer), shown(kid), wanted, "", 1)
		return
	case kid == nil || !layer.Kid.Demands():
		r.ok(name, shown(kid), wanted)
	default:
		x.ruleKnown(r, t, *kid, offset)
	}
	if kid == nil || r.side.p == nil || r.side.p.Certificate.KeyIDFormat != cert.KeyIDSixPart || t.layer != fault.JWE {
		return
	}
	if id, err := cert.ParseKeyID(*kid); err == nil {
		r.unlike--
		r.note(name+" form", "six parts: "+sixParts(id), "six parts", keyIDRemark(id, t))
	} else {
		r.note(name+" form", "not six parts", "six parts", "right if the partner assigned it so")
	}
}

func keyIDRemark(id cert.KeyID, t *token) string {
	if bits := t.view.RSABits; bits != 0 && bits != id.Bits {
		return fmt.Sprintf("it says %d bits, and the encrypted key is of %d", id.Bits, bits)
	}
	return ""
}

// ruleKnown checks whether a key ID belongs to one of the given keys.
func (x *examiner) ruleKnown(r *ruling, t *token, kid string, offset step) {
	name := string(t.layer) + " kid"
	keys := x.o.Ours
	if t.layer == fault.JWS {
		keys = x.o.Theirs
	}
	var ids []string
	spelled := false // in other letters
	for _, k := range keys {
		if k.ID == kid {
			r.ok(name, show(kid), "a known key ID")
			return
		}
		if k.ID != "" {
			ids = append(ids, show(k.ID))
		}
		spelled = spelled || k.ID != "" && strings.EqualFold(k.ID, kid)
	}
	switch {
	case len(ids) == 0:
		r.note(name, show(kid), "a known key ID", "the keys have no IDs to compare it with")
	case t.layer == fault.JWE && x.has(fault.OpenKeyOther):
		r.breach(name, fault.OpenKeyOther, show(kid), "the ID of the key that opens it")
	default:
		text := "The keys given are " + strings.Join(ids[:min(len(ids), 8)], ", ") + "."
		if spelled {
			text += " The two differ only in capitals and small letters, which count."
		}
		if t.layer == fault.JWE && x.r.Opening != nil && x.r.Opening.Key != "" {
			text += " Key " + x.r.Opening.Key + " opens it nevertheless: compare the alias with the exchanged one."
		}
		r.refuse(name, offset+stepMember, fault.KidUnknown.In(t.layer), show(kid), "a known key ID", text, 1)
	}
}

func (x *examiner) ruleLengths(r *ruling) {
	t := x.outer
	due := x.dueLengths(t)
	for _, at := range []step{stepLength, stepBlocks} {
		if code := x.first(at, at); code != "" {
			r.breach("lengths", code, lengths(t), due)
			return
		}
	}
	if !t.whole() {
		return
	}
	bits := t.view.RSABits
	if p := r.side.p; p != nil && len(p.Certificate.Bits) > 0 && bits > 0 &&
		!slices.Contains(p.Certificate.Bits, bits) {
		r.note("lengths", lengths(t), fmt.Sprintf("RSA of %v bits", p.Certificate.Bits),
			"the certificate has a size that the profile does not list")
		return
	}
	r.ok("lengths", lengths(t), due)
}

func lengths(t *token) string {
	var found []string
	for _, i := range []int{1, 2, 4} {
		if i < len(t.data) {
			found = append(found, fmt.Sprintf("%s %s", partNames[fault.JWE][i], termtext.Count(len(t.data[i]))))
		}
	}
	return strings.Join(found, ", ")
}

func (x *examiner) ruleOpening(r *ruling) {
	o := x.r.Opening
	code := x.first(stepKey, stepContent)
	switch {
	case o == nil:
		r.note("opens", "not known without a key", "with a key of ours", "")
	case code != "":
		r.breach("opens", code, "not as it should", "with a key of ours")
	case o.Key == "" || x.shape == shapeUnknown:
		r.note("opens", o.Content, "with a key of ours", "")
	default:
		r.ok("opens", "with key "+o.Key, "with a key of ours")
	}
}

// ruleContent checks whether the content is signed if the profile requires it.
func (x *examiner) ruleContent(r *ruling) {
	signed := r.side.leg.Sign != nil
	found := map[shape]string{
		shapeEmpty: "nothing",
		shapeJSON:  "JSON",
		shapeJWS:   "a JWS",
		shapeJWE:   "a JWE",
		shapeOther: "neither JSON nor a token",
	}[x.shape]
	code := x.first(stepInner+stepText, stepInner+stepText)
	switch {
	case r.side.p == nil:
	case x.shape == shapeUnknown && signed:
		r.note("content", "not known without a key", "a JWS", "")
	case x.shape == shapeUnknown:
		r.note("content", "not known without a key", "the payload itself, not signed", "")
	case signed && code != "":
		r.breach("content", code, found, "a JWS")
	case signed:
		r.ok("content", found, "a JWS")
	case x.shape == shapeJSON:
		r.ok("content", found, "the payload itself, not signed")
	default:
		r.unlike += 2
		r.note("content", found, "the payload itself, not signed", "with this profile it is the payload itself")
		text := "It is " + found + "; the profile " + r.side.p.Name +
			" has no signatures, so the content is the payload itself."
		r.faults = append(r.faults, finding{
			Finding: cert.Finding{Level: Note, Name: "content", Found: text}, step: stepInner + stepText,
		})
	}
}

func (x *examiner) ruleSignature(r *ruling) {
	sig := x.r.Signature
	code := x.first(stepInner+stepLength, stepInner+stepContent)
	switch {
	case code != "":
		r.breach("signature", code, "does not hold as it should", "holds under the partner's key")
	case sig == nil:
		r.note("signature", "not known without the partner's key", "holds under the partner's key", "")
	case sig.Holds:
		r.ok("signature", "holds under key "+sig.Key, "holds under the partner's key")
	default:
		r.note("signature", "not verified", "holds under the partner's key", "")
	}
}

func shown(value *string) string {
	if value == nil {
		return "absent"
	}
	return show(*value)
}

func list(words []string) string { return strings.Join(words, " or ") }
