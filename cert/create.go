package cert

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Template describes a self-signed certificate. CommonName, NotBefore and Usages are
// required; [Check] says what a partner asks for beyond that.
type Template struct {
	// CommonName, Organization and Unit become the subject's CN, O and OU: at most 64
	// characters each (RFC 5280, appendix A.1).
	CommonName   string
	Organization string
	Unit         string
	// Email is the contact for renewals: a bare address in ASCII of at most 255
	// characters. It becomes an rfc822Name.
	Email string
	// Country is the two capital letters of ISO 3166, or empty.
	Country string
	// NotBefore is the start of the validity. It is cut to whole seconds, as X.509
	// requires.
	NotBefore time.Time
	// Validity is in calendar years, 1 to 10. Zero means 2.
	Validity int
	// Usages are "keyEncipherment", "digitalSignature", or both.
	Usages []string
}

// Create returns a self-signed certificate for the signer's RSA key, signed with
// SHA-256. The signer does not have to reveal its private key, so an HSM will do. The
// key must pass [CheckKey].
func Create(key crypto.Signer, t Template) (*x509.Certificate, error) {
	if key == nil {
		return nil, errors.New("create certificate: there is no key")
	}
	pub, ok := key.Public().(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("create certificate: the key is %T: only RSA keys are used; make one with GenerateKey",
			key.Public())
	}
	if err := CheckKey(pub); err != nil {
		return nil, fmt.Errorf("create certificate: %w", err)
	}
	unsigned, err := t.unsigned()
	if err != nil {
		return nil, fmt.Errorf("create certificate: %w", err)
	}
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("create certificate: encode the public key: %w", err)
	}
	// RFC 7093, section 2, method 4: no SHA-1, which FIPS mode forbids.
	id := sha256.Sum256(spki)
	unsigned.SubjectKeyId = id[:20]
	der, err := x509.CreateCertificate(rand.Reader, unsigned, unsigned, pub, key)
	if err != nil {
		return nil, fmt.Errorf("create certificate for %q: sign: %w", t.CommonName, err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("create certificate for %q: read it back: %w", t.CommonName, err)
	}
	return c, nil
}

func (t Template) unsigned() (*x509.Certificate, error) {
	if err := t.checkNames(); err != nil {
		return nil, err
	}
	if t.NotBefore.IsZero() {
		return nil, errors.New("the validity has no start: set NotBefore")
	}
	years := t.Validity
	if years == 0 {
		years = 2
	}
	if years < 1 || years > 10 {
		return nil, fmt.Errorf("validity of %d years: use 1 to 10 (partners accept two)", years)
	}
	usage, err := keyUsageOf(t.Usages)
	if err != nil {
		return nil, err
	}
	serial, err := randomSerial()
	if err != nil {
		return nil, err
	}
	from := t.NotBefore.UTC().Truncate(time.Second)
	return &x509.Certificate{
		SerialNumber: serial,
		Subject: pkix.Name{
			CommonName:         t.CommonName,
			Organization:       oneOrNone(t.Organization),
			OrganizationalUnit: oneOrNone(t.Unit),
			Country:            oneOrNone(t.Country),
		},
		NotBefore:             from,
		NotAfter:              from.AddDate(years, 0, 0),
		KeyUsage:              usage,
		BasicConstraintsValid: true,
		EmailAddresses:        oneOrNone(t.Email),
		SignatureAlgorithm:    x509.SHA256WithRSA,
	}, nil
}

func (t Template) checkNames() error {
	for _, f := range []struct {
		what, value string
		optional    bool
	}{
		{"common name (CN)", t.CommonName, false},
		{"organization (O)", t.Organization, true},
		{"organization unit (OU)", t.Unit, true},
	} {
		if f.optional && f.value == "" {
			continue
		}
		if err := checkText(f.what, f.value); err != nil {
			return err
		}
	}
	if t.Email != "" {
		if err := checkRFC822Name(t.Email); err != nil {
			return err
		}
	}
	if t.Country != "" && !isCountry(t.Country) {
		return fmt.Errorf("country (C) %q: use the two capital letters of ISO 3166, for example US, or leave it out",
			t.Country)
	}
	return nil
}

func oneOrNone(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

func keyUsageOf(names []string) (x509.KeyUsage, error) {
	if len(names) == 0 {
		return 0, errors.New(`there is no key usage: set "keyEncipherment", ` +
			`and "digitalSignature" if the same pair signs`)
	}
	var usage x509.KeyUsage
	for _, name := range names {
		switch name {
		case "keyEncipherment":
			usage |= x509.KeyUsageKeyEncipherment
		case "digitalSignature":
			usage |= x509.KeyUsageDigitalSignature
		default:
			return 0, fmt.Errorf(`key usage %q: use "keyEncipherment", "digitalSignature" or both`, name)
		}
	}
	return usage, nil
}

// randomSerial returns a positive number of 16 octets without a leading zero: RFC
// 5280, section 4.1.2.2, allows 20.
func randomSerial() (*big.Int, error) {
	var octets [16]byte
	if _, err := rand.Read(octets[:]); err != nil {
		return nil, fmt.Errorf("serial number: %w", err)
	}
	octets[0] = octets[0]&0x7f | 0x40
	return new(big.Int).SetBytes(octets[:]), nil
}

// Upper bounds of RFC 5280, appendix A.1 (ub-common-name and others).
const (
	maxName  = 64
	maxEmail = 255
)

func checkText(what, value string) error {
	switch {
	case strings.TrimSpace(value) == "":
		return fmt.Errorf("%s is empty: fill it in", what)
	case !utf8.ValidString(value):
		return fmt.Errorf("%s is not valid UTF-8: type it again", what)
	case utf8.RuneCountInString(value) > maxName:
		return fmt.Errorf("%s has %d characters: X.509 allows %d, shorten it",
			what, utf8.RuneCountInString(value), maxName)
	case strings.TrimSpace(value) != value:
		return fmt.Errorf("%s %q begins or ends with a blank: remove it", what, value)
	}
	if i := strings.IndexFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
		return fmt.Errorf("%s %q has a character that cannot be printed at position %d: remove it", what, value, i+1)
	}
	return nil
}

// CheckEmail returns an error if the text is not a bare mail address, such as
// keys@example.com.
func CheckEmail(address string) error {
	a, err := mail.ParseAddress(address)
	if err != nil || a.Address != address {
		return fmt.Errorf("%q is not a bare mail address such as keys@example.com: correct it", address)
	}
	return nil
}

// checkRFC822Name accepts a bare address in ASCII: an rfc822Name is an IA5String.
func checkRFC822Name(address string) error {
	switch {
	case address == "":
		return errors.New("contact email is empty: use the address of the team that renews the key")
	case len(address) > maxEmail:
		return fmt.Errorf("contact email has %d characters: at most %d are allowed", len(address), maxEmail)
	}
	if strings.IndexFunc(address, func(r rune) bool { return r <= ' ' || r >= 0x7f }) >= 0 {
		return fmt.Errorf("contact email %q: only ASCII without blanks fits into a certificate, "+
			"write it without accents",
			address)
	}
	if err := CheckEmail(address); err != nil {
		return fmt.Errorf("contact email %w", err)
	}
	return nil
}

func isCountry(s string) bool {
	return len(s) == 2 && !slices.ContainsFunc([]byte(s), func(b byte) bool { return b < 'A' || b > 'Z' })
}
