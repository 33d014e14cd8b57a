package unpack

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
)

// mailOr opens a mail, if data is one, and otherwise uses p unchanged.
func (o *opener) mailOr(p Part, data []byte) {
	if m := readMessage(data); m != nil && (p.Media == "message/rfc822" || isMail(m.Header)) {
		o.mail(p, m)
		return
	}
	if content, signed := o.signed(p.Data); signed {
		o.file.Signed = true
		if m := readMessage(content); m != nil { // the mail itself, in its signature
			o.mail(p, m)
		}
	}
	o.leaf(p)
}

// readMessage returns a mail, or nil. Outlook for Mac ends lines with CR only.
func readMessage(data []byte) *mail.Message {
	const head = 1 << 10
	if start := data[:min(len(data), head)]; bytes.IndexByte(start, '\n') < 0 && bytes.IndexByte(start, '\r') >= 0 {
		data = bytes.ReplaceAll(data, []byte{'\r'}, []byte{'\n'})
	}
	m, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		return nil
	}
	return m
}

// isMail distinguishes the header of a mail from a text with colons.
func isMail(h mail.Header) bool {
	return h.Get("From") != "" || h.Get("Mime-Version") != "" || h.Get("Received") != "" ||
		h.Get("Content-Transfer-Encoding") != "" && h.Get("Content-Type") != ""
}

func (o *opener) mail(p Part, m *mail.Message) {
	if p.Depth == 0 {
		o.file.From = m.Header.Get("From")
	}
	o.entity(headerOf(m.Header.Get), m.Body, Part{Depth: p.Depth, Archive: p.Archive})
}

func (o *opener) mailbox(p Part) {
	rest := p.Data
	for len(rest) > 0 {
		_, rest, _ = bytes.Cut(rest, []byte{'\n'}) // the line that begins with From
		one := rest
		if end := bytes.Index(rest, []byte("\nFrom ")); end >= 0 {
			one, rest = rest[:end+1], rest[end+1:]
		} else {
			rest = nil
		}
		if o.count > MaxParts {
			o.file.Incomplete = true
			return
		}
		o.open(Part{Data: one, Media: "message/rfc822", Depth: p.Depth + 1, Archive: p.Archive})
	}
}

// partHeader holds the header of a part.
type partHeader struct {
	media      string
	parameters map[string]string
	encoding   string
	name       string
}

func headerOf(get func(string) string) partHeader {
	var h partHeader
	var err error
	if h.media, h.parameters, err = mime.ParseMediaType(get("Content-Type")); err != nil {
		h.media, h.parameters = "text/plain", nil // RFC 2045, section 5.2
	}
	_, disposition, _ := mime.ParseMediaType(get("Content-Disposition"))
	h.name = cmp.Or(disposition["filename"], h.parameters["name"])
	if plain, err := new(mime.WordDecoder).DecodeHeader(h.name); err == nil { // Outlook encodes names like this
		h.name = plain
	}
	h.encoding = strings.ToLower(strings.TrimSpace(get("Content-Transfer-Encoding")))
	return h
}

// entity reads one part of a mail, or the mail itself.
func (o *opener) entity(h partHeader, body io.Reader, of Part) {
	depth := of.Depth
	o.file.Mails++
	o.file.Deepest = max(o.file.Deepest, depth)
	if o.file.Mails > MaxParts || depth > MaxDepth {
		o.file.Incomplete = true
		return
	}
	switch h.encoding {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	if strings.HasPrefix(h.media, "multipart/") {
		of.Depth++
		o.multipart(multipart.NewReader(body, h.parameters["boundary"]), of)
		return
	}
	p := Part{Name: h.name, Media: h.media, Depth: depth + 1, Archive: of.Archive}
	data, err := io.ReadAll(io.LimitReader(body, maxOne))
	if o.left -= len(data); o.left < 0 {
		o.trouble(p, "the mail is too large")
		return
	}
	p.Data = data
	if err != nil && len(data) == 0 {
		o.trouble(p, "it can't be read: "+err.Error())
		return
	}
	o.file.Incomplete = o.file.Incomplete || err != nil
	if strings.Contains(h.encoding, "uuencode") {
		p.Name = ""
	}
	o.open(p)
}

func (o *opener) multipart(in *multipart.Reader, of Part) {
	for o.file.Mails <= MaxParts {
		p, err := in.NextRawPart()
		if err != nil { // the end, or a truncated mail, whose last part is used
			o.file.Incomplete = o.file.Incomplete || !errors.Is(err, io.EOF)
			if _, header := errors.AsType[textproto.ProtocolError](err); header {
				of.Name = "a part of the mail"
				o.trouble(of, "its header can't be read, and what follows neither: save the attachment, and receive "+
					"that file")
			}
			return
		}
		o.entity(headerOf(p.Header.Get), p, of)
	}
}
