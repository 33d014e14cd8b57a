package cert

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/termtext"
)

var oidEmailAddress = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1} // RFC 5280, section 4.1.2.6

// subject checks the names by which a partner finds the certificate's owner.
func subject(c *x509.Certificate, p Policy) []Finding {
	return []Finding{
		present("common-name", "Common name (CN)", p.CommonName, c.Subject.CommonName,
			"Issue it again with a common name; with openssl add /CN=… to -subj."),
		present("organization", "Organization (O)", p.Organization, first(c.Subject.Organization),
			"Issue it again with your organization; with openssl add /O=… to -subj."),
		present("unit", "Organization unit (OU)", p.Unit, first(c.Subject.OrganizationalUnit),
			"Issue it again with your organization unit; with openssl add /OU=… to -subj."),
		contact(c, p.Email), characters(c),
	}
}

// characters warns about names with characters that can't be seen, or that change the order of
// others: the name may be read as another's.
func characters(c *x509.Certificate) Finding {
	names := append([]string{}, c.EmailAddresses...)
	for _, a := range append(c.Subject.Names, c.Issuer.Names...) {
		if text, ok := a.Value.(string); ok {
			names = append(names, text)
		}
	}
	const plain = "characters that can be seen"
	f := Finding{Code: "name-characters", Name: "Characters of the names", Found: plain, Wanted: plain}
	odd := slices.IndexFunc(names, func(name string) bool { return termtext.Safe(name, len(name)) != name })
	if odd >= 0 {
		f.Found = termtext.Quote(names[odd])
	}
	return f.orElse(odd < 0, Warning, "Issue it again without control characters and invisible ones; "+
		"or compare the name with the one that the partner says.")
}

func contact(c *x509.Certificate, presence Presence) Finding {
	emails := append([]string(nil), c.EmailAddresses...)
	for _, a := range c.Subject.Names {
		if text, ok := a.Value.(string); ok && a.Type.Equal(oidEmailAddress) {
			emails = append(emails, text)
		}
	}
	usable := ""
	for _, e := range emails {
		if checkRFC822Name(e) == nil {
			usable = e
			break
		}
	}
	f := present("email", "Contact email", presence, usable, "Issue it again with the address of the team "+
		"that renews the key; with openssl add -addext subjectAltName=email:keys@example.com.")
	if usable == "" && len(emails) > 0 {
		f.Found = "no mail address: " + termtext.Quote(emails[0])
	}
	return f
}

func present(code, name string, presence Presence, value, remedy string) Finding {
	f := Finding{Code: code, Name: name, Found: "missing", Wanted: "optional"}
	if presence == PresenceRequired {
		f.Wanted = "required"
	}
	missing := strings.TrimSpace(value) == ""
	if !missing {
		f.Found = termtext.Quote(value)
	}
	return f.orElse(!missing || presence != PresenceRequired, Refused, remedy)
}

func first(values []string) string {
	for _, v := range values {
		if strings.TrimSpace(v) != "" {
			return v
		}
	}
	return ""
}

// validityLength compares calendar years, because 730 days are two years only if no
// leap day is among them. NotAfter is inclusive (RFC 5280, section 4.1.2.5); exactly
// two years count as two years.
func validityLength(c *x509.Certificate, p Policy) Finding {
	maxYears := p.maxYears()
	days := int(c.NotAfter.Sub(c.NotBefore) / (24 * time.Hour))
	f := Finding{
		Code: "validity-length", Name: "Length of validity",
		Found:  fmt.Sprintf("%d days (%s to %s)", days, date(c.NotBefore), date(c.NotAfter)),
		Wanted: fmt.Sprintf("at most %d years", maxYears),
	}
	if c.NotAfter.Before(c.NotBefore) {
		f.Found = fmt.Sprintf("it ends (%s) before it begins (%s)", date(c.NotAfter), date(c.NotBefore))
		return f.orElse(false, Refused, fmt.Sprintf("Issue it again with the dates in order, for %d years.", maxYears))
	}
	if c.NotAfter.After(c.NotBefore.AddDate(maxYears, 0, 0)) {
		return f.orElse(false, Refused, fmt.Sprintf("Issue it again for %d years: with openssl -days %d, "+
			"with keytool -validity %[2]d.", maxYears, 365*maxYears))
	}
	if warn := p.Validity.WarnBelowYears; warn > 0 {
		f.Wanted += fmt.Sprintf(", not less than %d", warn)
		// Issuers count 365 days to the year and leave off the last second.
		shortest := c.NotBefore.AddDate(0, 0, 365*warn-1)
		return f.orElse(!c.NotAfter.Before(shortest), Warning, fmt.Sprintf("It can be used, but it has to be renewed "+
			"early: next time issue it for %d years, with openssl -days %d.", warn, 365*warn))
	}
	return f.orElse(true, OK, "")
}

// notYetValidGrace is how early a certificate is accepted: partners send a renewal
// before it becomes valid.
const notYetValidGrace = 30 * 24 * time.Hour

func validityNow(c *x509.Certificate, now time.Time) Finding {
	f := Finding{
		Code: "validity-now", Name: "Valid now",
		Found:  fmt.Sprintf("valid from %s to %s", date(c.NotBefore), date(c.NotAfter)),
		Wanted: "valid on " + date(now),
	}
	switch early := c.NotBefore.Sub(now); {
	case now.After(c.NotAfter):
		return f.orElse(false, Refused, "The certificate has expired: make a new key pair and a new certificate.")
	case early > notYetValidGrace:
		return f.orElse(false, Refused, fmt.Sprintf("It becomes valid only on %s: send it within 30 days of that, "+
			"or check the clock of the machine that made it.", date(c.NotBefore)))
	case early > 0:
		return f.orElse(false, Warning, fmt.Sprintf("It becomes valid on %s: it can be staged, "+
			"do not activate it before.", date(c.NotBefore)))
	}
	return f.orElse(true, OK, "")
}

func date(t time.Time) string {
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}
