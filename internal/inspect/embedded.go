package inspect

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"html"
	"io"
	"net/http/httputil"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/filekind"
	"github.com/sealane/sealane/internal/pasted"
	"github.com/sealane/sealane/internal/termtext"
	"github.com/sealane/sealane/internal/unpack"
)

// file takes the message out of a file that is recognized by its first bytes, or says what the
// file is.
func (x *examiner) file(data []byte) (rest []byte, off bool) {
	switch kind := filekind.Of(data); {
	case kind == filekind.Gzip, isZlib(data), isDeflate(data):
		return x.compressed(data)
	case bytes.HasPrefix(data, []byte("\x1f\ufffd\x08")):
		x.fault(stepText, fault.ContentEncoding, "body", "The bytes are compressed by gzip (Content-Encoding), and a "+
			"program has read them as text, which destroyed them.").Remedy =
			"Decompress the bytes before they become text, or ask for a body that is not compressed."
		return nil, true
	case kind == filekind.HTML:
		return x.page(data)
	case bytes.HasPrefix(data, []byte{0x30, 0x82}) && !utf8.Valid(data):
		x.fault(stepText, fault.Parts.In(fault.JWE), "message",
			"This is a certificate or a key in DER, not a message.").Remedy = remedyMessage
		return nil, true
	case kind == filekind.XML && bytes.Contains(data, []byte("</")) && embedded(data) == nil &&
		embedded(unpack.Meant(data)) == nil:
		if token := encodedAmong(data); token != nil {
			x.around("XML, then base64")
			x.fault(stepAround, fault.BodyEncodedTwice, "body", "The base64 in the XML was decoded.")
			return token, true
		}
		x.around("an XML document")
		x.fault(stepAround, fault.BodyNotJSON, "body", "It is an XML document without a token, perhaps an error of a "+
			"server or of something before it.").Remedy = remedyMessage
		return nil, true
	case kind == filekind.XML, kind == filekind.Token, kind == filekind.Calendar, kind == filekind.BusinessCard,
		kind == filekind.Unknown:
		return x.mail(data)
	default:
		if rest, off := x.mail(data); off {
			return rest, true
		}
		if utf8.Valid(data) && embedded(data) != nil {
			return data, false // a text with a token in it
		}
		what, _, _ := strings.Cut(kind.String(), ", not")
		x.fault(stepText, fault.Parts.In(fault.JWE), "message", "This is "+what+", not a message.").Remedy =
			remedyMessage
		return nil, true
	}
}

// remedyMessage is what to do with a file that is no message.
const remedyMessage = "Give the body of the request or of the response."

// isZlib reports whether data begins as zlib, which Content-Encoding calls deflate.
func isZlib(data []byte) bool {
	return len(data) > 2 && data[0] == 0x78 && (data[1] == 0x01 || data[1] == 0x5e || data[1] == 0x9c ||
		data[1] == 0xda)
}

// isDeflate reports whether data is compressed by deflate alone, which some servers send in place of
// zlib, and holds a message.
func isDeflate(data []byte) bool {
	if utf8.Valid(data) {
		return false
	}
	head := make([]byte, len("ey"))
	n, _ := io.ReadFull(flate.NewReader(bytes.NewReader(data)), head)
	return n == len(head) && (head[0] == '{' || string(head) == "ey")
}

// encodedAmong returns the longest token that is in base64 among other text, or nil.
func encodedAmong(data []byte) (best []byte) {
	for _, word := range longWord.FindAll(data, maxElements) {
		if token := embedded(encodedOnceMore(word)); len(token) > len(best) {
			best = token
		}
	}
	return best
}

var longWord = regexp.MustCompile(`[A-Za-z0-9+/_-]{100,}={0,2}`)

// chunked puts together a body that was captured in the chunks in which it was sent.
func (x *examiner) chunked(data []byte) (rest []byte, off bool) {
	if !chunkForm.Match(data) {
		return data, false
	}
	rest, err := io.ReadAll(httputil.NewChunkedReader(
		io.MultiReader(bytes.NewReader(data), strings.NewReader("\r\n\r\n"))))
	if err != nil || len(rest) == 0 {
		return data, false
	}
	x.around("chunks")
	x.fault(stepAround, fault.BodyNotJSON, "body", "It is in chunks (Transfer-Encoding). They were put together.")
	return rest, true
}

var chunkForm = regexp.MustCompile(`^[0-9A-Fa-f]{1,8}(?:;[^\r\n]*)?\r?\n`)

// compressed decompresses a body that was captured as it was sent.
func (x *examiner) compressed(data []byte) (rest []byte, off bool) {
	coding := "gzip"
	var r io.Reader
	var err error
	if r, err = gzip.NewReader(bytes.NewReader(data)); err != nil {
		coding = "deflate"
		if r, err = zlib.NewReader(bytes.NewReader(data)); err != nil {
			if !isDeflate(data) {
				return data, false
			}
			r = flate.NewReader(bytes.NewReader(data))
		}
	}
	plain, err := io.ReadAll(io.LimitReader(r, int64(x.o.MaxToken)+1))
	x.around("compression by " + coding)
	if len(plain) > x.o.MaxToken {
		x.fault(stepText, fault.TooLarge.In(fault.JWE), "message", "It is larger when it is decompressed.")
		return nil, true
	}
	text := "The bytes are compressed by " + coding + " (Content-Encoding). They were decompressed."
	if err != nil {
		text = "The bytes are compressed by " + coding + " (Content-Encoding), and they are damaged or cut."
	}
	x.fault(stepAround, fault.ContentEncoding, "body", text)
	if len(plain) == 0 {
		return nil, true
	}
	return plain, true
}

var titleForm = regexp.MustCompile(`(?is)<title[^<>]*>([^<]{1,200})`)

// page explains a page, which a proxy or a firewall sends instead of a response.
func (x *examiner) page(data []byte) (rest []byte, off bool) {
	if token := embedded(unpack.Meant(data)); token != nil {
		x.around("an HTML page")
		x.fault(stepAround, fault.BodyNotJSON, "body", "The token is in an HTML page.")
		return token, true
	}
	text := "It is an HTML page"
	if title := titleForm.FindSubmatch(data); title != nil {
		text += " with the title " + show(clip(strings.TrimSpace(html.UnescapeString(string(title[1])))))
	}
	x.around("an HTML page")
	x.fault(stepAround, fault.BodyNotJSON, "body", text+", probably of a proxy, a firewall or a login.").Remedy =
		"Look at what is between you and the partner: who sends this page?"
	return nil, true
}

// mail takes the token out of a saved mail or an archive.
func (x *examiner) mail(data []byte) (rest []byte, off bool) {
	opened := unpack.Open(data, nil)
	if !opened.Holds() {
		return data, false
	}
	var best []byte
	for _, p := range opened.Parts {
		text, _ := unpack.Text(p.Data)
		if token := embedded(text); len(token) > len(best) {
			best = token
		}
	}
	if best == nil {
		return data, false
	}
	x.around("a mail or an archive")
	x.fault(stepAround, fault.BodyNotJSON, "body", "The token is in a mail or an archive.")
	return best, true
}

// unshown removes the quotation marks of word processors and of Python, and invisible characters
// before the body.
func (x *examiner) unshown(data []byte) (rest []byte, off bool) {
	if len(data) > 2 && data[0] == 'b' && (data[1] == '\'' || data[1] == '"') {
		x.around("quotes of Python")
		x.fault(stepAround, fault.BodyQuoted, "body",
			"b'…' is how Python shows bytes: use decode() before they become text.")
		return bytes.TrimSuffix(data[2:], data[1:2]), true
	}
	first, size := utf8.DecodeRune(data)
	rest = data[size:]
	switch {
	case !pasted.IsTypographic(first):
		return data, false
	case unicode.Is(unicode.Cf, first) && !bytes.HasPrefix(rest, []byte{'{'}):
		return data, false // it is named with the other characters of the token
	case unicode.Is(unicode.Cf, first):
		x.around("an invisible character")
		x.fault(stepAround, fault.BodyNotJSON, "body", pasted.RuneName(first)+" stands before it.")
		return rest, true
	}
	if last, n := utf8.DecodeLastRune(rest); pasted.IsTypographic(last) {
		rest = rest[:len(rest)-n]
	}
	x.around("typographic characters")
	x.fault(stepAround, fault.BodyQuoted, "body", pasted.RuneName(first)+
		" stands before it: a word processor, a chat or a web page has put it there.")
	return rest, true
}

// among takes the token out of other text: a command, a log, an export, a program's print.
func (x *examiner) among(data []byte) (rest []byte, off bool) {
	if x.wrap != nil || startsLikeHeader(data) {
		return data, false
	}
	tokens := embeddedTokens(data)
	if len(tokens) == 0 {
		if token := encodedAmong(data); token != nil {
			x.around("base64 among other text")
			x.fault(stepAround, fault.BodyEncodedTwice, "body", "The base64 among other text was decoded.")
			return token, true
		}
		return data, false
	}
	best := longestOf(tokens)
	text := "The token was found among other text."
	if n := len(tokens); n > 1 {
		text = fmt.Sprintf("%s tokens were found among other text; this is about the longest.", termtext.Count(n))
	}
	if dots := bytes.Count(best, []byte{'.'}); dots != 2 && dots != 4 {
		text += " It is not whole there: a log or a person has cut it, or put something into it."
	}
	x.around("other text")
	x.fault(stepAround, fault.BodyNotJSON, "body", text)
	return best, true
}

// embedded finds the longest token in text, or nothing.
func embedded(data []byte) []byte { return longestOf(embeddedTokens(data)) }

func longestOf(tokens [][]byte) (best []byte) {
	for _, t := range tokens {
		if len(t) > len(best) {
			best = t
		}
	}
	return best
}

// embeddedTokens finds what could be tokens in text: runs of their characters with the dots of a
// JWE or JWS, also if lines are broken within.
func embeddedTokens(data []byte) (found [][]byte) {
	const most = 64
	for at := 0; at < len(data) && len(found) < most; {
		next := bytes.Index(data[at:], []byte("ey"))
		if next < 0 {
			break
		}
		at += next
		if at > 0 && isInnerByte(data[at-1]) && !escapedQuote.Match(data[max(0, at-longestEscape):at]) {
			at++
			continue
		}
		n := bytes.IndexFunc(data[at:], func(r rune) bool { return !tokenRune(r) })
		if n < 0 {
			n = len(data) - at
		}
		if run := bytes.TrimRight(data[at:at+n], ".="); likely(run) {
			found = append(found, run)
		}
		at += max(n, 1)
	}
	whole := func(t []byte) bool { return bytes.Count(t, []byte{'.'}) == 4 }
	if best := longestOf(found); len(data) > maxBroken || best != nil && whole(best) {
		return found
	}
	for _, text := range [][]byte{data, literalEnds.ReplaceAll(data, nil)} {
		for _, t := range pasted.Tokens(pasted.Clean(text), 5) {
			if likely([]byte(t)) {
				return [][]byte{[]byte(t)}
			}
		}
	}
	return found
}

// escapedQuote is a quotation mark as logs, programs and web addresses write it.
var escapedQuote = regexp.MustCompile(`(?:\\x2[27]|\\u002[27]|%2[27])$`)

const longestEscape = 6 // bytes of what escapedQuote matches

// cutToken returns the beginning of a token that ends with the data, or where an ellipsis is, or nil.
func cutToken(data []byte) []byte {
	for at := 0; at < len(data); {
		next := bytes.Index(data[at:], []byte("ey"))
		if next < 0 {
			return nil
		}
		at += next
		n := bytes.IndexFunc(data[at:], func(r rune) bool { return !tokenRune(r) })
		if n < 0 {
			n = len(data) - at
		}
		run, rest := data[at:at+n], data[at+n:]
		ends := len(rest) == 0 || bytes.HasPrefix(rest, []byte("…")) || bytes.HasSuffix(run, []byte("..."))
		if ends && bytes.IndexByte(run, '.') > 0 && startsLikeHeader(run) {
			return run
		}
		at += max(n, 1)
	}
	return nil
}

// literalEnds is what stands between the strings of a program, a line each, that make one text.
var literalEnds = regexp.MustCompile(`["'][ \t]*[+.\\]?[ \t]*\r?\n[ \t]*["']`)

const maxBroken = 1 << 20 // bytes of a text in which broken lines are put together

// isInnerByte reports whether a token goes on behind c.
func isInnerByte(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
}
