package main

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/profile"
)

// certSet is a key pair and certificate on their way to a partner, in three
// folders, so that nobody sends the secret by accident.
type certSet struct {
	dir         string
	profile     *profile.Profile
	environment string
	keyID       string
	request     cert.Request
	passphrase  []byte

	certificate *x509.Certificate
	forms       map[string][]byte
}

// create makes the pair and writes the folders.
func (s *certSet) create(bits int) error {
	if !slices.Contains(s.profile.Environments, s.environment) {
		return fmt.Errorf("environment %q is not one of the profile's: %s", s.environment, strings.Join(s.profile.Environments, ", "))
	}
	for _, name := range []string{s.keyFile(), s.file(".pem"), s.file(".cer"), s.file(".crt"), s.file(".p7b"), s.letterFile("1-send"), s.letterFile("2-send-separately")} {
		if _, err := os.Lstat(name); err == nil {
			return fmt.Errorf("%s exists; nothing is overwritten: choose another --out", name)
		}
	}
	s.request.Usages = s.profile.Keys.Usage
	s.request.Validity = s.profile.Certificate.Validity.MaxYears
	if err := s.checkFields(); err != nil {
		return err
	}
	key, err := cert.GenerateKey(bits)
	if err != nil {
		return err
	}
	if s.certificate, err = cert.Create(key, s.request); err != nil {
		return err
	}
	if err := s.checkOwn(); err != nil {
		return err
	}
	if s.forms, err = cert.WriteForms(s.certificate); err != nil {
		return err
	}
	return s.write(key)
}

// checkFields finds what the profile demands, before a key is made.
func (s *certSet) checkFields() error {
	for _, f := range []struct {
		flag, value string
		need        cert.Need
	}{
		{"org", s.request.Organization, s.profile.Certificate.Organization},
		{"unit", s.request.Unit, s.profile.Certificate.Unit},
		{"email", s.request.Email, s.profile.Certificate.Email},
	} {
		if f.value == "" && f.need == cert.Required {
			return &exit{exitUsage, fmt.Errorf("profile %s demands it: give --%s", s.profile.Name, f.flag)}
		}
	}
	return nil
}

// checkOwn holds what was made against the partner's own rules.
func (s *certSet) checkOwn() error {
	for _, r := range cert.Check(s.certificate, s.profile.Certificate, s.request.NotBefore) {
		if r.Level == cert.Refused {
			return fmt.Errorf("the partner would refuse this certificate: %s: %s", r.Name, r.Do)
		}
	}
	if s.keyID == "" {
		return nil
	}
	rule := keyIDRule(s.profile.Certificate, s.keyID, s.environment, &cert.File{PublicKey: s.certificate.PublicKey.(*rsa.PublicKey)})
	if rule.Level == cert.Refused {
		return fmt.Errorf("key ID %q: %s", s.keyID, rule.Do)
	}
	return nil
}

// base names the files: the common name, cut to harmless characters.
func (s *certSet) base() string {
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-':
			return r
		}
		return '-'
	}, s.request.CommonName)
	if len(name) > 40 {
		name = name[:40]
	}
	if name = strings.Trim(name, "-"); name == "" {
		name = fmt.Sprintf("certificate-%08x", crc32.ChecksumIEEE([]byte(s.request.CommonName)))
	}
	return name + "-" + strings.ToLower(s.environment)
}

func (s *certSet) keyFile() string { return filepath.Join(s.dir, "private", s.base()+".key") }

func (s *certSet) letterFile(folder string) string { return filepath.Join(s.dir, folder, "letter.txt") }

func (s *certSet) file(ext string) string { return filepath.Join(s.dir, "1-send", s.base()+ext) }

func (s *certSet) write(key *rsa.PrivateKey) error {
	private, err := cert.EncodePrivate(key, s.passphrase)
	if err != nil {
		return err
	}
	defer clear(private)
	for dir, mode := range map[string]os.FileMode{"private": 0o700, "1-send": 0o755, "2-send-separately": 0o755} {
		dir = filepath.Join(s.dir, dir)
		if err := os.MkdirAll(dir, mode); err != nil {
			return err
		}
		if info, err := os.Lstat(dir); err != nil || !info.IsDir() { // a link may lead the key to where it is sent from
			return fmt.Errorf("%s is not a folder of its own (%v): choose another --out", dir, err)
		}
	}
	// The folder may have been there with other rights.
	if err := os.Chmod(filepath.Join(s.dir, "private"), 0o700); err != nil {
		return err
	}
	if err := writeNew(s.keyFile(), private, 0o600); err != nil {
		return err
	}
	for ext, data := range s.forms {
		if err := writeNew(s.file(ext), data, 0o644); err != nil {
			return err
		}
	}
	if err := writeNew(s.letterFile("1-send"), s.letter(coveringLetter), 0o644); err != nil {
		return err
	}
	return writeNew(s.letterFile("2-send-separately"), s.letter(checksumLetter), 0o644)
}

// writeNew writes a file that must not exist yet, and sees it onto the disk.
func writeNew(name string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s exists; nothing is overwritten: choose another folder", name)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

func (s *certSet) report(w io.Writer) {
	fmt.Fprintf(w, "Made an RSA %d key pair and a certificate valid until %s.\n\n", s.certificate.PublicKey.(*rsa.PublicKey).N.BitLen(), s.certificate.NotAfter.UTC().Format(time.DateOnly))
	fmt.Fprintf(w, "  %s\n      the private key. It stays here%s.\n", s.keyFile(), map[bool]string{true: ", encrypted", false: "; it is NOT encrypted (give a passphrase to encrypt it)"}[len(s.passphrase) > 0])
	fmt.Fprintf(w, "  %s\n      send these to the partner, with the letter.\n", filepath.Join(s.dir, "1-send"))
	fmt.Fprintf(w, "  %s\n      send this letter by another message, so that the partner can check the first.\n", filepath.Join(s.dir, "2-send-separately"))
}

// letterFacts are what the letters' templates see.
type letterFacts struct {
	Profile, Environment, KeyID, OnePairPer, Serial, SerialDecimal string
	AskKeyID                                                       bool // the partner assigns it
	Request                                                        cert.Request
	Certificate                                                    *x509.Certificate
	Bits                                                           int
	Files                                                          []letterFile
	Table                                                          cert.FingerprintTable
}

type letterFile struct{ Name, SHA256 string }

func (s *certSet) letter(t *template.Template) []byte {
	facts := letterFacts{
		Profile: s.profile.Title, Environment: s.environment, KeyID: s.keyID, OnePairPer: s.profile.Keys.OnePairPer,
		Serial: fmt.Sprintf("%x", s.certificate.SerialNumber), SerialDecimal: s.certificate.SerialNumber.String(),
		AskKeyID: s.keyID == "" && s.profile.Certificate.KeyIDFormat == cert.KeyIDSixPart, Request: s.request, Certificate: s.certificate, Bits: s.certificate.PublicKey.(*rsa.PublicKey).N.BitLen(),
		Table: cert.Fingerprints(nil, s.certificate),
	}
	for ext, data := range s.forms {
		facts.Files = append(facts.Files, letterFile{s.base() + ext, cert.Fingerprints(data, s.certificate).Rows[0].SHA256.Hex})
	}
	slices.SortFunc(facts.Files, func(a, b letterFile) int { return strings.Compare(a.Name, b.Name) })
	var b bytes.Buffer
	must(t.Execute(&b, facts)) // the template and its data are ours
	return b.Bytes()
}

var coveringLetter = template.Must(template.New("covering").Parse(`Subject: {{.Profile}}: our certificate for {{.Environment}}

Please find attached our certificate for {{.Profile}}, environment {{.Environment}}.
The same certificate is attached in four formats; any one of them will do:
{{range .Files}}  {{.Name}}
{{end}}
  Common name    {{.Request.CommonName}}
{{- with .Request.Organization}}
  Organization   {{.}}{{end}}
{{- with .Request.Unit}}
  Unit           {{.}}{{end}}
{{- with .Request.Email}}
  Contact        {{.}}{{end}}
  Serial number  {{.Serial}} (decimal {{.SerialDecimal}})
{{- with .KeyID}}
  Key ID (alias) {{.}}{{end}}
  Key            RSA, {{.Bits}} bits, one pair per {{.OnePairPer}}, used for nothing else
  Valid          {{.Certificate.NotBefore.UTC.Format "2006-01-02 15:04 MST"}} to {{.Certificate.NotAfter.UTC.Format "2006-01-02 15:04 MST"}}

What to do:
  1. Wait for our second message, which holds the SHA-256 checksum, and compare it
     with the certificate that you received. If they differ, do not install it:
     call us at a number that you knew before.
  2. Install the certificate in {{.Environment}} only.
{{- if .AskKeyID}}
  3. Tell us the key ID (alias) that your messages will carry for this key.{{end}}
  {{if .AskKeyID}}4{{else}}3{{end}}. Tell us when it is installed.
`))

var checksumLetter = template.Must(template.New("checksum").Parse(`Subject: {{.Profile}}: checksum of our certificate for {{.Environment}}

This is the second message. It holds the SHA-256 checksums of the certificate that
we sent you for {{.Profile}}, environment {{.Environment}}
(common name {{.Request.CommonName}}, serial number {{.Serial}}).

The certificate itself, in any format (openssl x509 -fingerprint -sha256, keytool -printcert):
{{range .Table.Rows}}{{if eq .Of "the DER certificate"}}  {{.SHA256.Colons}}
  {{.SHA256.Hex}}
{{end}}{{end}}
The files as we sent them (sha256sum):
{{range .Files}}  {{.SHA256}}  {{.Name}}
{{end}}
If one of them matches, the certificate is ours. If none does, do not install it:
call us at a number that you knew before.
`))
