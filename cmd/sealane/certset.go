package main

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/keyfile"
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
	rule := keyIDRule(s.profile.Certificate, s.keyID, s.environment, &keyfile.File{PublicKey: s.certificate.PublicKey.(*rsa.PublicKey)})
	if rule.Level == cert.Refused {
		return fmt.Errorf("key ID %q: %s", s.keyID, rule.Do)
	}
	return nil
}

// base names the files, see exchange.Parcel.
func (s *certSet) base() string { return exchange.BaseName(s.request.CommonName, s.environment) }

func (s *certSet) keyFile() string { return filepath.Join(s.dir, "private", s.base()+".key") }

func (s *certSet) letterFile(folder string) string { return filepath.Join(s.dir, folder, "letter.txt") }

func (s *certSet) file(ext string) string { return filepath.Join(s.dir, "1-send", s.base()+ext) }

func (s *certSet) write(key *rsa.PrivateKey) error {
	private, err := keyfile.EncodePrivate(key, s.passphrase)
	if err != nil {
		return err
	}
	defer clear(private)
	if err := ownFolder(filepath.Join(s.dir, "private"), 0o700); err != nil { // a link may lead the key to where it is sent from
		return err
	}
	// The folder may have been there with other rights.
	if err := os.Chmod(filepath.Join(s.dir, "private"), 0o700); err != nil {
		return err
	}
	if err := writeNew(s.keyFile(), private, 0o600); err != nil {
		return err
	}
	return writeParcel(s.dir, exchange.Parcel{Profile: s.profile, Environment: s.environment, KeyID: s.keyID, Certificate: s.certificate})
}

// writeNew writes a file that must not exist yet, and sees it onto the disk.
func writeNew(name string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, os.ErrExist) {
		return taken(name)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// mustBeNew refuses a file that is there, before anything is done that would go into it.
func mustBeNew(name string) error {
	if name == "" {
		return nil
	}
	if name == "-" {
		return errors.New("- is no file to write: name one")
	}
	if _, err := os.Lstat(name); err == nil {
		return taken(name)
	}
	return nil
}

func taken(name string) error {
	return fmt.Errorf("%s: %w; nothing is overwritten: choose another name", name, os.ErrExist)
}

func (s *certSet) report(w io.Writer) {
	fmt.Fprintf(w, "Made an RSA %d key pair and a certificate valid until %s.\n\n", s.certificate.PublicKey.(*rsa.PublicKey).N.BitLen(), s.certificate.NotAfter.UTC().Format(time.DateOnly))
	fmt.Fprintf(w, "  %s\n      the private key. It stays here%s.\n", s.keyFile(), map[bool]string{true: ", encrypted", false: "; it is NOT encrypted (give a passphrase to encrypt it)"}[len(s.passphrase) > 0])
	fmt.Fprintf(w, "  %s\n      send these to the partner, with the letter.\n", filepath.Join(s.dir, "1-send"))
	fmt.Fprintf(w, "  %s\n      send this letter by another message, so that the partner can check the first.\n", filepath.Join(s.dir, "2-send-separately"))
}
