package inspect

import (
	"bytes"
	"encoding/hex"
	"regexp"
	"strconv"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/unpack"
)

// placeholders are what programs print in place of a value that they were not asked to show.
var placeholders = []struct {
	form *regexp.Regexp
	text string
}{
	{regexp.MustCompile(`^\[[BC]@[0-9a-f]{1,8}$`),
		"This is how Java prints an array: the bytes are not in it. Use new String(bytes, StandardCharsets.UTF_8)."},
	{regexp.MustCompile(`^[\w.$]+@[0-9a-f]{4,8}$`),
		"This is how Java prints an object without a toString: the token is not in it."},
	{regexp.MustCompile(`^\[object \w+\]$`),
		"This is how JavaScript prints an object: the token is not in it. Await the promise, or take the member."},
	{regexp.MustCompile(`^<(?:coroutine object|[\w.]+ object at|function|bound method|_io\.)[^<>]*>$`),
		"This is how Python prints an object: the token is not in it. Await it, call it, or take the member."},
	{regexp.MustCompile(`^System\.(?:Byte\[\]|Threading\.Tasks\.Task\b.*)$`),
		"This is how .NET prints an object: the token is not in it. Await it, or use Encoding.UTF8.GetString."},
	{regexp.MustCompile(`^(?:Promise \{.*\}|\[(?:Async)?Function\b.*\]|(?:async )?function\b.*|\(\w*\) ?=>.*)$`),
		"This is how JavaScript prints a promise or a function: the token is not in it. Await it, or call it."},
	{regexp.MustCompile(`^<Buffer(?: [0-9a-f]{2})+ \.\.\. \d+ more bytes>$`),
		"This is how Node prints a Buffer: most of its bytes are left out. Use toString()."},
	{regexp.MustCompile(`^(?:\$\{[^{}]*\}|\{\{[^{}]*\}\}|\$\w+|%[sdv@]|<[\w .-]{1,60}>)$`),
		"This is the placeholder of a template: nothing was put in its place."},
	{regexp.MustCompile(`^(?i:[\[<(]?(?:redacted|masked|filtered|hidden|removed)[\])>]?|.{0,12}\*{3,}.{0,12}|x{6,})$`),
		"A program has masked it, as many do in logs: the token is not in it."},
	{regexp.MustCompile(`^(?:undefined|None|null|nil|NaN|true|false)$`),
		"This is the name of a value that is missing: the token was not there when the message was made."},
}

var (
	decimalForm = regexp.MustCompile(
		`^(?:[A-Za-z]\w{0,30}(?:\(\d{1,9}\))?\s*)?[\[{(]?\s*(?:\d{1,3}[\s,]+){20,}\d{1,3}\s*[\])}]?$`)
	listName    = regexp.MustCompile(`^[A-Za-z]\w{0,30}(?:\(\d{1,9}\))?\s*`)
	decimals    = regexp.MustCompile(`\d{1,3}`)
	hexForm     = regexp.MustCompile(`^(?:(?:0x)?[0-9A-Fa-f]{2}[\s:,-]*){40,}$`)
	notHexDigit = regexp.MustCompile(`[\s:,-]|0x`)
)

// printed reads a message that a program has printed as numbers, and explains what it prints in
// place of one.
func (x *examiner) printed(data []byte) (rest []byte, off bool) {
	const longest = 200
	text := bytes.TrimSpace(data)
	if len(text) <= longest {
		for _, p := range placeholders {
			if p.form.Match(text) {
				x.fault(stepText, fault.Parts.In(fault.JWE), "token", p.text).Remedy =
					"Look where the program makes text of the token."
				return nil, true
			}
		}
	}
	octets := fromNumbers(text)
	if octets == nil || !bytes.HasPrefix(octets, []byte("ey")) && octets[0] != '{' && !httpForm.Match(octets) {
		return data, false
	}
	x.around("bytes printed as numbers")
	x.fault(stepAround, fault.BodyEncodedTwice, "body",
		"The bytes are printed as numbers. They were put together again.")
	return octets, true
}

// fromNumbers returns the octets of a list of numbers, of hexadecimal digits, or of a hex dump. It
// returns nil for other text.
func fromNumbers(text []byte) []byte {
	const most = 8 << 20 // bytes of text
	if len(text) > most || len(text) == 0 {
		return nil
	}
	if c := text[0]; (isInnerByte(c) || c == '[' || c == '{' || c == '(') && decimalForm.Match(text) {
		var out []byte
		text = text[len(listName.Find(text)):]
		for _, n := range decimals.FindAll(text, -1) {
			value, err := strconv.ParseUint(string(n), 10, 8)
			if err != nil {
				return nil
			}
			out = append(out, byte(value))
		}
		return out
	}
	if !hexForm.Match(text) {
		if text = unpack.Meant(text); text == nil || !hexForm.Match(text) {
			return nil
		}
	}
	out, err := hex.DecodeString(string(notHexDigit.ReplaceAll(text, nil)))
	if err != nil || len(out) == 0 {
		return nil
	}
	return out
}
