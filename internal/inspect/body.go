package inspect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/strictjson"
	"github.com/sealane/sealane/profile"
)

// object looks for the token in a body that begins like JSON.
func (x *examiner) object(data []byte) (rest []byte, off bool) {
	members, err := strictjson.Object(data)
	if err != nil {
		members = x.brokenObject(data, err)
	}
	if parts := serialization(members); parts != nil {
		x.around("JSON serialization")
		x.r.Kind = KindJWE
		x.fault(stepText, fault.JSONSerialization.In(fault.JWE), "token",
			"The parts were taken out of the JSON members.")
		return bytes.Join(parts, []byte{'.'}), true
	}
	x.wrap = &wrap{}
	if text, ok := x.fieldOf(members); ok {
		return text, true
	}
	if members == nil || !json.Valid(data) {
		if run := embedded(data); run != nil {
			x.around("text that is not a JSON object")
			if bytes.Contains(data, append([]byte("b'"), run[:min(len(run), 16)]...)) {
				x.fault(stepAround, fault.BodyQuoted, "body",
					"b'…' is how Python shows bytes: use decode() before they become text.")
			}
			return run, true
		}
	}
	if run := cutToken(data); run != nil && !json.Valid(data) {
		x.around("JSON that is cut")
		return run, true
	}
	x.plain(data)
	return nil, true
}

// brokenObject reports what is wrong with a body and reads it leniently.
func (x *examiner) brokenObject(data []byte, err error) []strictjson.Member {
	code, text := fault.BodyNotJSON, ""
	switch {
	case errors.Is(err, strictjson.ErrUTF8):
		code = fault.BodyUTF8
		data = bytes.ToValidUTF8(data, []byte("?"))
	case errors.Is(err, strictjson.ErrNotObject):
		code, text = fault.BodyNotObject, "It is an array."
	case errors.Is(err, strictjson.ErrDuplicate):
		code = fault.BodyDuplicate
	case errors.Is(err, strictjson.ErrDepth):
		text = "It is nested too deeply."
	}
	x.fault(stepAround, code, "body", text)
	return readMembers(data)
}

// readMembers reads the members of an object as far as possible. If a name occurs twice,
// both members are returned.
func readMembers(data []byte) []strictjson.Member {
	const most = 1000
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	var members []strictjson.Member
	for d.More() && len(members) < most {
		name, err := d.Token()
		if err != nil {
			break
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			break
		}
		members = append(members, strictjson.Member{Name: name.(string), Value: value})
	}
	return members
}

// fieldOf finds the member that holds the token: one that a profile names, else the longest
// one that looks like a token.
func (x *examiner) fieldOf(members []strictjson.Member) (text []byte, ok bool) {
	take := func(path string, inside bool, s string) ([]byte, bool) {
		x.wrap.member, x.wrap.inside = path, inside
		top, _, _ := strings.Cut(path, ".")
		for _, m := range members {
			if m.Name != path && (!inside || m.Name != top) {
				x.wrap.siblings = append(x.wrap.siblings, m.Name)
			}
		}
		x.around("JSON member " + show(path))
		return []byte(s), true
	}
	legs := x.legs()
	for _, m := range members {
		if !slices.ContainsFunc(legs, func(l side) bool { return l.leg.Body.Field == m.Name }) {
			continue
		}
		s, isText := strictjson.String(m.Value)
		inner := membersIn(m.Value)
		if isText {
			inner = membersIn([]byte(s))
		}
		if parts := serialization(inner); parts != nil {
			x.fault(stepText, fault.JSONSerialization.In(fault.JWE), "token",
				"The parts were taken out of the JSON members.")
			return take(m.Name, false, string(bytes.Join(parts, []byte{'.'})))
		}
		if isText {
			return take(m.Name, false, s)
		}
		x.wrap.member = m.Name
		x.fault(stepAround, fault.BodyType, "body", "Member "+show(m.Name)+" should hold the token.")
	}
	path, best, inside := longest(members, maxNested)
	if best == "" {
		return nil, false
	}
	return take(path, inside, best)
}

// longest finds the longest string that looks like a token, and its path: in objects and lists,
// and in strings that hold JSON or other text with a token in it, as exports of browsers and
// other tools have them.
func longest(members []strictjson.Member, depth int) (path, best string, inside bool) {
	for _, m := range members {
		s, isText := strictjson.String(m.Value)
		switch {
		case isText && len(s) <= len(best):
			continue
		case isText && likely([]byte(s)):
			path, best, inside = m.Name, s, false
			continue
		case depth == 1:
			continue
		}
		if octets := encodedIn(m.Value, s); octets != nil { // the peeling goes on with it
			if len(octets) > len(best) {
				path, best, inside = m.Name, string(octets), false
			}
			continue
		}
		inner := membersIn(m.Value)
		if isText {
			if inner = membersIn([]byte(s)); inner == nil {
				if token := embedded([]byte(s)); len(token) > len(best) {
					path, best, inside = m.Name, string(token), true
				}
				continue
			}
		}
		if p, s, _ := longest(inner, depth-1); len(s) > len(best) {
			path, best, inside = m.Name+"."+p, s, true
		}
	}
	return path, best, inside
}

// encodedIn returns what a member has in base64, or in a list of numbers, if that is a token or a body
// with one.
func encodedIn(value []byte, text string) []byte {
	octets := encodedOnceMore([]byte(text))
	if octets == nil && bytes.HasPrefix(value, []byte{'['}) {
		octets = fromNumbers(bytes.TrimSpace(value))
	}
	if token := embedded(octets); token != nil {
		return token
	}
	return nil
}

// membersIn reads the members of an object, or the elements of a list, named by their numbers.
func membersIn(value []byte) (members []strictjson.Member) {
	value = bytes.TrimSpace(value)
	switch {
	case bytes.HasPrefix(value, []byte{'{'}):
		return readMembers(value)
	case bytes.HasPrefix(value, []byte{'['}):
		var list []json.RawMessage
		if json.Unmarshal(value, &list) != nil {
			return nil
		}
		for i, element := range list[:min(len(list), maxElements)] {
			members = append(members, strictjson.Member{Name: strconv.Itoa(i), Value: element})
		}
	}
	return members
}

const (
	maxElements = 1000 // of a list
	maxNested   = 12   // levels of JSON in which a token is looked for
)

// serialization returns the compact parts of a JWE or JWS in JSON serialization.
func serialization(members []strictjson.Member) [][]byte {
	value := func(list []strictjson.Member, name string) ([]byte, bool) {
		for _, m := range list {
			if m.Name != name {
				continue
			}
			if s, ok := strictjson.String(m.Value); ok {
				return []byte(s), true
			}
		}
		return nil, false
	}
	first := func(name string) []strictjson.Member {
		for _, m := range members {
			var list []json.RawMessage
			if m.Name == name && json.Unmarshal(m.Value, &list) == nil && len(list) > 0 {
				return readMembers(list[0])
			}
		}
		return nil
	}
	there := func(names ...string) bool {
		return slices.ContainsFunc(members, func(m strictjson.Member) bool { return slices.Contains(names, m.Name) })
	}
	protected, _ := value(members, "protected")
	switch {
	case there("ciphertext") && there("protected", "unprotected", "header", "recipients", "encrypted_key"):
		ciphertext, _ := value(members, "ciphertext")
		key, ok := value(members, "encrypted_key")
		if !ok {
			key, _ = value(first("recipients"), "encrypted_key")
		}
		iv, _ := value(members, "iv")
		tag, _ := value(members, "tag")
		return [][]byte{protected, key, iv, ciphertext, tag}
	case there("payload") && there("signature", "signatures"):
		payload, _ := value(members, "payload")
		signature, ok := value(members, "signature")
		if !ok {
			signatures := first("signatures")
			signature, _ = value(signatures, "signature")
			protected, _ = value(signatures, "protected")
		}
		return [][]byte{protected, payload, signature}
	}
	return nil
}

var wordForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,60}$`)

// plain explains a body without a token.
func (x *examiner) plain(data []byte) {
	if x.errorAnswer(data) {
		return
	}
	if json.Valid(data) {
		x.r.Kind = KindJSON
		x.around("JSON without a token")
	}
	if x.wrap.member != "" || x.has(fault.BodyNotJSON) || len(x.o.Profiles) > 0 {
		return // the profiles say what is missing
	}
	x.fault(stepAround, fault.BodyNotSealed, "body", "")
}

// errorAnswer recognizes a profile's error body.
func (x *examiner) errorAnswer(data []byte) bool {
	const most = 64 << 10
	if len(data) > most {
		return false
	}
	for _, p := range x.o.Profiles {
		on, id, text, ok := p.Errors.Recognize(0, data)
		if !ok {
			continue
		}
		x.r.Kind = KindAnswer
		a := &Answer{Profile: p.Name, Outcome: string(on), ID: id}
		if len(id) > 128 {
			a.ID = id[:128]
		}
		if on == "" && !x.o.Reveal && !wordForm.MatchString(text) {
			a.Text = fmt.Sprintf("(%d characters that the profile's table does not have)", len([]rune(text)))
		} else {
			a.Text = text[:min(len(text), 400)]
		}
		x.r.Answer = a
		x.note(stepAround, "body", outcomeText(p, on))
		return true
	}
	return false
}

func outcomeText(p *profile.Profile, on profile.Outcome) string {
	where := map[profile.Outcome]string{
		profile.NotSupported: "no key was exchanged for the account, or the keys belong to another product",
		profile.PlainRefused: "the request was not sealed, and sealing is required",
		profile.TooLarge:     "the request was too large",
		profile.Format:       "the body around the token is not as agreed (codes body.*)",
		profile.NotJWE:       "the outer token is wrong, which is visible without a key (codes jwe.*)",
		profile.Decryption: "the outer token does not open (codes open.*): wrong certificate, wrong padding, or " +
			"changed content",
		profile.NotJWS:    "what was encrypted is not an acceptable JWS (codes jws.*)",
		profile.Signature: "the signature does not hold under the key that was exchanged (codes sign.*)",
		profile.SealingFailed: "the request was verified and probably processed, and only the answer could not be " +
			"sealed: do not send it again blindly",
		profile.Unavailable: "a key was not available on the other side: try again later",
	}
	if text, ok := where[on]; ok {
		return p.Title + " answers: " + text + "."
	}
	return "An error in the form of " + p.Title + ", with a text that is not about sealing."
}
