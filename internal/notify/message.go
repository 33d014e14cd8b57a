package notify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// Message is a mail. Its names, subject and texts may have any characters.
type Message struct {
	From, FromName string
	To, ToName     string
	ReplyTo        string // empty: answers go to From
	// Draft is whether a person sends the mail, and adds a sender or recipient that is not there. AlsoTo are more
	// recipients of a draft.
	Draft      bool
	AlsoTo     []string
	Subject    string
	ID         string // the Message-ID, with or without its angle brackets
	Date       time.Time
	Text, HTML string
}

// Bytes returns the mail as it is sent and stored (RFC 5322): its lines end with CR and LF, and have ASCII only. It
// has the text and the HTML as alternatives, and no attachment. The bytes depend on the values of m alone.
func (m Message) Bytes() ([]byte, error) {
	id := strings.TrimSuffix(strings.TrimPrefix(m.ID, "<"), ">")
	switch {
	case checkAddress(id) != nil:
		return nil, fmt.Errorf("the Message-ID %.80q is none: it is like an address", m.ID)
	case m.Date.IsZero():
		return nil, errors.New("the mail has no date")
	case strings.TrimSpace(m.Subject) == "" || m.Text == "" || m.HTML == "":
		return nil, errors.New("the mail has no subject, text or HTML")
	}
	for i, address := range append([]string{m.ReplyTo, m.From, m.To}, m.AlsoTo...) {
		mayMiss := i == 0 || m.Draft
		if err := checkAddress(address); err != nil && (address != "" || !mayMiss) {
			return nil, fmt.Errorf("address %.80q: %w", address, err)
		}
	}
	sum := sha256.Sum256([]byte(id))
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithBoundary(hex.EncodeToString(sum[:16])))
	msg.SetMessageIDWithValue(id)
	msg.SetDateWithValue(m.Date.UTC())
	msg.Subject(line(m.Subject))
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	if m.From != "" {
		msg.FromMailAddress(&mail.Address{Name: line(m.FromName), Address: m.From})
	}
	if m.To != "" {
		msg.ToMailAddress(&mail.Address{Name: line(m.ToName), Address: m.To})
	}
	for _, address := range m.AlsoTo {
		msg.AddToMailAddress(&mail.Address{Address: address})
	}
	if m.ReplyTo != "" && m.ReplyTo != m.From {
		msg.ReplyToMailAddress(&mail.Address{Address: m.ReplyTo})
	}
	msg.SetBodyString(gomail.TypeTextPlain, lines(m.Text))
	msg.AddAlternativeString(gomail.TypeTextHTML, lines(m.HTML))
	var b bytes.Buffer
	if _, err := msg.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("the mail can't be written: %w", err)
	}
	if err := checkData(b.Bytes()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// checkData refuses what a mail server would change, or would not read to its end.
func checkData(data []byte) error {
	if len(data) > maxMessage {
		return fmt.Errorf("the mail is larger than %d bytes", maxMessage)
	}
	rest, ok := bytes.CutSuffix(data, []byte("\r\n"))
	if !ok {
		return errors.New("the mail does not end with a line")
	}
	for one := range bytes.SplitSeq(rest, []byte("\r\n")) {
		odd := func(r rune) bool { return r == '\r' || r == '\n' || r == 0 || r > '~' }
		if len(one) > maxLine || bytes.ContainsFunc(one, odd) {
			return errors.New("the mail has a line that is too long, or has other characters than ASCII")
		}
	}
	return nil
}
