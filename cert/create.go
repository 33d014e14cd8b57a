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

// Upper bounds of RFC 5280, appendix A.1 (ub-common-name and its siblings).
const (
	maxName  = 64
	maxEmail = 255
)

// Request says what a self-signed certificate states about its owner. Only the
// common name, the start and the usages must be given; what a partner demands
// beyond that is for Check to say.
type Request struct {
	CommonName   string
	Organization string
	Unit         string
	Email        string    // contact for renewals; becomes the rfc822Name
	Country      string    // two letters, or empty
	NotBefore    time.Time // cut to whole seconds, as X.509 demands
	Validity     int       // years, 1 to 10; 0 means 2
	Usages       []string  // "keyEncipherment", "digitalSignature", or both
}

// Create makes a self-signed certificate for the signer's RSA key. The signer
// need not give up its private key, so an HSM will do.
func Create(key crypto.Signer, req Request) (*x509.Certificate, error) {
	if key == nil {
		return nil, errors.New("create certificate: no key was given")
	}
	pub, ok := key.Public().(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("create certificate: the key is %T: only RSA keys are used; make one with GenerateKey", key.Public())
	}
	if err := CheckKey(pub); err != nil {
		return nil, fmt.Errorf("create certificate: %w", err)
	}
	template, err := req.template()
	if err != nil {
		return nil, fmt.Errorf("create certificate: %w", err)
	}
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("create certificate: encode the public key: %w", err)
	}
	// RFC 7093, section 2, method 4: no SHA-1, which FIPS mode forbids.
	id := sha256.Sum256(spki)
	template.SubjectKeyId = id[:20]
	der, err := x509.CreateCertificate(rand.Reader, template, template, pub, key)
	if err != nil {
		return nil, fmt.Errorf("create certificate for %q: sign: %w", req.CommonName, err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("create certificate for %q: read it back: %w", req.CommonName, err)
	}
	return c, nil
}

func (r Request) template() (*x509.Certificate, error) {
	for _, f := range []struct {
		what, value string
		optional    bool
	}{
		{"common name (CN)", r.CommonName, false},
		{"organization (O)", r.Organization, true},
		{"organization unit (OU)", r.Unit, true},
	} {
		if f.optional && f.value == "" {
			continue
		}
		if err := checkText(f.what, f.value); err != nil {
			return nil, err
		}
	}
	if r.Email != "" {
		if err := checkEmail(r.Email); err != nil {
			return nil, err
		}
	}
	if r.Country != "" && !isCountry(r.Country) {
		return nil, fmt.Errorf("country (C) %q: give the two capital letters of ISO 3166, for example US, or leave it out", r.Country)
	}
	if r.NotBefore.IsZero() {
		return nil, errors.New("no start of validity was given: set NotBefore")
	}
	years := r.Validity
	if years == 0 {
		years = 2
	}
	if years < 1 || years > 10 {
		return nil, fmt.Errorf("validity of %d years: give 1 to 10 (partners take two)", years)
	}
	usage, err := keyUsageOf(r.Usages)
	if err != nil {
		return nil, err
	}
	serial, err := randomSerial()
	if err != nil {
		return nil, err
	}
	subject := pkix.Name{
		CommonName:         r.CommonName,
		Organization:       given(r.Organization),
		OrganizationalUnit: given(r.Unit),
		Country:            given(r.Country),
	}
	from := r.NotBefore.UTC().Truncate(time.Second)
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               subject,
		NotBefore:             from,
		NotAfter:              from.AddDate(years, 0, 0),
		KeyUsage:              usage,
		BasicConstraintsValid: true,
		EmailAddresses:        given(r.Email),
		SignatureAlgorithm:    x509.SHA256WithRSA,
	}, nil
}

// given is the one value, or none where it is empty.
func given(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

func keyUsageOf(names []string) (x509.KeyUsage, error) {
	if len(names) == 0 {
		return 0, errors.New(`no key usage was given: set "keyEncipherment", and "digitalSignature" where the same pair signs`)
	}
	var usage x509.KeyUsage
	for _, name := range names {
		switch name {
		case "keyEncipherment":
			usage |= x509.KeyUsageKeyEncipherment
		case "digitalSignature":
			usage |= x509.KeyUsageDigitalSignature
		default:
			return 0, fmt.Errorf(`key usage %q: give "keyEncipherment", "digitalSignature" or both`, name)
		}
	}
	return usage, nil
}

// randomSerial returns 16 octets, positive and without a leading zero: RFC 5280,
// section 4.1.2.2, allows 20 and asks for positive.
func randomSerial() (*big.Int, error) {
	var octets [16]byte
	if _, err := rand.Read(octets[:]); err != nil {
		return nil, fmt.Errorf("serial number: %w", err)
	}
	octets[0] = octets[0]&0x7f | 0x40
	return new(big.Int).SetBytes(octets[:]), nil
}

func checkText(what, value string) error {
	switch {
	case strings.TrimSpace(value) == "":
		return fmt.Errorf("%s is empty: give one", what)
	case !utf8.ValidString(value):
		return fmt.Errorf("%s is not valid UTF-8: type it again", what)
	case utf8.RuneCountInString(value) > maxName:
		return fmt.Errorf("%s has %d characters: X.509 allows %d, shorten it", what, utf8.RuneCountInString(value), maxName)
	case strings.TrimSpace(value) != value:
		return fmt.Errorf("%s %q begins or ends with a blank: remove it", what, value)
	}
	if i := strings.IndexFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
		return fmt.Errorf("%s %q has a character that cannot be printed at position %d: remove it", what, value, i+1)
	}
	return nil
}

// checkEmail takes a bare address in ASCII: an rfc822Name is an IA5String.
func checkEmail(value string) error {
	switch {
	case value == "":
		return errors.New("contact email is empty: give the address of the team that renews the key")
	case len(value) > maxEmail:
		return fmt.Errorf("contact email has %d characters: at most %d are allowed", len(value), maxEmail)
	}
	if strings.IndexFunc(value, func(r rune) bool { return r <= ' ' || r >= 0x7f }) >= 0 {
		return fmt.Errorf("contact email %q: only ASCII without blanks fits into a certificate, write it without accents", value)
	}
	a, err := mail.ParseAddress(value)
	if err != nil || a.Address != value {
		return fmt.Errorf("contact email %q is not a bare mail address such as keys@example.com: correct it", value)
	}
	return nil
}

func isCountry(s string) bool {
	return len(s) == 2 && !slices.ContainsFunc([]byte(s), func(b byte) bool { return b < 'A' || b > 'Z' })
}
