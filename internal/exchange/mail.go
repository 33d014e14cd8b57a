package exchange

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"

	"github.com/sealane/sealane/cert"
)

// Limits of what is read of a mail.
const (
	maxMail      = 16 << 20
	maxParts     = 64
	maxMailDepth = 6
)

// arrival is what came: a certificate, and by whom where it came by mail.
type arrival struct {
	data []byte // the file as it was attached
	name string
	from string
	file *cert.File
	told *PartnerFile // where the file is one

	unread []string // what else was attached, and nothing was made of
}

// leaks are the private keys that came in a file or mail.
type leaks []*cert.PrivateKeyError

func (l leaks) Error() string {
	texts := make([]string, len(l))
	for i, one := range l {
		texts[i] = one.Error()
	}
	return strings.Join(texts, "\n")
}

// read finds the certificate in a file, or in a saved mail (.eml) that has it
// attached. A private key anywhere is an error of type leaks.
func read(data []byte) (*arrival, error) {
	if len(data) > maxMail {
		return nil, fmt.Errorf("the file has %d bytes, more than %d: not a certificate, nor a mail with one", len(data), maxMail)
	}
	if likelyPartnerFile(data) {
		told, chain, err := ReadPartnerFile(data)
		if err != nil {
			return nil, err
		}
		return &arrival{data: data, told: told, file: &cert.File{Format: "partner file", Certificates: chain, PublicKey: chain[0].PublicKey.(*rsa.PublicKey), KeyID: told.KeyID}}, nil
	}
	// What a mail's text quotes must not hide what is attached to it.
	if message, err := mail.ReadMessage(bytes.NewReader(data)); err == nil && (message.Header.Get("From") != "" || message.Header.Get("Mime-Version") != "") {
		return readMail(message)
	}
	file, err := cert.Read(data)
	var leak *cert.PrivateKeyError
	if errors.As(err, &leak) {
		return nil, leaks{leak}
	}
	if err != nil {
		return nil, err
	}
	return &arrival{data: data, file: file}, nil
}

func readMail(message *mail.Message) (*arrival, error) {
	m := mailbag{}
	err := m.part(message.Header.Get("Content-Type"), message.Header.Get("Content-Transfer-Encoding"), "", message.Body, 0)
	if len(m.leaks) > 0 { // whatever else is wrong
		return nil, m.leaks
	}
	if err != nil {
		return nil, err
	}
	from := message.Header.Get("From")
	if a, err := mail.ParseAddress(from); err == nil {
		from = a.Address
	}
	switch len(m.found) {
	case 0:
		text := "the mail has no certificate attached"
		if len(m.said) > 0 {
			text += ": " + strings.Join(m.said, "; ")
		}
		return nil, errors.New(text)
	case 1:
		m.found[0].from, m.found[0].unread = from, m.said
		return m.found[0], nil
	}
	names := make([]string, len(m.found))
	for i, f := range m.found {
		names[i] = f.name
	}
	return nil, fmt.Errorf("the mail has %d different certificates attached: %s; save the right one and give that", len(m.found), strings.Join(names, ", "))
}

// mailbag collects what a mail's parts hold.
type mailbag struct {
	parts int
	found []*arrival
	leaks leaks
	said  []string // why the other attachments are none
}

func (m *mailbag) part(contentType, encoding, name string, body io.Reader, depth int) error {
	if m.parts++; m.parts > maxParts || depth > maxMailDepth {
		return fmt.Errorf("the mail has more than %d parts, or they nest deeper than %d; save the attachment and give that", maxParts, maxMailDepth)
	}
	kind, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		kind, parameters = "text/plain", nil // RFC 2045 section 5.2
	}
	if name == "" {
		name = parameters["name"]
	}
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	if strings.HasPrefix(kind, "multipart/") {
		return m.multipart(multipart.NewReader(body, parameters["boundary"]), depth)
	}
	data, err := io.ReadAll(io.LimitReader(body, maxMail))
	if err != nil && len(data) == 0 {
		m.said = append(m.said, fmt.Sprintf("%s can't be read: %v", orUnnamed(name), err))
		return nil
	}
	if kind == "message/rfc822" { // forwarded as an attachment
		if inner, err := mail.ReadMessage(bytes.NewReader(data)); err == nil {
			return m.part(inner.Header.Get("Content-Type"), inner.Header.Get("Content-Transfer-Encoding"), name, inner.Body, depth+1)
		}
	}
	m.attachment(name, kind, data)
	return nil
}

func (m *mailbag) multipart(r *multipart.Reader, depth int) error {
	for {
		p, err := r.NextRawPart()
		if err != nil { // the end, or a mail that breaks off: what came counts
			return nil
		}
		if err := m.part(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p.FileName(), p, depth+1); err != nil {
			return err
		}
	}
}

func (m *mailbag) attachment(name, kind string, data []byte) {
	file, err := cert.Read(data)
	var leak *cert.PrivateKeyError
	switch {
	case errors.As(err, &leak):
		m.leaks = append(m.leaks, leak)
	case err != nil:
		if name != "" {
			m.said = append(m.said, fmt.Sprintf("%s: %v", name, err))
		}
	case name == "" && len(file.Certificates) == 0:
		// the text of the mail that quotes a key
	default:
		for _, f := range m.found {
			if sameCertificate(f.file, file) {
				return // the same in another format
			}
		}
		m.found = append(m.found, &arrival{data: data, name: orUnnamed(name), file: file})
	}
}

func sameCertificate(a, b *cert.File) bool {
	if len(a.Certificates) == 0 || len(b.Certificates) == 0 {
		return a.PublicKey != nil && b.PublicKey != nil && a.PublicKey.Equal(b.PublicKey)
	}
	return a.Certificates[0].Equal(b.Certificates[0])
}

func orUnnamed(name string) string {
	if name == "" {
		return "the mail's text"
	}
	return name
}
