package demo

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"slices"
	"strings"
)

// letter is a mail that the server took.
type letter struct {
	kind              string // what was expected in its subject
	from, to, subject string
	text              string
	raw               []byte
}

// readLetter takes a mail apart.
func readLetter(data []byte) (l letter, err error) {
	m, err := mail.ReadMessage(strings.NewReader(string(data)))
	if err != nil {
		return l, err
	}
	var words mime.WordDecoder
	l.raw = data
	for name, part := range map[string]*string{"From": &l.from, "To": &l.to, "Subject": &l.subject} {
		if *part, err = words.DecodeHeader(m.Header.Get(name)); err != nil {
			return l, fmt.Errorf("header field %s: %w", name, err)
		}
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return l, err
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err != nil {
			return l, fmt.Errorf("the text of the mail: %w", err)
		}
		if !strings.HasPrefix(part.Header.Get("Content-Type"), "text/plain") {
			continue
		}
		var body io.Reader = part
		if strings.EqualFold(part.Header.Get("Content-Transfer-Encoding"), "quoted-printable") {
			body = quotedprintable.NewReader(part)
		}
		text, err := io.ReadAll(body)
		l.text = strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n"))
		return l, err
	}
}

// expected is a mail that a step waits for: to whom, and what is in its subject.
type expected struct{ to, subject string }

// mails writes the mails that have come under a step, and compares them with those that were expected. Of the daily
// summaries the first is written.
func (p *play) mails(n *notes, want ...expected) (came []letter, err error) {
	all := p.mailbox.Mails()
	for _, m := range all[p.read:] {
		l, err := readLetter(m.Data)
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(l.subject, "Certificates on ") {
			p.summary(n, l)
			continue
		}
		came = append(came, l)
	}
	p.read = len(all)
	err = match(came, want)
	for _, l := range came {
		p.show(n, l)
	}
	for i, text := range p.alarms {
		if !slices.Contains(p.alarms[:i], text) {
			n.add("alarm: %s", text)
		}
	}
	p.alarms = nil
	return came, err
}

// summary writes the first daily summary under a step.
func (p *play) summary(n *notes, l letter) {
	if p.summaries++; p.summaries > 1 {
		return
	}
	n.add("a summary comes with each day on which the schedule runs; only the first is shown")
	p.show(n, l)
}

// match finds the mails that were expected, and returns an error where others came.
func match(came []letter, want []expected) error {
	var problems []error
	for _, w := range want {
		i := slices.IndexFunc(came, func(l letter) bool {
			return l.kind == "" && strings.Contains(l.to, "<"+w.to+">") && strings.Contains(l.subject, w.subject)
		})
		if i < 0 {
			problems = append(problems, fmt.Errorf("no mail to %s came with %q in its subject", w.to, w.subject))
			continue
		}
		came[i].kind = w.subject
	}
	for _, l := range came {
		if l.kind == "" {
			problems = append(problems, fmt.Errorf("a mail to %s was not expected: %s", l.to, l.subject))
		}
	}
	return errors.Join(problems...)
}

// show writes a mail under a step: its header, and the text of the first of its kind.
func (p *play) show(n *notes, l letter) {
	n.add("")
	n.add("From:    %s", l.from)
	n.add("To:      %s", l.to)
	n.add("Subject: %s", l.subject)
	if p.shown[l.kind] && !p.verbose {
		n.add("(the text is as before; --verbose shows it)")
		return
	}
	p.shown[l.kind] = l.kind != ""
	n.add("")
	for line := range strings.Lines(l.text) {
		n.add("    %s", strings.TrimRight(line, "\n"))
	}
	n.add("")
}
