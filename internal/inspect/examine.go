package inspect

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/termtext"
)

// defaultMaxToken is the size of a signed and encrypted payload of 64 MiB, plus space for
// headers, line breaks and the JSON around it.
const defaultMaxToken = 64<<20/9*17 + 64<<10

// step orders findings as the strict reader would meet them.
type step int

const (
	stepAround  step = iota
	stepText         // size, serialization, parts
	stepHeader       // its base64 and JSON, then its members
	stepAlg          //
	stepEnc          //
	stepLength       // of key, initialization vector, tag, signature
	stepBase64       // of the other parts
	stepBlocks       // length of the ciphertext
	stepMember       // what the profile requires of kid, typ, cty
	stepKey          // encrypted key; signature
	stepContent      // content encryption
	stepInner        // added to the steps of the inner token
)

// finding is a Finding of which it is not yet known whether it counts.
type finding struct {
	cert.Finding
	step       step
	signedOnly bool // counts only where the profile signs
}

type examiner struct {
	o        Options
	r        *Report
	wrap     *wrap
	outer    *token
	inner    *token
	shape    shape // of the decrypted content
	findings []finding
}

// Examine explains a message: a token, or a body with a token in it. It never fails; what
// it cannot read becomes a finding. It does not change data.
func Examine(data []byte, o Options) *Report {
	if o.MaxToken == 0 {
		o.MaxToken = defaultMaxToken
	}
	x := &examiner{o: o, r: &Report{Kind: KindOther, Bytes: len(data)}}
	x.examine(data)
	x.judge()
	x.conclude()
	return x.r
}

func (x *examiner) examine(data []byte) {
	if len(data) > x.o.MaxToken {
		x.fault(stepText, fault.TooLarge.In(fault.JWE), "message",
			fmt.Sprintf("It has %s bytes; at most %s are examined.", termtext.Count(len(data)),
				termtext.Count(x.o.MaxToken)))
		return
	}
	text, found := x.unwrap(data)
	if !found {
		return
	}
	x.token(text)
	if x.outer != nil && x.outer.whole() {
		if content, ok := x.open(); ok {
			x.content(content)
		}
	}
	if x.inner != nil && x.inner.view.Kind == "JWS" && x.inner.whole() {
		x.verify()
	}
}

func (x *examiner) add(at step, level cert.Level, code fault.Code, where, text string) *finding {
	f := finding{Finding: cert.Finding{Code: string(code), Level: level, Name: where, Found: text}, step: at}
	if code != "" {
		f.Remedy = code.Next()
	}
	x.findings = append(x.findings, f)
	return &x.findings[len(x.findings)-1]
}

func (x *examiner) fault(at step, code fault.Code, where, text string) *finding {
	return x.add(at, Bad, code, where, text)
}

func (x *examiner) note(at step, where, text string) { x.add(at, Note, "", where, text) }

// supersede turns a coarse finding into a note because a finer one explains it.
func (x *examiner) supersede(coarse fault.Code) {
	for i := range x.findings {
		if fault.Code(x.findings[i].Code) == coarse {
			x.findings[i].Level, x.findings[i].Remedy = Note, ""
		}
	}
}

func (x *examiner) has(code fault.Code) bool {
	return slices.ContainsFunc(x.findings, func(f finding) bool { return fault.Code(f.Code) == code })
}

// conclude sorts the findings and summarizes them.
func (x *examiner) conclude() {
	slices.SortStableFunc(x.findings, func(a, b finding) int { return cmp.Compare(a.step, b.step) })
	r := x.r
	r.Findings = make([]cert.Finding, 0, len(x.findings))
	for _, f := range x.findings {
		if f.Level == Bad && r.Fault == "" {
			r.Fault, r.Next = fault.Code(f.Code), f.Remedy
			r.Summary = r.Fault.Meaning()
			if f.Found != "" {
				r.Summary += " " + f.Found
			}
		}
		r.Findings = append(r.Findings, f.Finding)
	}
	if r.Fault == "" {
		r.Summary, r.Next = x.healthy()
	}
}

// healthy describes what was checked if no fault was found.
func (x *examiner) healthy() (summary, next string) {
	switch {
	case x.r.Kind == KindAnswer:
		return "This is an unencrypted error response, not a sealed message.", x.answerNext()
	case x.r.Kind == KindJWE && x.r.Opening == nil:
		return "No fault can be seen without a key; the content was not examined.",
			"Inspect it with the private key to see whether it opens."
	case x.r.Kind == KindJWE && x.r.Opening.Key == "":
		return "No fault was found, but the message was not decrypted.",
			"Inspect it with the private key to see whether it opens."
	case x.r.Signature != nil && x.r.Signature.Holds:
		return "No fault was found: it decrypts, and its signature is valid.", ""
	case x.inner != nil:
		return "No fault was found, but the signature was not verified.",
			"Inspect it with the signer's certificate to see whether its signature is valid."
	}
	return "No fault was found: it decrypts. Nothing in it proves who sent it.", ""
}

// payload describes what was sealed.
func (x *examiner) payload(data []byte, verified bool) {
	sum := sha256.Sum256(data)
	p := &Payload{Bytes: len(data), SHA256: hex.EncodeToString(sum[:]), JSON: jsonKind(data), Verified: verified}
	if x.o.Reveal {
		if utf8.Valid(data) {
			p.Text = string(data)
		} else {
			p.Base64 = base64.StdEncoding.EncodeToString(data)
		}
	}
	x.r.Payload = p
}

func jsonKind(data []byte) string {
	if !json.Valid(data) {
		return "no"
	}
	switch data[firstVisible(data)] {
	case '{':
		return "object"
	case '[':
		return "array"
	}
	return "other value"
}

// firstVisible is the offset of the first byte that JSON does not skip.
func firstVisible(data []byte) int {
	for i, c := range data {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return i
		}
	}
	return len(data)
}

// show quotes a text from the message: shortened, and without characters that control a
// terminal.
func show(s string) string {
	const most = 140
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "… (" + termtext.Count(len(s)) + " bytes)"
	}
	return strconv.QuoteToASCII(s)
}

func (k Key) String() string {
	name := k.Name
	if name == "" {
		name = k.ID
	}
	if name == "" {
		name = "without a name"
	}
	text := strconv.QuoteToASCII(name)
	if k.Environment != "" {
		text += " of " + strings.Trim(strconv.QuoteToASCII(k.Environment), `"`)
	}
	return text
}
