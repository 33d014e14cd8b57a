package inspect

import (
	"bufio"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/termtext"
)

// WriteText writes the report for people. With color, marks and headings are
// colored by ANSI sequences.
func (r *Report) WriteText(w io.Writer, color bool) error {
	p := &printer{w: bufio.NewWriter(w), color: color}
	p.report(r)
	return p.w.Flush()
}

type printer struct {
	w     *bufio.Writer
	color bool
}

func (p *printer) paint(c termtext.Color, s string) string {
	if !p.color {
		return s
	}
	return c.Paint(s)
}

func (p *printer) mark(m cert.Level) string {
	switch m {
	case OK:
		return p.paint(termtext.Green, "✓")
	case Bad:
		return p.paint(termtext.Red, "✗")
	}
	return p.paint(termtext.Yellow, "·")
}

// line writes one line.
func (p *printer) line(parts ...string) {
	p.w.WriteString(strings.TrimRight(strings.Join(parts, ""), " ") + "\n")
}

func (p *printer) heading(s string) { p.line("\n", p.paint(termtext.Bold, s)) }

// pad fills up to a width in characters.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

func right(s string, width int) string {
	return strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s))) + s
}

func (p *printer) report(r *Report) {
	if r.Fault != "" {
		p.line(p.mark(Bad), " ", p.paint(termtext.Red, string(r.Fault)))
	} else {
		p.line(p.mark(OK), " ", p.paint(termtext.Green, "no fault"))
	}
	p.line("  ", termtext.EscapeLine(r.Summary))
	if r.Next != "" {
		p.line("  → ", termtext.EscapeLine(r.Next))
	}
	what := map[Kind]string{
		KindJWE:    "JWE",
		KindJWS:    "JWS alone",
		KindAnswer: "error answer",
		KindJSON:   "JSON without a token",
		KindOther:  "not readable as a token",
	}[r.Kind]
	p.heading("Message")
	p.line("  ", what, ", ", termtext.Count(r.Bytes), " bytes")
	if len(r.Around) > 0 {
		p.line("  around the token: ", termtext.EscapeLine(strings.Join(r.Around, ", then ")))
	}
	if a := r.Answer; a != nil {
		p.line("  profile ", termtext.EscapeLine(a.Profile), ", outcome ", termtext.EscapeLine(orNone(a.Outcome)),
			", identifier ", termtext.EscapeLine(orNone(a.ID)))
		p.line("  text: ", termtext.EscapeLine(a.Text))
	}
	p.token(r.Outer, "Outer token")
	p.opening(r.Opening)
	p.token(r.Inner, "Inner token")
	p.signature(r.Signature)
	p.payload(r.Payload)
	for _, v := range r.Profiles {
		p.verdict(v)
	}
	p.found(r.Findings)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func (p *printer) token(t *Token, title string) {
	if t == nil {
		return
	}
	p.heading(title + " (" + t.Kind + ")")
	p.line("    ", pad("part", 22), right("characters", 12), right("bytes", 12))
	for _, part := range t.Parts {
		p.line("  ", p.mark(part.Level), " ", pad(part.Name, 22), right(termtext.Count(part.Characters), 12),
			right(termtext.Count(part.Bytes), 12), "  ", termtext.EscapeLine(part.Text))
	}
	width := 0
	for _, m := range t.Members {
		width = max(width, utf8.RuneCountInString(termtext.EscapeLine(m.Name)))
	}
	if len(t.Members) > 0 {
		p.line("    header")
	}
	for _, m := range t.Members {
		text := ""
		if m.Text != "" {
			text = "  (" + termtext.EscapeLine(m.Text) + ")"
		}
		p.line("  ", p.mark(m.Level), "   ", pad(termtext.EscapeLine(m.Name), width), "  ",
			termtext.EscapeLine(m.Value), text)
	}
}

func (p *printer) opening(o *Opening) {
	if o == nil {
		return
	}
	p.heading("Opening")
	switch {
	case o.Key != "":
		p.line("  ", p.mark(OK), " key ", termtext.EscapeLine(o.Key), " opens the encrypted key, with ", o.How)
	default:
		p.line("  ", p.mark(Bad), " none of ", termtext.Count(o.Tried), " keys opens the encrypted key")
	}
	if o.Trouble != "" {
		p.line("  ", p.mark(Bad), " ", termtext.EscapeLine(o.Trouble))
	}
	if o.Content != "" {
		p.line("  ", p.mark(Note), " content: ", termtext.EscapeLine(o.Content), ", ", termtext.Count(o.Bytes),
			" bytes")
	}
}

func (p *printer) signature(s *Signature) {
	if s == nil {
		return
	}
	p.heading("Signature")
	switch {
	case s.Holds:
		p.line("  ", p.mark(OK), " holds under key ", termtext.EscapeLine(s.Key))
	case s.Key != "":
		p.line("  ", p.mark(Bad), " holds only under key ", termtext.EscapeLine(s.Key), ", as ", s.How)
	default:
		p.line("  ", p.mark(Bad), " holds under none of ", termtext.Count(s.Tried), " keys")
	}
}

func (p *printer) payload(l *Payload) {
	if l == nil {
		return
	}
	p.heading("Payload")
	verified := "not verified"
	if l.Verified {
		verified = "verified"
	}
	p.line("  ", termtext.Count(l.Bytes), " bytes, JSON: ", l.JSON, ", ", verified)
	p.line("  SHA-256 ", l.SHA256)
	if l.Text != "" {
		p.line("")
		for s := range strings.SplitSeq(l.Text, "\n") {
			p.line(termtext.Escape(strings.TrimSuffix(s, "\r")))
		}
	}
	if l.Base64 != "" {
		p.line("  base64 ", l.Base64)
	}
}

func (p *printer) verdict(v Verdict) {
	word := p.paint(termtext.Green, "fits")
	if !v.Fits {
		word = p.paint(termtext.Red, "does not fit")
	}
	p.heading("Profile " + termtext.EscapeLine(v.Profile) + " (" + strings.Join(v.Legs, " or ") + ")")
	p.line("  ", word)
	width := 0
	for _, r := range v.Rules {
		width = max(width, utf8.RuneCountInString(r.Name))
	}
	for _, r := range v.Rules {
		text := r.Found
		if r.Wanted != "" && r.Wanted != r.Found {
			text += "; wanted: " + r.Wanted
		}
		if r.Remedy != "" {
			text += " (" + strings.TrimSuffix(r.Remedy, ".") + ")"
		}
		if r.Code != "" {
			text += " [" + r.Code + "]"
		}
		p.line("  ", p.mark(r.Level), " ", pad(r.Name, width), "  ", termtext.EscapeLine(text))
	}
}

func (p *printer) found(findings []cert.Finding) {
	if len(findings) == 0 {
		return
	}
	p.heading("Findings")
	for _, f := range findings {
		text := f.Name + ": "
		if f.Code != "" {
			text = f.Code + " in " + text + fault.Code(f.Code).Meaning() + " "
		}
		p.line("  ", p.mark(f.Level), " ", termtext.EscapeLine(text+f.Found))
		if f.Remedy != "" {
			p.line("    → ", termtext.EscapeLine(f.Remedy))
		}
	}
}
