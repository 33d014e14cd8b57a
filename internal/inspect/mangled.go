package inspect

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/strictjson"
)

var (
	httpForm  = regexp.MustCompile(`^(?:HTTP/\d(?:\.\d)? \d{3}\b|[A-Z]{3,10} [^ \r\n]+ HTTP/\d(?:\.\d)?\r?\n)`)
	fieldForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.\-]{0,60}=`)
)

// httpHeaders removes the headers of a dump. They may hold credentials, so none of their
// text is reported. If rest is nil, there is no body.
func (x *examiner) httpHeaders(data []byte) (rest []byte, off bool) {
	if !httpForm.Match(data[:min(len(data), 2100)]) {
		return data, false
	}
	x.around("HTTP headers")
	x.add(stepAround, Note, fault.BodyHTTPHeaders, "body", "They were removed.").Remedy = ""
	for rest = data; len(rest) > 0; {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte{'\n'})
		if len(bytes.TrimSuffix(line, []byte{'\r'})) == 0 {
			break
		}
	}
	if len(bytes.TrimSpace(rest)) == 0 {
		x.fault(stepAround, fault.BodyEmpty, "body", "There are HTTP headers and no body.")
		return nil, true
	}
	return rest, true
}

// formField takes the token, or the body around it, from a form field.
func (x *examiner) formField(data []byte) (rest []byte, off bool) {
	if !fieldForm.Match(data[:min(len(data), 64)]) {
		return data, false
	}
	var name, best string
	for field := range bytes.SplitSeq(data, []byte{'&'}) {
		key, raw, _ := bytes.Cut(field, []byte{'='})
		value := string(raw)
		if bytes.IndexByte(raw, '%') >= 0 {
			if plain, err := url.QueryUnescape(value); err == nil {
				value = plain
			}
		}
		if len(value) > len(best) && (likely([]byte(value)) || value[0] == '{') {
			name, best = string(key), value
		}
	}
	if best == "" {
		return data, false
	}
	x.around("form field " + show(clip(name)))
	x.fault(stepAround, fault.BodyFormEncoded, "body", "It is in form field "+show(clip(name))+".")
	return []byte(best), true
}

// encodedOnceMore returns the token or the JSON that text is the base64 of, or nil.
func encodedOnceMore(text []byte) []byte {
	const head = 80
	if len(text) < 28 || bytes.IndexByte(text, '.') >= 0 {
		return nil
	}
	start, _ := decode(text[:min(len(text), head)])
	start = start[firstVisible(start):]
	compressed := bytes.HasPrefix(start, []byte("\x1f\x8b\x08"))
	again := bytes.HasPrefix(start, []byte("ZX")) // the base64 of base64
	if !bytes.HasPrefix(start, []byte("ey")) && !bytes.HasPrefix(start, []byte{'{'}) && !compressed && !again {
		return nil
	}
	if bytes.ContainsFunc(text, func(r rune) bool { return !tokenRune(r) && !strings.ContainsRune(" \t\r\n", r) }) {
		return nil
	}
	data, _ := decode(text)
	if compressed {
		return data
	}
	if data = bytes.TrimSpace(data); likely(data) || data[0] == '{' && json.Valid(data) {
		return data
	}
	if encodedOnceMore(data) != nil {
		return data
	}
	return nil
}

// lostFront returns the characters that are missing before text, if text is a token whose
// header they would make readable, or "".
func lostFront(text []byte) string {
	if startsLikeHeader(text) {
		return ""
	}
	const head = 80
	first, _, _ := bytes.Cut(text[:min(len(text), head)], []byte{'.'})
	if bytes.ContainsFunc(first, func(r rune) bool { return !tokenRune(r) }) {
		return "" // it begins with something else
	}
	for _, lost := range []string{"e", "ey", "eyJ"} {
		start, _ := decode(append([]byte(lost), first...))
		rest, isObject := bytes.CutPrefix(start, []byte{'{'})
		rest = rest[firstVisible(rest):]
		if isObject && bytes.HasPrefix(rest, []byte{'"'}) && bytes.Contains(rest, []byte(`":`)) &&
			readableStart(rest) {
			return lost
		}
	}
	return ""
}

// restoreFront restores what a token lost at its front and reports that.
func (x *examiner) restoreFront(text []byte, layer fault.Layer, at step) []byte {
	lost := lostFront(text)
	if lost == "" {
		return text
	}
	x.fault(at, fault.Cut.In(layer), "token",
		fmt.Sprintf("It is cut at the front: with %q before it the header can be read; it was read like that.", lost))
	return append([]byte(lost), text...)
}

// shortened reports whether someone replaced characters with an ellipsis. Three dots can
// also be two empty parts of a token that has the right number of parts.
func shortened(text []byte, dots int) bool {
	switch {
	case !startsLikeHeader(text):
		return false
	case bytes.Contains(text, []byte("…")):
		return true
	case !bytes.Contains(text, []byte("...")):
		return false
	}
	header, _, _ := bytes.Cut(text[:min(len(text), maxHeader*2)], []byte{'.'})
	data, _ := decode(header)
	return dots != 4 || !json.Valid(data) || bytes.HasSuffix(text, []byte("..."))
}

// innerText removes what was put around the inner token before it was encrypted, if there
// is a token underneath.
func (x *examiner) innerText(content []byte) []byte {
	const at = stepInner + stepText
	text := bytes.TrimSpace(content)
	if len(text) > 1 && strings.IndexByte("\"'`", text[0]) >= 0 {
		if inside := unquoted(text); likely(inside) {
			x.fault(at, fault.InnerQuoted, "content", "")
			return inside
		}
	}
	if inside := encodedOnceMore(text); likely(inside) {
		x.fault(at, fault.InnerEncodedTwice, "content", "The base64 was taken off.")
		return inside
	}
	if bytes.Count(text, []byte{'.'}) == 2 {
		if whole := x.restoreFront(text, fault.JWS, at); len(whole) > len(text) {
			return whole
		}
	}
	return content
}

// headerOf reads only the enc of a header.
func (x *examiner) headerOf(text []byte) *token {
	t := &token{header: header{values: map[string]string{}}}
	data, _ := decode(text[:min(len(text), maxHeader*2)])
	for _, m := range readMembers(bytes.TrimPrefix(data, byteOrderMark)) {
		if s, ok := strictjson.String(m.Value); ok && m.Name == "enc" {
			t.header.values["enc"] = s
		}
	}
	return t
}

// inOrder finds the parts of a JWE by their lengths if they are in the wrong order, and
// reports their order.
func (x *examiner) inOrder(parts [][]byte) [][]byte {
	if len(parts) != 5 {
		return parts
	}
	c, known := x.lengthsOf(x.headerOf(parts[0]))
	if !known || c.IV == c.Tag { // they cannot be told apart by length
		return parts
	}
	const key, iv, ciphertext, tag = 1, 2, 3, 4
	var at [5]int // index of each part
	for i := 1; i < 5; i++ {
		part := ciphertext
		switch n := base64.RawURLEncoding.DecodedLen(len(bytes.TrimRight(parts[i], "="))); {
		case rsaBits(n) > 0:
			part = key
		case n == c.IV:
			part = iv
		case n == c.Tag:
			part = tag
		}
		if at[part] != 0 {
			return parts // two parts of one length: undecidable
		}
		at[part] = i
	}
	if at == [5]int{0, key, iv, ciphertext, tag} {
		return parts
	}
	sorted, names := make([][]byte, 5), make([]string, 5)
	for part, i := range at {
		sorted[part], names[i] = parts[i], partNames[fault.JWE][part]
	}
	x.fault(stepText, fault.PartsOrder, "token",
		"By their lengths they are probably "+strings.Join(names, ", ")+", and were read so.")
	return sorted
}
