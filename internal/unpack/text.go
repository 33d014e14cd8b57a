package unpack

import (
	"bytes"
	"html"
	"io"
	"mime/quotedprintable"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/sealane/sealane/internal/pasted"
)

// Text returns data as text in UTF-8 with LF line ends, and an error if there is half a
// character of UTF-16 at its end. It returns what has a NUL, and so is no text, unchanged.
func Text(data []byte) ([]byte, error) {
	text, _, err := pasted.Decode(data)
	binary := bytes.IndexByte(text, 0) >= 0
	if !binary && bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') >= 0 {
		text = bytes.ReplaceAll(text, []byte{'\r'}, []byte{'\n'})
	}
	return text, err
}

// Meant returns text as a person reads it: without the tags of HTML and XML, the escapes of
// JSON, of shells and of web addresses, quoted-printable, the marks of a quoted mail, and invisible
// characters; with ASCII for typographic hyphens. It returns nil if there is none of these.
func Meant(text []byte) []byte {
	if bytes.IndexByte(text, 0) >= 0 { // it is not text
		return nil
	}
	meant := text
	for _, step := range []func([]byte) []byte{
		unescaped, joinedLiterals, entities, withoutTags, printable, percent, undecorated, unquoted, undashed, uncast,
		typographic, dumped,
	} {
		if next := step(meant); next != nil {
			meant = next
		}
	}
	if len(meant) == len(text) && bytes.Equal(meant, text) {
		return nil
	}
	return meant
}

var anyTag = regexp.MustCompile(`<[/!]?[A-Za-z-]`)

// inline are the elements of a page that are part of a line.
var inline = map[string]bool{
	"span": true, "font": true, "b": true, "i": true, "u": true, "em": true, "strong": true, "a": true, "o:p": true,
	"code": true, "tt": true, "wbr": true, "small": true, "big": true, "sup": true, "sub": true, "ins": true,
	"mark": true,
}

// hidden are the elements and comments that a browser does not show, with their ends.
var hidden = map[string]string{"!--": "-->", "style": "</style", "script": "</script"}

// withoutTags returns the text that a browser shows of a page, with a line for each element
// that is not part of a line.
func withoutTags(text []byte) []byte {
	if !anyTag.Match(text) {
		return nil
	}
	out := make([]byte, 0, len(text))
	endless := map[string]bool{} // elements without an end in the rest
	for len(text) > 0 {
		at := bytes.IndexByte(text, '<')
		if at < 0 {
			break
		}
		out, text = append(out, text[:at]...), text[at:]
		name := "!--"
		if !bytes.HasPrefix(text, []byte("<!--")) {
			name = tagName(text[1:min(len(text), 32)])
		}
		if end := hidden[name]; end != "" && !endless[end] && text[1] != '/' {
			n := bytes.Index(text, []byte(end))
			if endless[end] = n < 0; n >= 0 {
				text = text[n+len(end):]
				if name != "!--" {
					text = text[min(len(text), bytes.IndexByte(text, '>')+1):]
				}
				continue
			}
		}
		n := bytes.IndexAny(text[1:min(len(text), maxTag)], "<>") + 1
		if n == 0 || text[n] == '<' {
			out, text = append(out, '<'), text[1:]
			continue
		}
		if !inline[name] {
			out = append(out, '\n')
		}
		text = text[n+1:]
	}
	return []byte(html.UnescapeString(string(append(out, text...))))
}

const maxTag = 4096 // bytes of a tag

// tagName returns the name, in lower case, that a tag begins with after its "<". A page has
// a million tags; a regular expression takes memory for each.
func tagName(tag []byte) string {
	tag = bytes.TrimPrefix(tag, []byte("/"))
	n := 0
	for n < len(tag) && (isLetter(tag[n]) || n > 0 && (tag[n] == ':' || '0' <= tag[n] && tag[n] <= '9')) {
		n++
	}
	return strings.ToLower(string(tag[:n]))
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// unescaped decodes the escapes of a string in JSON, in a program or in an environment
// file.
func unescaped(text []byte) []byte {
	if !bytes.Contains(text, []byte(`\`)) {
		return nil
	}
	out := make([]byte, 0, len(text))
	for at := 0; at < len(text); at++ {
		c := text[at]
		if c != '\\' || at+1 == len(text) {
			out = append(out, c)
			continue
		}
		for at+1 < len(text) && text[at+1] == '\\' { // escaped again
			at++
		}
		if at+1 == len(text) {
			break
		}
		at++
		switch c := text[at]; c {
		case 'n':
			out = append(out, '\n')
		case 'r':
		case 't':
			out = append(out, '\t')
		case 'u':
			if at+4 < len(text) {
				if n, err := strconv.ParseUint(string(text[at+1:at+5]), 16, 16); err == nil {
					out = append(out, string(rune(n))...)
					at += 4
				}
			}
		case '/', '"', '\'', '\n':
			out = append(out, c)
		default:
			out = append(out, '\\', c)
		}
	}
	return out
}

// joinedLiterals joins the strings of a program or of a list that make one text. The elements of a
// list are joined if they are lines of PEM, so that two certificates are not.
func joinedLiterals(text []byte) []byte {
	hasBegin := bytes.Contains(text, []byte("BEGIN "))
	var out []byte
	from := 0
	for at := 0; at < len(text); at++ {
		next := bytes.IndexAny(text[at:], `"'`)
		if next < 0 {
			break
		}
		at += next
		n, list := literalEnd(text[at:])
		if n == 0 {
			continue
		}
		pem := isLineOfPEM(text[from:at]) || bytes.HasPrefix(text[at+n:], []byte("-----"))
		if pem || hasBegin && !list {
			out, from = append(out, text[from:at]...), at+n
		}
		at += n - 1
	}
	if from == 0 {
		return nil
	}
	return append(out, text[from:]...)
}

func isBase64(c byte) bool { return isLetter(c) || c >= '0' && c <= '9' || c == '+' || c == '/' }

// literalEnd returns the length of what is between two strings in a program or in a list, with the
// quotation marks, or 0 if text does not begin with that. list reports whether there is a comma.
func literalEnd(text []byte) (n int, list bool) {
	const longest = 200
	lines := 0
	for n = 1; n < min(len(text), longest); n++ {
		switch c := text[n]; c {
		case ' ', '\t', '\r', '+', '.', '\\', '&', '_':
		case ',':
			list = true
		case '\n':
			lines++
		case '"', '\'':
			if lines > 1 || lines == 0 && !list {
				return 0, false
			}
			return n + 1, list
		default:
			word := bytes.HasPrefix(text[n:], []byte("vbCrLf")) || bytes.HasPrefix(text[n:], []byte("vbNewLine"))
			if !word {
				return 0, false
			}
			for n+1 < len(text) && isLetter(text[n+1]) {
				n++
			}
		}
	}
	return 0, false
}

// isLineOfPEM reports whether text ends with a line of PEM, in lines of 64 or 76 characters: with
// its hyphens, or with base64 behind a quotation mark.
func isLineOfPEM(text []byte) bool {
	if bytes.HasSuffix(text, []byte("-----")) {
		return true
	}
	n := len(text)
	for n > 0 && isBase64(text[n-1]) {
		n--
	}
	length := len(text) - n
	return length == 64 || length == 76
}

// undashed removes the escapes of a message that PGP signed (RFC 9580, section 7.2).
func undashed(text []byte) []byte {
	if !bytes.Contains(text, []byte("\n- -")) {
		return nil
	}
	return bytes.ReplaceAll(text, []byte("\n- -"), []byte("\n-"))
}

// entities decodes a part of a page or of XML that was escaped as text.
func entities(text []byte) []byte {
	if !bytes.Contains(text, []byte("&lt;")) {
		return nil
	}
	return []byte(html.UnescapeString(string(text)))
}

var dumpLine = regexp.MustCompile(`^[ \t]*(?:0x)?[0-9A-Fa-f]{4,8}:?[ \t]+` +
	`((?:[0-9A-Fa-f]{2}[ -]{0,2}){2,16})(?:[ \t|].*)?$`)

// dumped returns the octets of a hex dump, as xxd and others print it, in hexadecimal.
func dumped(text []byte) []byte {
	const least = 16 // lines
	var out []byte
	lines := 0
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSuffix(line, []byte{'\n'}); !beginsDump(line) {
			continue
		}
		if m := dumpLine.FindSubmatch(line); m != nil {
			out = append(append(out, m[1]...), '\n')
			lines++
		}
	}
	if lines < least {
		return nil
	}
	return out
}

// beginsDump reports whether a line begins with a number and a blank, as each line of a dump does. A
// regular expression takes much longer for all other lines.
func beginsDump(line []byte) bool {
	line = bytes.TrimLeft(line, " \t")
	line = bytes.TrimPrefix(line, []byte("0x"))
	n := 0
	for n < len(line) && isHex(line[n]) {
		n++
	}
	line = bytes.TrimPrefix(line[n:], []byte{':'})
	return n >= 4 && n <= 8 && len(line) > 0 && (line[0] == ' ' || line[0] == '\t')
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

// printable decodes quoted-printable, which is recognized by an encoded equals sign.
func printable(text []byte) []byte {
	if !bytes.Contains(text, []byte("=3D")) && !bytes.Contains(text, []byte("=3d")) {
		return nil
	}
	out, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(text)))
	if err != nil && len(out) < len(text)/2 {
		return nil
	}
	return out
}

var percentForm = regexp.MustCompile(`%(?:0[AaDd]|2[0BbFfDd]|3[DdAa])`)

// percent decodes a part of a web address or of a form.
func percent(text []byte) []byte {
	if !percentForm.Match(text) {
		return nil
	}
	s := string(text)
	if strings.Contains(s, "%2B") || strings.Contains(s, "%2b") || strings.Contains(s, "BEGIN+") {
		s = strings.ReplaceAll(s, "+", " ") // in a form
	}
	var out strings.Builder
	for {
		before, rest, more := strings.Cut(s, "%")
		out.WriteString(before)
		if !more {
			return []byte(out.String())
		}
		plain, err := "", error(strconv.ErrSyntax)
		if len(rest) >= 2 {
			plain, err = url.PathUnescape("%" + rest[:2])
		}
		if err != nil {
			out.WriteByte('%')
			s = rest
			continue
		}
		out.WriteString(plain)
		s = rest[2:]
	}
}

// unquoted removes the marks of a quoted mail.
func unquoted(text []byte) []byte {
	if !bytes.HasPrefix(text, []byte(">")) && !bytes.Contains(text, []byte("\n>")) &&
		!bytes.Contains(text, []byte("\n|")) {
		return nil
	}
	var out strings.Builder
	for line := range strings.Lines(string(text)) {
		out.WriteString(pasted.Unquoted(line))
	}
	return []byte(out.String())
}

// uncast removes the casts from a list of octets in a program in Java.
func uncast(text []byte) []byte {
	if !bytes.Contains(text, []byte("(byte)")) {
		return nil
	}
	return bytes.ReplaceAll(text, []byte("(byte)"), nil)
}

// typographic removes invisible characters, and replaces those that word processors use for hyphens
// with ASCII.
func typographic(text []byte) []byte {
	if bytes.IndexFunc(text, pasted.IsTypographic) < 0 {
		return nil
	}
	return []byte(pasted.Clean(text))
}
