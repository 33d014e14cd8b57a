package exchange

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"regexp"
	"strings"

	"github.com/sealane/sealane/keyfile"
)

// Limits of what is read of a mail, and of what is only searched for private keys.
const (
	maxMail          = 16 << 20 // bytes
	maxParts         = 64
	maxMailDepth     = 6
	maxPartsSearched = 4096
	maxDepthSearched = 16
	maxPartsLeaking  = 32  // whose private keys are compared with public ones, which takes time
	maxSiblings      = 256 // public keys that are blocked
)

// readMail finds the certificate in a mail, of which whole is the text.
func readMail(message *mail.Message, whole []byte) (*incomingFile, error) {
	m := mailReader{}
	m.part(headerOf(message.Header.Get, ""), message.Body, 0)
	if m.incomplete || len(m.leaks.keys) == 0 { // the headers, and the text between the parts
		m.leaks.add(keyfile.FindPrivateKeys(whole))
		m.parts = append(m.parts, whole)
	}
	if err := m.leaks.among(m.parts...); err != nil { // whatever else is wrong
		return nil, err
	}
	if m.over {
		return nil, fmt.Errorf("the mail has more than %d parts, or they nest deeper than %d; "+
			"save the attachment and give that", maxParts, maxMailDepth)
	}
	return m.result(message.Header.Get("From"))
}

// result returns the one certificate of a mail from a sender.
func (r *mailReader) result(from string) (*incomingFile, error) {
	if a, err := mail.ParseAddress(from); err == nil {
		from = a.Address
	}
	switch len(r.found) {
	case 0:
		text := "the mail has no certificate attached"
		if r.signed {
			text = "the mail has no certificate but the one of its own signature, which is its signer's; " +
				"ask for the partner's as an attachment (.pem, .cer, .crt, .p7b)"
		}
		if len(r.skipped) > 0 {
			text += ": " + strings.Join(r.skipped, "; ")
		}
		return nil, errors.New(text)
	case 1:
		r.found[0].from, r.found[0].skipped = from, r.skipped
		return r.found[0], nil
	}
	names := make([]string, len(r.found))
	for i, f := range r.found {
		names[i] = f.name
	}
	return nil, fmt.Errorf("the mail has %d different certificates attached: %s; save the right one and give that",
		len(r.found), strings.Join(names, ", "))
}

// mailReader collects what is in the parts of a mail.
type mailReader struct {
	count      int  // of parts
	over       bool // there are more parts, or deeper ones, than are read
	incomplete bool // something could not be taken apart, and may hold anything
	signed     bool // there is a signature
	found      []*incomingFile
	leaks      leaks
	leaking    int      // parts with private keys
	parts      [][]byte // all parts as they were searched
	skipped    []string // the other attachments, with the reason why they hold no certificate
}

// partHeader is what the header of a part says.
type partHeader struct {
	contentType, encoding string
	name                  string // of the file; may be empty
}

// headerOf reads the header of a part by its get. The name is that of the file.
func headerOf(get func(string) string, name string) partHeader {
	return partHeader{get("Content-Type"), get("Content-Transfer-Encoding"), name}
}

// part reads one part. Those over the limits are only searched for private keys.
func (r *mailReader) part(head partHeader, body io.Reader, depth int) {
	if r.count++; r.count > maxParts || depth > maxMailDepth {
		r.over = true
	}
	if r.count > maxPartsSearched || depth > maxDepthSearched {
		r.incomplete = true
		return
	}
	kind, parameters, err := mime.ParseMediaType(head.contentType)
	if err != nil {
		kind, parameters = "text/plain", nil // RFC 2045 section 5.2
	}
	name := cmp.Or(head.name, parameters["name"])
	switch strings.ToLower(strings.TrimSpace(head.encoding)) {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	if strings.HasPrefix(kind, "multipart/") {
		r.multipart(multipart.NewReader(body, parameters["boundary"]), depth)
		return
	}
	data, err := io.ReadAll(io.LimitReader(body, maxMail))
	if err != nil {
		r.incomplete = true
		if len(data) == 0 {
			r.skipped = append(r.skipped, fmt.Sprintf("%s can't be read: %v", cmp.Or(name, unnamed), err))
			return
		}
	}
	if kind == "message/rfc822" && r.entity(name, data, depth) { // forwarded as an attachment
		return
	}
	if content, signed := keyfile.SignedContent(data); signed {
		r.signed = true
		if len(content) > 0 && r.entity("", content, depth) { // the mail itself, in its signature
			r.parts = append(r.parts, data)
			return
		}
	}
	r.attachment(name, kind, data)
}

// entity reads a mail in the mail. It reports false where data is none.
func (r *mailReader) entity(name string, data []byte, depth int) bool {
	inner, err := mail.ReadMessage(bytes.NewReader(data))
	if err == nil {
		r.part(headerOf(inner.Header.Get, name), inner.Body, depth+1)
	}
	return err == nil
}

func (r *mailReader) multipart(in *multipart.Reader, depth int) {
	for r.count <= maxPartsSearched {
		p, err := in.NextRawPart()
		if err != nil { // the end, or a mail that is cut off, of which the rest counts
			r.incomplete = r.incomplete || !errors.Is(err, io.EOF)
			return
		}
		r.part(headerOf(p.Header.Get, p.FileName()), p, depth+1)
	}
}

// attachment takes the certificate in a part, if it holds one.
func (r *mailReader) attachment(name, kind string, data []byte) {
	if r.search(kind, data); r.over {
		return
	}
	f, err := readFile(data)
	switch {
	case errors.Is(err, errSigned):
	case err != nil:
		if name != "" {
			r.skipped = append(r.skipped, fmt.Sprintf("%s: %v", name, err))
		}
	case name == "" && (len(f.file.Certificates) == 0 || f.partnerFile != nil):
		// the text of the mail that quotes a key
	default:
		f.name = cmp.Or(name, unnamed)
		for i, other := range r.found {
			if sameCertificate(other.file, f.file) { // the same in another format
				if other.partnerFile == nil && f.partnerFile != nil { // which says more
					r.found[i] = f
				}
				return
			}
		}
		r.found = append(r.found, f)
	}
}

var htmlTag = regexp.MustCompile(`<[^<>]*>`)

// search looks for private keys in a part. Of a page it first searches the text that a person
// sees.
func (r *mailReader) search(kind string, data []byte) {
	r.parts = append(r.parts, data)
	var keys []keyfile.Leak
	switch {
	case r.leaking == maxPartsLeaking:
		r.incomplete = true
		return
	case kind == "text/html":
		seen := []byte(html.UnescapeString(string(htmlTag.ReplaceAll(data, []byte("\n")))))
		keys = keyfile.FindPrivateKeys(seen)
		r.parts = append(r.parts, seen)
	case likelyPartnerFile(data):
		keys = keyfile.FindPrivateKeys(claimed(data))
	}
	if len(keys) == 0 {
		keys = keyfile.FindPrivateKeys(data)
	}
	if len(keys) > 0 {
		r.leaking++
	}
	r.leaks.add(keys)
}

// unnamed is what errors call a part without a file name.
const unnamed = "the mail's text"
