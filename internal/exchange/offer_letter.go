package exchange

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"text/template"
	"time"
	"unicode"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/profile"
)

// OfferPackage is a certificate of ours as it goes to a partner: in the formats that partners
// take, with a covering letter, and for a second message a letter with the checksums.
type OfferPackage struct {
	Profile     *profile.Profile
	Environment string
	KeyID       string // empty where the partner assigns it
	MailFrom    string // the address from which mails about it will come; may be empty
	Certificate *x509.Certificate

	To   string // who receives it; may be empty
	From Sender
	Date time.Time // of the letters; zero: they have none
}

// Sender is the person who sends the letters and answers questions. Each part may be empty.
type Sender struct {
	Name, Email string
	Telephone   string // a number that the partner finds in the letter, and must not trust for it
}

// Base returns the name of the files, without an extension.
func (p OfferPackage) Base() string { return BaseName(p.Certificate.Subject.CommonName, p.Environment) }

// BaseName returns the name of a certificate's files: the common name, without characters that
// file systems treat specially, and the environment.
func BaseName(commonName, environment string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-':
			return r
		}
		return '-'
	}, commonName)
	if len(name) > 40 {
		name = name[:40]
	}
	if name = strings.Trim(name, "-"); name == "" {
		name = fmt.Sprintf("certificate-%08x", crc32.ChecksumIEEE([]byte(commonName)))
	}
	return name + "-" + strings.ToLower(environment)
}

// Files returns the certificate's files by their names.
func (p OfferPackage) Files() (map[string][]byte, error) {
	forms, err := keyfile.EncodeAll(p.Certificate)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for extension, data := range forms {
		files[p.Base()+extension] = data
	}
	return files, nil
}

// Letters returns the covering letter, and the letter with the checksums for a second message.
// Each begins with its subject line.
func (p OfferPackage) Letters() (covering, checksums []byte, err error) {
	files, err := p.Files()
	if err != nil {
		return nil, nil, err
	}
	subject := p.Certificate.Subject
	facts := letterFacts{
		Profile: p.Profile.Title, Environment: p.Environment, KeyID: p.KeyID, MailFrom: p.MailFrom,
		OnePairPer:    p.Profile.Keys.OnePairPer,
		AskKeyID:      p.KeyID == "" && p.Profile.Certificate.KeyIDFormat == cert.KeyIDSixPart,
		Serial:        fmt.Sprintf("%x", p.Certificate.SerialNumber),
		SerialDecimal: p.Certificate.SerialNumber.String(),
		CommonName:    subject.CommonName,
		Organization:  strings.Join(subject.Organization, ", "),
		Unit:          strings.Join(subject.OrganizationalUnit, ", "),
		Email:         strings.Join(p.Certificate.EmailAddresses, ", "),
		NotBefore:     p.Certificate.NotBefore.UTC().Format(letterTime),
		NotAfter:      p.Certificate.NotAfter.UTC().Format(letterTime),
		Table:         cert.Fingerprints(nil, p.Certificate),
		To:            oneLine(p.To),
		From:          Sender{oneLine(p.From.Name), oneLine(p.From.Email), oneLine(p.From.Telephone)},
	}
	if !p.Date.IsZero() {
		facts.Date = p.Date.UTC().Format("2 January 2006")
	}
	if pub, ok := p.Certificate.PublicKey.(*rsa.PublicKey); ok {
		facts.Bits = pub.N.BitLen()
	}
	for name, data := range files {
		facts.Files = append(facts.Files, letterFile{name, cert.Fingerprints(data, p.Certificate).Rows[0].SHA256.Hex})
	}
	slices.SortFunc(facts.Files, func(a, b letterFile) int { return strings.Compare(a.Name, b.Name) })
	var first, second bytes.Buffer
	if err := coveringLetter.Execute(&first, facts); err != nil {
		return nil, nil, err
	}
	err = checksumLetter.Execute(&second, facts)
	return first.Bytes(), second.Bytes(), err
}

// letterFacts are the data of the letters' templates.
type letterFacts struct {
	Profile, Environment, KeyID, MailFrom, OnePairPer, Serial, SerialDecimal string
	CommonName, Organization, Unit, Email                                    string
	AskKeyID                                                                 bool // the partner assigns it
	NotBefore, NotAfter                                                      string
	Bits                                                                     int
	Files                                                                    []letterFile
	Table                                                                    cert.FingerprintTable
	To, Date                                                                 string
	From                                                                     Sender
}

// oneLine returns text without line ends and other characters that could look like a line of
// the letter's own.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }), " ")
}

type letterFile struct{ Name, SHA256 string }

const letterTime = "2006-01-02 15:04 MST"

// letterHead and letterFoot begin and end both letters.
const (
	letterHead = `{{with .To}}To: {{.}}
{{end}}{{with .From.Name}}From: {{.}}{{with $.Organization}}, {{.}}{{end}}
{{end}}{{with .Date}}Date: {{.}}
{{end}}`
	letterFoot = `{{if or .From.Name .From.Email .From.Telephone}}
Questions: {{with .From.Name}}{{.}}{{end}}
{{- with .From.Email}}{{if $.From.Name}}, {{end}}{{.}}{{end}}
{{- with .From.Telephone}}{{if or $.From.Name $.From.Email}}, {{end}}telephone {{.}}{{end}}
{{end}}`
)

var coveringLetter = template.Must(template.New("covering").Parse(
	`Subject: {{.Profile}}: our certificate for {{.Environment}}
` + letterHead + `
Please find attached our certificate for {{.Profile}}, environment {{.Environment}}.
The same certificate is attached in four formats; any one of them will do. Some mail
systems remove attachments that end in .cer or .crt:
{{range .Files}}  {{.Name}}
{{end}}
  Common name    {{.CommonName}}
{{- with .Organization}}
  Organization   {{.}}{{end}}
{{- with .Unit}}
  Unit           {{.}}{{end}}
{{- with .Email}}
  Contact        {{.}}{{end}}
  Serial number  {{.Serial}} (decimal {{.SerialDecimal}})
{{- with .KeyID}}
  Key ID (alias) {{.}}{{end}}
  Key            RSA, {{.Bits}} bits, one pair per {{.OnePairPer}}, used for nothing else
  Valid          {{.NotBefore}} to {{.NotAfter}}

What to do:
  1. Wait for our second message, which holds the SHA-256 checksum, and compare it
     with the certificate that you received. If they differ, do not install it:
     call us at a number that you knew before.
  2. Install the certificate in {{.Environment}} only.
{{- if .AskKeyID}}
  3. Tell us the key ID (alias) that your messages will carry for this key.{{end}}
  {{if .AskKeyID}}4{{else}}3{{end}}. Tell us when it is installed. You can answer with these words:
       Installed in {{.Environment}}: the certificate with the serial number
       {{.Serial}}.
{{- if .AskKeyID}}
       Its key ID (alias) is: {{end}}
{{- with .MailFrom}}

Our mails about this certificate, such as the notice before it expires, will come
from {{.}}. Please let your filters pass them.{{end}}
` + letterFoot))

var checksumLetter = template.Must(template.New("checksum").Parse(
	`Subject: {{.Profile}}: checksum of our certificate for {{.Environment}}
` + letterHead + `
This is the second message. It holds the SHA-256 checksums of the certificate that
we sent you for {{.Profile}}, environment {{.Environment}}
(common name {{.CommonName}}, serial number {{.Serial}}).

The certificate itself, in any format (openssl x509 -fingerprint -sha256, keytool -printcert):
{{range .Table.Rows}}{{if eq .Of "the DER certificate"}}  {{.SHA256.Colons}}
  {{.SHA256.Hex}}
{{end}}{{end}}
The files as we sent them (sha256sum):
{{range .Files}}  {{.SHA256}}  {{.Name}}
{{end}}
If one of them matches, the certificate is ours. If none does, do not install it:
call us at a number that you knew before.
` + letterFoot))
