package exchange

import (
	"bytes"
	"crypto/rsa"
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
	"slices"
	"strings"

	"github.com/sealane/sealane/keyfile"
)

// Limits of what is read of a mail, and of what is only looked through for private
// keys.
const (
	maxMail          = 16 << 20
	maxParts         = 64
	maxMailDepth     = 6
	maxPartsSearched = 4096
	maxDepthSearched = 16
	maxPartsLeaking  = 32  // that are asked whose their keys are, which takes time
	maxBeside        = 256 // public keys that are blocked
)

// arrival is what came: a certificate, and by whom where it came by mail.
type arrival struct {
	data []byte // the file as it was attached
	name string
	from string
	file *keyfile.File
	told *PartnerFile // where the file is one

	unread []string // what else was attached, and nothing was made of
}

// leaks are the private keys that came in a file or mail.
type leaks struct {
	keys []keyfile.Leak
	// beside are the public keys that came along, each of which may be that of a
	// private key whose public part can't be seen; empty where all can.
	beside []keyfile.SPKIHash
}

func (l *leaks) Error() string {
	texts := make([]string, len(l.keys))
	for i, one := range l.keys {
		texts[i] = (&keyfile.PrivateKeyError{Leak: one}).Error()
	}
	return strings.Join(texts, "\n")
}

// add takes keys that are not there yet. Hidden ones can't be told from each other.
func (l *leaks) add(keys []keyfile.Leak) {
	for _, k := range keys {
		same := func(other keyfile.Leak) bool { return other.PublicKey == k.PublicKey }
		if k.PublicKey.IsZero() || !slices.ContainsFunc(l.keys, same) {
			l.keys = append(l.keys, k)
		}
	}
}

// among gives nil where no private key was found, and else finds what is beside them
// in all that came.
func (l *leaks) among(came ...[]byte) error {
	if len(l.keys) == 0 {
		return nil
	}
	if !slices.ContainsFunc(l.keys, func(k keyfile.Leak) bool { return k.PublicKey.IsZero() }) {
		return l
	}
	for _, data := range came {
		for _, sum := range keyfile.FindPublicKeys(data) {
			if len(l.beside) < maxBeside && !slices.Contains(l.beside, sum) {
				l.beside = append(l.beside, sum)
			}
		}
	}
	return l
}

var errSigned = errors.New("this is a PKCS#7 that somebody signed with, such as the signature of a mail: the certificate in it is the signer's; ask for the partner's as a file of its own (.pem, .cer, .crt, .p7b)")

// read finds the certificate in a file, or in a saved mail (.eml) that has it
// attached. A private key anywhere is an error of type *leaks, whatever else is wrong.
func read(data []byte) (*arrival, error) {
	if len(data) > maxMail {
		return nil, fmt.Errorf("the file has %d bytes, more than %d: not a certificate, nor a mail with one", len(data), maxMail)
	}
	// What a mail's text quotes must not hide what is attached to it.
	if message, err := mail.ReadMessage(bytes.NewReader(data)); err == nil && (message.Header.Get("From") != "" || message.Header.Get("Mime-Version") != "") {
		return readMail(message, data)
	}
	var l leaks
	l.add(keyfile.FindPrivateKeys(data))
	if likelyPartnerFile(data) {
		l.add(keyfile.FindPrivateKeys(claimed(data)))
	}
	if err := l.among(data); err != nil {
		return nil, err
	}
	return readFile(data)
}

// readFile takes a file in which no private key was found.
func readFile(data []byte) (*arrival, error) {
	if likelyPartnerFile(data) {
		told, chain, err := ReadPartnerFile(data)
		if err != nil {
			return nil, err
		}
		return &arrival{data: data, told: told, file: &keyfile.File{Format: "partner file", Certificates: chain, PublicKey: chain[0].PublicKey.(*rsa.PublicKey), KeyID: told.KeyID}}, nil
	}
	if _, signed := keyfile.SignedContent(data); signed {
		return nil, errSigned
	}
	file, err := keyfile.Parse(data)
	if err != nil {
		return nil, err
	}
	return &arrival{data: data, file: file}, nil
}

func readMail(message *mail.Message, whole []byte) (*arrival, error) {
	m := mailbag{}
	m.part(message.Header.Get("Content-Type"), message.Header.Get("Content-Transfer-Encoding"), "", message.Body, 0)
	if m.unsure || len(m.leaks.keys) == 0 { // headers, and what stands between the parts
		m.leaks.add(keyfile.FindPrivateKeys(whole))
		m.came = append(m.came, whole)
	}
	if err := m.leaks.among(m.came...); err != nil { // whatever else is wrong
		return nil, err
	}
	if m.over {
		return nil, fmt.Errorf("the mail has more than %d parts, or they nest deeper than %d; save the attachment and give that", maxParts, maxMailDepth)
	}
	from := message.Header.Get("From")
	if a, err := mail.ParseAddress(from); err == nil {
		from = a.Address
	}
	switch len(m.found) {
	case 0:
		text := "the mail has no certificate attached"
		if m.signed {
			text = "the mail has no certificate but the one of its own signature, which is its signer's; ask for the partner's as an attachment (.pem, .cer, .crt, .p7b)"
		}
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
	parts   int
	over    bool // there are more parts, or deeper ones, than are read
	unsure  bool // something could not be taken apart, and may hold anything
	signed  bool
	found   []*arrival
	leaks   leaks
	leaking int      // parts with private keys
	came    [][]byte // all parts as they were looked through
	said    []string // why the other attachments are none
}

// part reads one part. Those over the limits are looked through for private keys.
func (m *mailbag) part(contentType, encoding, name string, body io.Reader, depth int) {
	if m.parts++; m.parts > maxParts || depth > maxMailDepth {
		m.over = true
	}
	if m.parts > maxPartsSearched || depth > maxDepthSearched {
		m.unsure = true
		return
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
		m.multipart(multipart.NewReader(body, parameters["boundary"]), depth)
		return
	}
	data, err := io.ReadAll(io.LimitReader(body, maxMail))
	if err != nil {
		m.unsure = true
		if len(data) == 0 {
			m.said = append(m.said, fmt.Sprintf("%s can't be read: %v", orUnnamed(name), err))
			return
		}
	}
	if kind == "message/rfc822" && m.entity(name, data, depth) { // forwarded as an attachment
		return
	}
	if content, signed := keyfile.SignedContent(data); signed {
		m.signed = true
		if len(content) > 0 && m.entity("", content, depth) { // the mail itself, in its signature
			m.came = append(m.came, data)
			return
		}
	}
	m.attachment(name, kind, data)
}

// entity reads a mail in the mail, or says that it is none.
func (m *mailbag) entity(name string, data []byte, depth int) bool {
	inner, err := mail.ReadMessage(bytes.NewReader(data))
	if err == nil {
		m.part(inner.Header.Get("Content-Type"), inner.Header.Get("Content-Transfer-Encoding"), name, inner.Body, depth+1)
	}
	return err == nil
}

func (m *mailbag) multipart(r *multipart.Reader, depth int) {
	for m.parts <= maxPartsSearched {
		p, err := r.NextRawPart()
		if err != nil { // the end, or a mail that breaks off: what came counts
			m.unsure = m.unsure || err != io.EOF
			return
		}
		m.part(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p.FileName(), p, depth+1)
	}
}

func (m *mailbag) attachment(name, kind string, data []byte) {
	if m.search(kind, data); m.over {
		return
	}
	a, err := readFile(data)
	switch {
	case err == errSigned:
	case err != nil:
		if name != "" {
			m.said = append(m.said, fmt.Sprintf("%s: %v", name, err))
		}
	case name == "" && (len(a.file.Certificates) == 0 || a.told != nil):
		// the text of the mail that quotes a key
	default:
		a.name = orUnnamed(name)
		for i, f := range m.found {
			if sameCertificate(f.file, a.file) { // the same in another format
				if f.told == nil && a.told != nil { // which says more
					m.found[i] = a
				}
				return
			}
		}
		m.found = append(m.found, a)
	}
}

var htmlTag = regexp.MustCompile(`<[^<>]*>`)

// search looks for private keys in a part, of a page first as a person sees it.
func (m *mailbag) search(kind string, data []byte) {
	m.came = append(m.came, data)
	var keys []keyfile.Leak
	switch {
	case m.leaking == maxPartsLeaking:
		m.unsure = true
		return
	case kind == "text/html":
		seen := []byte(html.UnescapeString(string(htmlTag.ReplaceAll(data, []byte("\n")))))
		keys = keyfile.FindPrivateKeys(seen)
		m.came = append(m.came, seen)
	case likelyPartnerFile(data):
		keys = keyfile.FindPrivateKeys(claimed(data))
	}
	if len(keys) == 0 {
		keys = keyfile.FindPrivateKeys(data)
	}
	if len(keys) > 0 {
		m.leaking++
	}
	m.leaks.add(keys)
}

func sameCertificate(a, b *keyfile.File) bool {
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
