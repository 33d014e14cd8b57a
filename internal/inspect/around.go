package inspect

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/pasted"
)

// wrap is the JSON object in which the token was found, or should have been.
type wrap struct {
	member   string   // that holds the token, or empty
	siblings []string // the other members
	inside   bool     // the member is not at the top level
}

var (
	byteOrderMark = []byte("\ufeff")
	prefixForm    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_\- ]{0,60}(?:[:=]\s*(?:[A-Za-z]{1,20}\s+)?|\s+)`)
)

// unwrap removes what surrounds the token and records it. If there is no token, found is
// false and the findings say so.
func (x *examiner) unwrap(data []byte) (text []byte, found bool) {
	if len(data) == 0 {
		return data, true // reported as an empty token
	}
	const layers = 8
	for range layers {
		inner, off := x.peel(data)
		if !off {
			break
		}
		if data = inner; data == nil {
			return nil, false
		}
	}
	return data, true
}

func (x *examiner) around(what string) { x.r.Around = append(x.r.Around, what) }

// peel removes one layer, if there is one. If rest is nil, there is no token.
func (x *examiner) peel(data []byte) (rest []byte, off bool) {
	outside := []func([]byte) ([]byte, bool){x.encoding, x.file, x.printed, x.mark, x.blanks, x.httpHeaders}
	for _, remove := range outside {
		if rest, off := remove(data); off {
			return rest, true
		}
	}
	if len(data) == 0 {
		return data, false
	}
	switch data[0] {
	case '{', '[':
		if x.wrap == nil {
			return x.object(data)
		}
		return data, false
	case '"', '\'', '`':
		return x.unquote(data)
	}
	inside := []func([]byte) ([]byte, bool){
		x.unshown, x.pem, x.chunked, x.escapedEnd, x.formField, x.prefix, x.percent, x.encodedTwice, x.among,
	}
	for _, remove := range inside {
		if rest, off := remove(data); off {
			return rest, true
		}
	}
	return data, false
}

func (x *examiner) encoding(data []byte) (rest []byte, off bool) {
	text, from, _ := pasted.Decode(data)
	if from == pasted.Plain || from == pasted.Marked {
		return data, false
	}
	x.around(string(from))
	x.fault(stepAround, fault.BodyUTF8, "body", "It is in "+string(from)+", as some Windows programs write files.")
	return text, true
}

func (x *examiner) mark(data []byte) (rest []byte, off bool) {
	rest, off = bytes.CutPrefix(data, byteOrderMark)
	if off {
		x.around("byte order mark")
		x.fault(stepAround, fault.BodyBOM, "body", "It begins with the bytes EF BB BF.")
	}
	return rest, off
}

func (x *examiner) blanks(data []byte) (rest []byte, off bool) {
	trimmed := bytes.Trim(data, jsonSpace) // an opener ignores no other blanks
	switch {
	case len(trimmed) == len(data):
		return data, false
	case len(trimmed) == 0 && x.wrap != nil:
		return data, false
	case len(trimmed) == 0:
		x.fault(stepAround, fault.BodyEmpty, "body", "There are only blanks and line breaks.")
		return nil, true
	case x.wrap != nil:
		return x.blanksInMember(data, trimmed)
	}
	x.around("blanks or line breaks")
	x.note(stepAround, "body", "There are blanks or line breaks around it; they were removed and are harmless.")
	return trimmed, true
}

// jsonSpace are the characters that may stand around JSON (RFC 8259, section 2).
const jsonSpace = " \t\r\n"

// escapedEnd removes a line end that is written as a backslash and a letter, behind the token.
func (x *examiner) escapedEnd(data []byte) (rest []byte, off bool) {
	rest = data
	for bytes.HasSuffix(rest, []byte(`\n`)) || bytes.HasSuffix(rest, []byte(`\r`)) {
		rest = rest[:len(rest)-2]
	}
	if len(rest) == len(data) || !likely(rest) {
		return data, false
	}
	x.around("an escaped line end")
	x.fault(stepText, fault.Base64Character.In(fault.JWE), "token",
		`A line end, written as \n, stands behind it: it was removed.`)
	return rest, true
}

func (x *examiner) pem(data []byte) (rest []byte, off bool) {
	if !bytes.HasPrefix(data, []byte("-----BEGIN ")) {
		return data, false
	}
	x.fault(stepText, fault.Parts.In(fault.JWE), "message",
		"This is a PEM file (a certificate or key), not a message.").Remedy = "Look for the message itself."
	return nil, true
}

// prefix removes a word before the token, such as Bearer.
func (x *examiner) prefix(data []byte) (rest []byte, off bool) {
	const longest = 200
	p := prefixForm.Find(data[:min(len(data), longest)])
	if p == nil || !bytes.HasPrefix(data[len(p):], []byte("ey")) {
		return data, false
	}
	x.around("prefix")
	x.fault(stepAround, fault.BodyBearerPrefix, "body", show(strings.TrimSpace(string(p)))+" is before the token.")
	return data[len(p):], true
}

func (x *examiner) percent(data []byte) (rest []byte, off bool) {
	if !escaped(data) {
		return data, false
	}
	plain, err := url.PathUnescape(string(data))
	if err != nil {
		return data, false
	}
	x.around("percent-encoding")
	x.fault(stepAround, fault.BodyPercent, "body", "")
	return []byte(plain), true
}

func (x *examiner) encodedTwice(data []byte) (rest []byte, off bool) {
	inside := encodedOnceMore(data)
	if inside == nil {
		return data, false
	}
	x.around("base64")
	x.fault(stepAround, fault.BodyEncodedTwice, "body", "The base64 was decoded.")
	return inside, true
}

// blanksInMember removes what surrounds the token in its member. An opener does not.
func (x *examiner) blanksInMember(data, trimmed []byte) (rest []byte, off bool) {
	at, where := stepBase64, "behind"
	if data[0] != trimmed[0] {
		at, where = stepHeader, "before"
	}
	x.around("blanks or line breaks in the member")
	x.fault(at, fault.Base64Space.In(fault.JWE), "token",
		"A blank or line break stands "+where+" it, in the member: remove it where the token is read from its file.")
	return trimmed, true
}

// escaped reports whether the first percent sign begins an escape.
func escaped(data []byte) bool {
	i := bytes.IndexByte(data, '%')
	if i < 0 || i+3 > len(data) {
		return false
	}
	_, err := hex.DecodeString(string(data[i+1 : i+3]))
	return err == nil
}

func (x *examiner) unquote(data []byte) (rest []byte, off bool) {
	x.around("quotes")
	x.fault(stepAround, fault.BodyQuoted, "body", "")
	return unquoted(data), true
}

// unquoted reads text that begins with a quotation mark.
func unquoted(text []byte) []byte {
	if text[0] == '"' {
		var s string
		if json.Unmarshal(text, &s) == nil {
			return []byte(s)
		}
	}
	return bytes.TrimSuffix(text[1:], text[:1])
}

func tokenRune(r rune) bool {
	return 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.+/=", r)
}

// likely reports whether text is probably meant as a compact serialization.
func likely(text []byte) bool {
	start := bytes.TrimLeft(text, " \t\r\n\"'")
	return len(start) >= 20 && bytes.Count(start, []byte{'.'}) >= 2 && startsLikeHeader(start)
}

// startsLikeHeader reports whether the first part decodes to text that begins like JSON.
func startsLikeHeader(text []byte) bool {
	first, _, _ := bytes.Cut(text, []byte{'.'})
	head, _ := decode(first[:min(len(first), 80)])
	head = bytes.TrimLeft(bytes.TrimPrefix(head, byteOrderMark), " \t\r\n")
	const certain = 8 // bytes that no words decode to
	return len(head) > 0 && readableStart(head[:min(len(head), certain)]) &&
		(head[0] == '{' || head[0] == '[' || head[0] == '"' || bytes.HasPrefix(head, []byte("null")))
}

// answerNext returns the next step for an error response.
func (x *examiner) answerNext() string {
	a := x.r.Answer
	if a.ID != "" {
		return fmt.Sprintf("Ask the partner what was logged under %s; keep the sealed request that was answered, and "+
			"inspect that.", show(a.ID))
	}
	return "Inspect the sealed request that it answers."
}
