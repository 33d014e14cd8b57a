// Package keydir keeps a key pair and its certificate in a folder, in three folders
// within it, so that nobody sends the private key by accident:
//
//	private/             the private key (PKCS #8), for its owner only
//	1-send/              the certificate in several formats, and a covering letter
//	2-send-separately/   a letter with the SHA-256 checksums, for a second message
//
// No file is ever overwritten.
package keydir

import (
	"cmp"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/profile"
)

// The folders to send, each in a separate message.
const (
	SendFolder           = "1-send"
	SendSeparatelyFolder = "2-send-separately"

	privateFolder = "private"
	letterFile    = "letter.txt"
)

// Spec describes a key pair and certificate, and the folder that they are kept in.
type Spec struct {
	Folder      string
	Profile     *profile.Profile
	Environment string        // one of the profile's
	KeyID       string        // key ID (alias); empty if not known yet
	Request     cert.Template // subject and start; the profile sets key usage and validity
	Bits        int           // RSA size; 0: the profile's
	Passphrase  []byte        // encrypts the private key; empty: it is not encrypted

	// To and From are the receiver and the sender of the letters. The default of From's
	// address is that of the certificate.
	To   string
	From exchange.Sender
}

// MissingError reports that the profile requires a field of the certificate.
type MissingError struct {
	Profile string
	Field   string // "organization", "unit" or "email"
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("profile %s requires the certificate's %s", e.Profile, e.Field)
}

// KeyFile returns the name of the private key's file.
func (s *Spec) KeyFile() string {
	return filepath.Join(s.Folder, privateFolder, s.base()+".key")
}

// CertificateFile returns the name of the certificate's PEM file.
func (s *Spec) CertificateFile() string { return s.sent(".pem") }

// JWKFile returns the name of the file with the public key as a JWK. [Load] writes it.
func (s *Spec) JWKFile() string { return s.sent(".jwk") }

func (s *Spec) sent(extension string) string {
	return filepath.Join(s.Folder, SendFolder, s.base()+extension)
}

func (s *Spec) base() string { return exchange.BaseName(s.Request.CommonName, s.Environment) }

// Create makes a key pair and a self-signed certificate by the profile's rules, and writes
// the folders. If a file exists already, or the certificate lacks a field, it fails before
// it makes a key; in the latter case the error is a [MissingError].
func Create(s *Spec) (*x509.Certificate, error) {
	if !slices.Contains(s.Profile.Environments, s.Environment) {
		known := strings.Join(s.Profile.Environments, ", ")
		return nil, fmt.Errorf("environment %q is not one of the profile's: %s", s.Environment, known)
	}
	if err := s.checkFiles(); err != nil {
		return nil, err
	}
	if err := s.checkFields(); err != nil {
		return nil, err
	}
	bits := s.Bits
	if bits == 0 {
		bits = s.Profile.Keys.Bits
	}
	key, err := cert.GenerateKey(bits)
	if err != nil {
		return nil, err
	}
	request := s.Request
	request.Usages = s.Profile.Keys.Usage
	request.Validity = s.Profile.Certificate.Validity.MaxYears
	made, err := cert.Create(key, request)
	if err != nil {
		return nil, err
	}
	if err := s.check(made); err != nil {
		return nil, err
	}
	return made, s.write(key, made)
}

// checkFiles returns an error if a file of the set exists.
func (s *Spec) checkFiles() error {
	names := []string{
		s.KeyFile(), s.sent(".pem"), s.sent(".cer"), s.sent(".crt"), s.sent(".p7b"),
		filepath.Join(s.Folder, SendFolder, letterFile), filepath.Join(s.Folder, SendSeparatelyFolder, letterFile),
	}
	for _, name := range names {
		if err := newfile.Check(name); err != nil {
			return err
		}
	}
	return nil
}

func (s *Spec) checkFields() error {
	for _, f := range []struct {
		name, value string
		need        cert.Presence
	}{
		{"organization", s.Request.Organization, s.Profile.Certificate.Organization},
		{"unit", s.Request.Unit, s.Profile.Certificate.Unit},
		{"email", s.Request.Email, s.Profile.Certificate.Email},
	} {
		if f.value == "" && f.need == cert.PresenceRequired {
			return &MissingError{Profile: s.Profile.Name, Field: f.name}
		}
	}
	return nil
}

// check applies the partner's rules to the certificate and its key ID.
func (s *Spec) check(made *x509.Certificate) error {
	for _, r := range cert.Check(made, s.Profile.Certificate, s.Request.NotBefore) {
		if r.Level == cert.Refused {
			return fmt.Errorf("the partner would refuse this certificate: %s: %s", r.Name, r.Remedy)
		}
	}
	if s.KeyID == "" {
		return nil
	}
	if err := CheckKeyID(s.Profile.Certificate, s.KeyID, s.Environment, made.PublicKey.(*rsa.PublicKey)); err != nil {
		return fmt.Errorf("key ID %q: %w", s.KeyID, err)
	}
	return nil
}

// CheckKeyID returns an error if a key ID does not have the form that d requires, or names
// another key or environment. Without an environment, it uses the one in the key ID.
func CheckKeyID(d cert.Policy, keyID, environment string, public *rsa.PublicKey) error {
	if public == nil {
		return errors.New("the certificate has no RSA key, so the key ID cannot be its name")
	}
	if err := d.CheckKeyID(keyID); err != nil || d.KeyIDFormat != cert.KeyIDSixPart {
		return err
	}
	id, err := cert.ParseKeyID(keyID)
	if err != nil {
		return err
	}
	if environment == "" {
		environment = id.Environment
	}
	return id.Check(public, environment)
}

func (s *Spec) write(key *rsa.PrivateKey, made *x509.Certificate) error {
	private, err := keyfile.EncodePrivate(key, s.Passphrase)
	if err != nil {
		return err
	}
	defer clear(private)
	folder := filepath.Join(s.Folder, privateFolder)
	if err := makeFolder(folder, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(folder, 0o700); err != nil { // it may have existed with other permissions
		return err
	}
	if err := newfile.Write(s.KeyFile(), private, 0o600); err != nil {
		return err
	}
	from := s.From
	from.Email = cmp.Or(from.Email, s.Request.Email)
	return WriteOffer(s.Folder, exchange.OfferPackage{
		Profile: s.Profile, Environment: s.Environment, KeyID: s.KeyID, Certificate: made,
		To: s.To, From: from, Date: s.Request.NotBefore,
	})
}

// WriteOffer writes the two folders to send to a partner into folder.
func WriteOffer(folder string, p exchange.OfferPackage) error {
	files, err := p.Files()
	if err != nil {
		return err
	}
	covering, checksums, err := p.Letters()
	if err != nil {
		return err
	}
	files[letterFile] = covering
	for _, name := range []string{SendFolder, SendSeparatelyFolder} {
		if err := makeFolder(filepath.Join(folder, name), 0o755); err != nil {
			return err
		}
	}
	for name, data := range files {
		if err := newfile.Write(filepath.Join(folder, SendFolder, name), data, 0o644); err != nil {
			return err
		}
	}
	return newfile.Write(filepath.Join(folder, SendSeparatelyFolder, letterFile), checksums, 0o644)
}

// makeFolder makes a folder if there is none. It refuses a link, which might put the
// private key into a folder that is sent.
func makeFolder(name string, perm fs.FileMode) error {
	if err := os.MkdirAll(name, perm); err != nil {
		return err
	}
	if info, err := os.Lstat(name); err != nil || !info.IsDir() {
		return fmt.Errorf("%s is not a real folder (%v): choose another one", name, err)
	}
	return nil
}
