package inspect

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/pasted"
	"github.com/sealane/sealane/internal/termtext"
)

// token is a compact serialization as received, and its decoded parts.
type token struct {
	layer   fault.Layer
	text    [][]byte
	data    [][]byte
	damaged bool // part of a value is lost: nothing computed over it can match
	header  header
	view    *Token
}

var partNames = map[fault.Layer][]string{
	fault.JWE: {"header", "encrypted key", "initialization vector", "ciphertext", "authentication tag"},
	fault.JWS: {"header", "payload", "signature"},
}

// whole reports whether all parts are there.
func (t *token) whole() bool { return len(t.data) == len(partNames[t.layer]) }

// token examines what can be seen without a key.
func (x *examiner) token(text []byte) {
	if len(text) == 0 {
		x.fault(stepText, fault.Empty.In(fault.JWE), "token", "")
		return
	}
	dots := bytes.Count(text, []byte{'.'})
	if plain := []byte(pasted.Clean(text)); dots < 2 && likely(plain) { // dots that are none
		odd := bytes.IndexFunc(text, pasted.IsTypographic)
		r, _ := utf8.DecodeRune(text[max(odd, 0):])
		x.fault(stepText, fault.Base64Character.In(fault.JWE), "token",
			pasted.RuneName(r)+" stands in place of a dot.")
		text, dots = plain, bytes.Count(plain, []byte{'.'})
	}
	if dots > 0 {
		text = x.restoreFront(text, fault.JWE, stepText)
	}
	cut := shortened(text, dots)
	if cut {
		x.fault(stepText, fault.Cut.In(fault.JWE), "token",
			"There is an ellipsis in it: something was left out when it was copied.")
	}
	switch {
	case cut && dots != 4:
		x.r.Kind = KindJWE
	case dots == 4:
		x.r.Kind = KindJWE
		x.readOuter(bytes.Split(text, []byte{'.'}))
	case dots == 2 && x.headerOf(bytes.SplitN(text, []byte{'.'}, 2)[0]).header.values["enc"] != "":
		x.r.Kind = KindJWE
		x.fault(stepText, fault.Parts.In(fault.JWE), "token",
			"3 parts, not five. Its header is that of a JWE: the last parts are missing, the token was cut.")
		x.readOuter(bytes.Split(text, []byte{'.'}))
	case dots == 2:
		x.r.Kind = KindJWS
		x.shape = shapeJWS
		if len(x.o.Profiles) > 0 {
			f := x.fault(stepText, fault.Swapped.In(fault.JWE), "token",
				"It has three parts: a JWS without a JWE around it, signed but not encrypted.")
			if alg := foreignAlg(text); alg != "" {
				f.Remedy = "It has the alg " + show(alg) + ", with which no message is signed: it is probably " +
					"another token, such as that of a login. Inspect the message itself."
			}
		} else {
			x.note(stepText, "token", "A JWS alone: signed, but not encrypted.")
		}
		if bytes.Contains(text, []byte("..")) {
			x.note(stepText, "token", "Its payload is missing: a detached JWS (RFC 7515, appendix F).")
		}
		x.readInner(bytes.Split(text, []byte{'.'}))
	default:
		hint := fmt.Sprintf("%s parts, not five.", termtext.Count(dots+1))
		switch {
		case doubled(text):
			hint += " The same token occurs twice in a row."
		case !startsLikeHeader(text):
			hint += " It does not begin like a token; perhaps it is something else."
		case dots == 5 && bytes.HasSuffix(text, []byte{'.'}):
			hint += " There is a dot at its end."
		case bytes.Contains(text, []byte("..")):
			hint += " There are two dots in a row: a program may have left out what was between them."
		case dots == 3:
			hint += " A part is missing, perhaps the last one: the token was cut."
		}
		f := x.fault(stepText, fault.Parts.In(fault.JWE), "token", hint)
		if !startsLikeHeader(text) {
			f.Remedy = "Inspect a message: a token, which begins with eyJ, or the body that has one."
		}
		if dots > 0 && startsLikeHeader(text) {
			x.r.Kind = KindJWE
			parts := bytes.SplitN(text, []byte{'.'}, 6)
			x.readOuter(parts[:min(len(parts), 5)])
		}
	}
}

// doubled reports whether text is one token twice, with or without something in between.
func doubled(text []byte) bool {
	half := len(text) / 2
	return likely(text[:half]) && bytes.Equal(text[:half], text[len(text)-half:])
}

func (x *examiner) readOuter(parts [][]byte) {
	x.outer = x.read(x.inOrder(parts), fault.JWE, 0)
	x.r.Outer = x.outer.view
	x.outerLengths()
}

func (x *examiner) readInner(parts [][]byte) {
	x.inner = x.read(parts, fault.JWS, stepInner)
	x.r.Inner = x.inner.view
	t := x.inner
	if !t.whole() {
		return
	}
	n := len(t.data[2])
	t.view.RSABits = rsaBits(n)
	if rsaBits(n) == 0 {
		t.flag(2,
			x.fault(stepInner+stepLength, fault.SignatureLength, "signature",
				fmt.Sprintf("It has %s bytes.", termtext.Count(n))))
	}
	x.payload(t.data[1], false)
}

// read decodes the parts and reports what is wrong with their texts.
func (x *examiner) read(parts [][]byte, layer fault.Layer, offset step) *token {
	t := &token{layer: layer, text: parts, view: &Token{Kind: strings.ToUpper(string(layer))}}
	found := map[fault.TokenFault]*flawed{}
	var order []fault.TokenFault
	for i, p := range parts {
		name := partNames[layer][i]
		data, flaws := decode(p)
		t.data = append(t.data, data)
		part := Part{Name: name, Characters: len(p), Bytes: len(data), Level: OK}
		for _, l := range flaws {
			part.Level = Bad
			part.Text += string(l.fault.In(layer)) + ": " + l.text + ". "
			t.damaged = t.damaged || l.lost
			if found[l.fault] == nil {
				found[l.fault] = &flawed{first: i, text: l.text}
				order = append(order, l.fault)
			}
			found[l.fault].parts = append(found[l.fault].parts, name)
		}
		part.Text = strings.TrimSpace(part.Text)
		t.view.Parts = append(t.view.Parts, part)
	}
	for _, f := range order {
		at := stepBase64
		if found[f].first == 0 {
			at = stepHeader
		}
		x.fault(offset+at, f.In(layer), strings.Join(found[f].parts, ", "), "First "+found[f].text+".")
	}
	x.readHeader(t, offset)
	return t
}

type flawed struct {
	first int
	text  string
	parts []string
}

// flag marks a part with a fault.
func (t *token) flag(part int, f *finding) {
	p := &t.view.Parts[part]
	p.Level = Bad
	p.Text = strings.TrimSpace(p.Text + " " + string(f.Code))
}

// outerLengths compares the lengths with those of the content encryption, unless that is
// unknown.
func (x *examiner) outerLengths() {
	t := x.outer
	if len(t.data) > 1 {
		n := len(t.data[1])
		t.view.RSABits = rsaBits(n)
		switch {
		case rsaBits(n) > 0:
			t.view.Parts[1].Text = strings.TrimSpace(fmt.Sprintf("RSA-%d. %s", rsaBits(n), t.view.Parts[1].Text))
		default:
			t.flag(1,
				x.fault(stepLength, fault.EncryptedKeyLength, "encrypted key",
					fmt.Sprintf("It has %s bytes, not %s.", termtext.Count(n), alg.ModulusLens())))
		}
	}
	c, known := x.lengthsOf(t)
	if !known {
		return
	}
	if len(t.data) > 2 && len(t.data[2]) != c.IV {
		t.flag(2,
			x.fault(stepLength, fault.IVLength, "initialization vector",
				fmt.Sprintf("It has %s bytes, not %d.", termtext.Count(len(t.data[2])), c.IV)))
	}
	if len(t.data) > 4 && len(t.data[4]) != c.Tag {
		t.flag(4, x.fault(stepLength, fault.TagLength, "authentication tag", t.tagText(c)))
	}
	if len(t.data) > 3 && !c.IsCiphertextLen(len(t.data[3])) && t.view.Parts[3].Level == OK {
		t.flag(3,
			x.fault(stepBlocks, fault.CiphertextLength, "ciphertext",
				fmt.Sprintf("It has %s bytes, not whole blocks of %d.", termtext.Count(len(t.data[3])), c.Block)))
	}
}

// tagText explains a tag of a wrong length.
func (t *token) tagText(c *alg.Content) string {
	n := len(t.data[4])
	text := fmt.Sprintf("It has %s bytes, not %d.", termtext.Count(n), c.Tag)
	switch {
	case n == 0 && len(t.data[3]) >= c.Tag:
		text += " It may be at the end of the ciphertext, where Java's Cipher.doFinal and others put it; or the " +
			"token was cut there."
	case n < c.Tag && t.torn(4):
		text += " The token was cut at its end."
	case n < c.Tag:
		text += " The token was cut at its end, or the sender shortens the tag."
	}
	return text
}

// torn reports whether the length of a part is one that base64url of whole bytes cannot
// have.
func (t *token) torn(part int) bool {
	_, flaws := decode(t.text[part])
	return slices.ContainsFunc(flaws, func(l flaw) bool {
		return l.fault == fault.Base64Length || l.fault == fault.Base64SpareBits
	})
}

// rsaBits returns the RSA size that a number of n bytes belongs to, or 0.
func rsaBits(n int) int {
	if alg.ModulusLen(n) {
		return n * 8
	}
	return 0
}

// shape is what the decrypted content looks like.
type shape int

const (
	shapeUnknown shape = iota // not opened
	shapeEmpty
	shapeJSON
	shapeJWS
	shapeJWE
	shapeOther
)

// content examines the decrypted content. Its faults count if the profile signs.
func (x *examiner) content(content []byte) {
	before := len(x.findings)
	x.readContent(content)
	for i := before; i < len(x.findings); i++ {
		x.findings[i].signedOnly = x.shape != shapeJWS && x.shape != shapeJWE
	}
}

func (x *examiner) readContent(content []byte) {
	x.r.Opening.Bytes = len(content)
	if len(content) == 0 {
		x.shape = shapeEmpty
		x.fault(stepInner+stepText, fault.Empty.In(fault.JWS), "content", "")
		return
	}
	content = x.innerText(content)
	visible := content[firstVisible(content):]
	if len(visible) > 0 && visible[0] == '{' {
		if parts := serialization(readMembers(content)); parts != nil {
			x.shape = shapeJWS
			x.fault(stepInner+stepText, fault.JSONSerialization.In(fault.JWS), "content",
				"The parts were taken out of the JSON members.")
			if len(parts) == 3 {
				x.readInner(parts)
			}
			return
		}
	}
	dots := bytes.Count(content, []byte{'.'})
	switch {
	case len(visible) > 0 && (visible[0] == '{' || visible[0] == '['):
		x.shape = shapeJSON
		text := "It is JSON: the payload itself."
		if x.outer.header.values["cty"] != "" {
			text += " The outer header's cty says otherwise."
		}
		x.fault(stepInner+stepText, fault.InnerNotSigned, "content", text)
		x.payload(content, false)
	case dots == 2 && startsLikeHeader(content) && mostlyBase64(content):
		x.shape = shapeJWS
		x.readInner(bytes.Split(content, []byte{'.'}))
	case dots == 4 && startsLikeHeader(content):
		x.shape = shapeJWE
		x.fault(stepInner+stepText, fault.Swapped.In(fault.JWS), "content", "It has five parts: a JWE in a JWE.")
	case dots > 0 && startsLikeHeader(content) && mostlyBase64(content):
		x.shape = shapeJWS
		x.fault(stepInner+stepText, fault.Parts.In(fault.JWS), "content",
			fmt.Sprintf("%s parts, not three.", termtext.Count(dots+1)))
		parts := bytes.SplitN(content, []byte{'.'}, 4)
		x.readInner(parts[:min(len(parts), 3)])
	default:
		x.shape = shapeOther
		text := "It is neither JSON nor a token."
		if encodedOnceMore(content) != nil {
			text = "It is JSON in base64: the payload itself."
		}
		x.fault(stepInner+stepText, fault.InnerNotSigned, "content", text)
		x.payload(content, false)
	}
}

// mostlyBase64 reports whether content may be a token in spite of faults that a token can
// have.
func mostlyBase64(content []byte) bool {
	foreign := 0
	for _, c := range content {
		if c >= 0x80 || !tokenRune(rune(c)) && c != ' ' && c != '\r' && c != '\n' {
			foreign++
		}
	}
	return foreign <= 4+len(content)/20
}
