package inspect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/strictjson"
	"github.com/sealane/sealane/internal/termtext"
)

const maxHeader = 4 << 10

// header is the readable part of a header. values has alg, enc, kid, typ and cty if they
// are present and strings.
type header struct {
	read   bool // at least one member
	values map[string]string
}

func (h header) value(name string) *string {
	if v, ok := h.values[name]; ok {
		return &v
	}
	return nil
}

var refusedMembers = map[string]struct {
	fault fault.TokenFault
	about string
}{
	"zip":  {fault.HeaderZip, "compression"},
	"crit": {fault.HeaderCrit, "extensions that must be understood"},
	"b64":  {fault.HeaderB64, "an unencoded payload"},
	"jwk":  {fault.HeaderJWK, "a key of its own"},
	"jku":  {fault.HeaderJKU, "a URL for keys; nothing was fetched"},
	"x5u":  {fault.HeaderX5U, "a URL for a certificate; nothing was fetched"},
	"x5c":  {fault.HeaderX5C, "a certificate of its own"},
}

// readHeader reports what is wrong with a header for every profile.
func (x *examiner) readHeader(t *token, offset step) {
	t.header.values = map[string]string{}
	data := t.data[0]
	say := func(f fault.TokenFault, text string) {
		x.fault(offset+stepHeader, f.In(t.layer), "header", text)
		t.view.Parts[0].Level = Bad
	}
	if len(data) > maxHeader {
		say(fault.HeaderTooLarge, fmt.Sprintf("It has %s bytes.", termtext.Count(len(data))))
	}
	const most = 1 << 20
	data = data[:min(len(data), most)]
	members, err := strictjson.Object(data)
	complete := err == nil
	if err != nil {
		switch {
		case errors.Is(err, strictjson.ErrUTF8):
			say(fault.HeaderUTF8, "")
			data = bytes.ToValidUTF8(data, []byte("?"))
			complete = json.Valid(data)
		case errors.Is(err, strictjson.ErrNotObject):
			say(fault.HeaderNotObject, "")
		case errors.Is(err, strictjson.ErrDuplicate):
			say(fault.HeaderDuplicate,
				"Some readers take the first and some the last: one may be checked and the other used.")
			complete = true
		case errors.Is(err, strictjson.ErrDepth):
			say(fault.HeaderDepth, "")
			complete = true
		default:
			say(fault.HeaderNotJSON, notJSON(data))
		}
		members = readMembers(bytes.TrimPrefix(data, byteOrderMark))
	}
	for _, m := range members {
		x.readMember(t, m, say)
	}
	t.header.read = len(members) > 0
	if !complete {
		return
	}
	if t.header.value("alg") == nil && !t.hasMember("alg") {
		say(fault.AlgMissing, misspelt(members, "alg"))
	}
	if kid := t.header.value("kid"); kid != nil && cert.CheckKeyIDText(*kid) != nil {
		say(fault.KidForm, fmt.Sprintf("It has %s bytes.", termtext.Count(len(*kid))))
	}
	if t.layer == fault.JWE && t.header.value("enc") == nil && !t.hasMember("enc") {
		x.fault(offset+stepHeader, fault.EncMissing, "header", misspelt(members, "enc"))
	}
}

func (t *token) hasMember(name string) bool {
	for _, m := range t.view.Members {
		if m.Name == name {
			return true
		}
	}
	return false
}

func notJSON(data []byte) string {
	switch {
	case bytes.HasPrefix(data, byteOrderMark):
		return "There is a byte order mark before it."
	case bytes.HasPrefix(data, []byte("{'")):
		return "Its strings are in single quotes."
	}
	d := json.NewDecoder(bytes.NewReader(data))
	var first json.RawMessage
	if d.Decode(&first) == nil {
		return "There is something after the JSON value."
	}
	return ""
}

// misspelt reports a member with a similar name.
func misspelt(members []strictjson.Member, name string) string {
	for _, m := range members {
		if strings.EqualFold(m.Name, name) {
			return fmt.Sprintf("There is a member %s, but names are case-sensitive.", show(m.Name))
		}
	}
	return ""
}

// readMember adds one member to the report.
func (x *examiner) readMember(t *token, m strictjson.Member, say func(fault.TokenFault, string)) {
	const most = 200 // members of a header that are reported
	if len(t.view.Members) >= most {
		return
	}
	line := Member{Name: clip(m.Name), Level: OK}
	defer func() { t.view.Members = append(t.view.Members, line) }()
	if refused, ok := refusedMembers[m.Name]; ok {
		line.Level, line.Text = Bad, string(refused.fault.In(t.layer))
		line.Value = opaque(m.Value)
		if s, ok := strictjson.String(m.Value); ok && m.Name != "jwk" && m.Name != "x5c" {
			line.Value = show(s)
		}
		say(refused.fault, "The member "+m.Name+" brings "+refused.about+".")
		return
	}
	known := m.Name == "alg" || m.Name == "kid" || m.Name == "typ" || m.Name == "cty" ||
		m.Name == "enc" && t.layer == fault.JWE
	if !known {
		line.Level, line.Value, line.Text = Note, opaque(m.Value), "unknown, ignored"
		return
	}
	s, ok := strictjson.String(m.Value)
	if !ok {
		line.Level, line.Value, line.Text = Bad, opaque(m.Value), "not a string"
		say(fault.HeaderType, "The member "+m.Name+" is not a string.")
		return
	}
	t.header.values[m.Name] = s
	line.Value = show(s)
	line.Level, line.Text = x.remark(t, m.Name, s)
}

// remark comments on a value where the comment is true for every profile.
func (x *examiner) remark(t *token, name, value string) (cert.Level, string) {
	if name != "kid" {
		return x.remarkAlgorithm(t, name, value)
	}
	if cert.CheckKeyIDText(value) != nil {
		return Bad, "not 1 to 128 printable ASCII characters"
	}
	if id, err := cert.ParseKeyID(value); err == nil {
		return OK, sixParts(id)
	}
	return OK, ""
}

func sixParts(id cert.KeyID) string {
	return fmt.Sprintf("entity %s, use case %s, component %s, owner %s, %d bits with %s, environment %s",
		id.Entity, id.UseCase, id.Component, id.Owner, id.Bits, id.Hash, id.Environment)
}

// opaque describes a value without revealing it.
func opaque(value []byte) string {
	kind := "number"
	switch value[0] {
	case '"':
		kind = "string"
	case '{':
		kind = "object"
	case '[':
		kind = "array"
	case 't', 'f':
		return string(value)
	case 'n':
		return "null"
	}
	return fmt.Sprintf("(%s, %s bytes)", kind, termtext.Count(len(value)))
}

func clip(name string) string {
	const most = 64
	if len(name) > most {
		return strings.ToValidUTF8(name[:most], "") + "…"
	}
	return name
}
