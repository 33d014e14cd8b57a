package mailserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
)

// Letter is a mail as its reader sees it: the addresses, the subject, and the text part.
type Letter struct{ From, To, Subject, Text string }

// Letter takes the mail apart.
func (m Mail) Letter() (l Letter, err error) {
	read, err := mail.ReadMessage(bytes.NewReader(m.Data))
	if err != nil {
		return l, err
	}
	var words mime.WordDecoder
	for name, part := range map[string]*string{"From": &l.From, "To": &l.To, "Subject": &l.Subject} {
		if *part, err = words.DecodeHeader(read.Header.Get(name)); err != nil {
			return l, fmt.Errorf("header field %s: %w", name, err)
		}
	}
	_, params, err := mime.ParseMediaType(read.Header.Get("Content-Type"))
	if err != nil {
		return l, err
	}
	parts := multipart.NewReader(read.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return l, errors.New("the mail has no text part")
		}
		if err != nil {
			return l, err
		}
		if !strings.HasPrefix(part.Header.Get("Content-Type"), "text/plain") {
			continue
		}
		var body io.Reader = part
		if strings.EqualFold(part.Header.Get("Content-Transfer-Encoding"), "quoted-printable") {
			body = quotedprintable.NewReader(part)
		}
		text, err := io.ReadAll(body)
		l.Text = strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n"))
		return l, err
	}
}
