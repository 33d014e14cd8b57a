package notify

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/textproto"
	"regexp"
	"slices"
	"strings"

	"github.com/sealane/sealane/internal/readlimit"
)

// Bounce is what a mail server reports about a mail that it has not delivered. Its values are printable. Anyone can
// write such a report: only its Tag, or its MessageID, shows that it is about a mail of ours.
type Bounce struct {
	// Tag is that of the envelope. Empty: the report does not have it.
	Tag string
	// MessageID is that of the mail, without angle brackets. Empty: the report does not have it.
	MessageID string
	// Recipient is the address that could not be reached.
	Recipient string
	// Status is a code of RFC 3463, such as 5.1.1.
	Status string
	// Diagnostic is what the recipient's server said.
	Diagnostic string
	// Permanent reports whether the server has given up. Otherwise it still tries.
	Permanent bool
}

// ErrNoReport means that a mail is not a report of a failure or a delay.
var ErrNoReport = errors.New("it is not a delivery report (RFC 3464)")

// The limits of a report.
const (
	maxParts      = 20
	maxDepth      = 4
	maxRecipients = 100
)

// ReadBounce reads a mail that reports a failure or a delay of delivery (RFC 3464). Other mails are refused with
// ErrNoReport, also those in which old servers report a failure in words of their own: a person reads those.
func ReadBounce(r io.Reader) (Bounce, error) {
	data, err := readlimit.All(r, maxBounce)
	if err != nil {
		return Bounce{}, fmt.Errorf("the mail can't be read: %w", err)
	}
	if first, rest, _ := bytes.Cut(data, []byte("\n")); bytes.HasPrefix(first, []byte("From ")) {
		data = rest // of a file in the format mbox
	}
	m, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		return Bounce{}, fmt.Errorf("%w: it is not a mail", ErrNoReport)
	}
	var p report
	kind, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" || !strings.EqualFold(parameters["report-type"], "delivery-status") {
		what := printable(m.Header.Get("Content-Type"))
		return Bounce{}, fmt.Errorf("%w, but %.60s: a person must read it", ErrNoReport,
			cmp.Or(what, "a mail without a Content-Type"))
	}
	if err := p.parts(m.Body, parameters["boundary"], 0); err != nil {
		return Bounce{}, fmt.Errorf("%w that can be read: %w", ErrNoReport, err)
	}
	for _, name := range []string{"To", "Delivered-To", "X-Original-To", "Envelope-To"} {
		p.addressed = append(p.addressed, m.Header[name]...)
	}
	return p.bounce()
}

// report is what was found in a mail.
type report struct {
	status    []textproto.MIMEHeader // of the report, and of each recipient
	original  textproto.MIMEHeader   // the header of the mail that was not delivered
	addressed []string               // the report's recipients
	count     int                    // of parts
}

// parts reads the parts of a mail.
func (p *report) parts(r io.Reader, boundary string, depth int) error {
	if boundary == "" || depth > maxDepth {
		return errors.New("its parts have no boundary, or are in too many others")
	}
	for parts := multipart.NewReader(r, boundary); ; {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			if p.status != nil && p.original != nil {
				return nil // what matters was read
			}
			return errors.New("its parts can't be told apart")
		}
		if p.count++; p.count > maxParts {
			return fmt.Errorf("it has more than %d parts", maxParts)
		}
		if err := p.part(part, depth); err != nil {
			return err
		}
	}
}

func (p *report) part(part *multipart.Part, depth int) error {
	var r io.Reader = part
	if strings.EqualFold(part.Header.Get("Content-Transfer-Encoding"), "base64") {
		r = base64.NewDecoder(base64.StdEncoding, part)
	}
	kind, parameters, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
	if err != nil {
		return nil // a part that says nothing of itself is text
	}
	switch kind {
	case "message/delivery-status", "message/global-delivery-status":
		if p.status == nil {
			p.status = groups(r, maxRecipients+1)
		}
	case "message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers":
		if first := groups(r, 1); p.original == nil && first != nil {
			p.original = first[0]
		}
	case "multipart/report", "multipart/mixed", "multipart/alternative", "multipart/related":
		return p.parts(r, parameters["boundary"], depth+1)
	}
	return nil
}

// groups reads groups of fields, which are separated by empty lines. It passes over lines that are no fields.
func groups(r io.Reader, most int) (list []textproto.MIMEHeader) {
	data, err := io.ReadAll(r)
	if err != nil && len(data) == 0 {
		return nil
	}
	fields, last := textproto.MIMEHeader{}, ""
	for text := range strings.Lines(string(data) + "\n\n") {
		text = strings.TrimRight(text, "\r\n")
		name, value, ok := strings.Cut(text, ":")
		switch {
		case strings.TrimSpace(text) == "" && len(fields) > 0:
			if list = append(list, fields); len(list) == most {
				return list
			}
			fields, last = textproto.MIMEHeader{}, ""
		case last != "" && strings.TrimLeft(text, " \t") != text: // it goes on
			values := fields[last]
			values[len(values)-1] += " " + strings.TrimSpace(text)
		case ok:
			last = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))
			fields[last] = append(fields[last], strings.TrimSpace(value))
		}
	}
	return list
}

var (
	statusForm = regexp.MustCompile(`^([245])\.[0-9]{1,3}\.[0-9]{1,3}`)
	tagged     = regexp.MustCompile(`\+([A-Za-z0-9_-]{1,40})@`)
)

// bounce returns what a report says.
func (p *report) bounce() (b Bounce, err error) {
	if len(p.status) < 2 {
		return b, fmt.Errorf("%w: it says nothing about a recipient", ErrNoReport)
	}
	worst := []string{"delayed", "failed"}
	of := p.status[1]
	for _, one := range p.status[2:] {
		if slices.Index(worst, action(one)) > slices.Index(worst, action(of)) {
			of = one
		}
	}
	switch action(of) {
	case "failed":
		b.Permanent = true
	case "delayed":
	default:
		return Bounce{}, fmt.Errorf("%w of a failure or a delay: its action is %.40q", ErrNoReport, action(of))
	}
	b.Recipient = typed(of.Get("Original-Recipient"))
	if b.Recipient == "" {
		b.Recipient = typed(of.Get("Final-Recipient"))
	}
	b.Status = statusForm.FindString(strings.TrimSpace(of.Get("Status")))
	b.Diagnostic = printable(typed(of.Get("Diagnostic-Code")))
	b.MessageID = strings.Trim(line(p.original.Get("Message-Id")), "<> ")
	if b.Tag = line(p.status[0].Get("Original-Envelope-Id")); tagForm.MatchString(b.Tag) {
		return b, nil
	}
	b.Tag = ""
	for _, address := range append(p.addressed, p.original.Get("Return-Path")) {
		if m := tagged.FindStringSubmatch(address); m != nil {
			b.Tag = m[1]
			break
		}
	}
	return b, nil
}

// action returns what was done for a recipient, without the comment that some servers add.
func action(fields textproto.MIMEHeader) string {
	word, _, _ := strings.Cut(strings.TrimSpace(fields.Get("Action")), " ")
	return strings.ToLower(word)
}

// typed returns the value behind its type, such as rfc822 or smtp.
func typed(field string) string {
	kind, value, ok := strings.Cut(field, ";")
	if !ok {
		value = kind
	}
	return printable(value)
}
