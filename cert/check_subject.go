package cert

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/termtext"
)

var (
	oidEmailAddress = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1} // RFC 5280, section 4.1.2.6
	oidSAN          = asn1.ObjectIdentifier{2, 5, 29, 17}
)

// subjectRules look for what the partner needs to find the owner again.
func subjectRules(c *x509.Certificate, d Demand) []Rule {
	var email string
	var emails []string
	emails = append(emails, c.EmailAddresses...)
	for _, a := range c.Subject.Names {
		if text, ok := a.Value.(string); ok && a.Type.Equal(oidEmailAddress) {
			emails = append(emails, text)
		}
	}
	for _, e := range emails {
		if checkEmail(e) == nil {
			email = e
			break
		}
	}
	contact := present("email", "Contact email", d.Email, email,
		"Issue it again with the address of the team that renews the key; with openssl add -addext subjectAltName=email:keys@example.com.")
	if email == "" && len(emails) > 0 {
		contact.Found = "no mail address: " + termtext.Quote(emails[0])
	}
	return []Rule{
		present("common-name", "Common name (CN)", d.CommonName, c.Subject.CommonName,
			"Issue it again with a common name; with openssl add /CN=… to -subj."),
		present("organization", "Organization (O)", d.Organization, first(c.Subject.Organization),
			"Issue it again with your organization; with openssl add /O=… to -subj."),
		present("unit", "Organization unit (OU)", d.Unit, first(c.Subject.OrganizationalUnit),
			"Issue it again with your organization unit; with openssl add /OU=… to -subj."),
		contact,
	}
}

func present(code, name string, need Need, value, do string) Rule {
	r := Rule{Code: code, Name: name, Found: "missing", Wanted: "optional"}
	if need == Required {
		r.Wanted = "required"
	}
	missing := strings.TrimSpace(value) == ""
	if !missing {
		r.Found = termtext.Quote(value)
	}
	return r.wants(!missing || need != Required, Refused, do)
}

func first(values []string) string {
	for _, v := range values {
		if strings.TrimSpace(v) != "" {
			return v
		}
	}
	return ""
}

// validityLength compares calendar years, because 730 days are two years only
// when no leap day is among them. The end is inclusive (RFC 5280, section
// 4.1.2.5), and exactly two years are taken as two years.
func validityLength(c *x509.Certificate, d Demand) Rule {
	maxYears := d.maxYears()
	days := int(c.NotAfter.Sub(c.NotBefore) / (24 * time.Hour))
	r := Rule{
		Code: "validity-length", Name: "Length of validity",
		Found:  fmt.Sprintf("%d days (%s to %s)", days, date(c.NotBefore), date(c.NotAfter)),
		Wanted: fmt.Sprintf("at most %d years", maxYears),
	}
	if c.NotAfter.Before(c.NotBefore) {
		r.Found = fmt.Sprintf("it ends (%s) before it begins (%s)", date(c.NotAfter), date(c.NotBefore))
		return r.wants(false, Refused, fmt.Sprintf("Issue it again with the dates in order, for %d years.", maxYears))
	}
	if c.NotAfter.After(c.NotBefore.AddDate(maxYears, 0, 0)) {
		return r.wants(false, Refused, fmt.Sprintf("Issue it again for %d years: with openssl -days %d, with keytool -validity %[2]d.", maxYears, 365*maxYears))
	}
	if warn := d.Validity.WarnBelowYears; warn > 0 {
		r.Wanted += fmt.Sprintf(", not less than %d", warn)
		// Issuers count 365 days to the year and leave off the last second.
		shortest := c.NotBefore.AddDate(0, 0, 365*warn-1)
		return r.wants(!c.NotAfter.Before(shortest), Warning,
			fmt.Sprintf("It can be used, but it has to be renewed early: next time issue it for %d years, with openssl -days %d.", warn, 365*warn))
	}
	return r.wants(true, OK, "")
}

func validityNow(c *x509.Certificate, now time.Time) Rule {
	r := Rule{
		Code: "validity-now", Name: "Valid now",
		Found:  fmt.Sprintf("valid from %s to %s", date(c.NotBefore), date(c.NotAfter)),
		Wanted: "valid on " + date(now),
	}
	switch early := c.NotBefore.Sub(now); {
	case now.After(c.NotAfter):
		return r.wants(false, Refused, "The certificate has expired: make a new key pair and a new certificate.")
	case early > notYetValidGrace:
		return r.wants(false, Refused, fmt.Sprintf("It becomes valid only on %s: send it within 30 days of that, or check the clock of the machine that made it.", date(c.NotBefore)))
	case early > 0:
		return r.wants(false, Warning, fmt.Sprintf("It becomes valid on %s: it can be staged, do not activate it before.", date(c.NotBefore)))
	}
	return r.wants(true, OK, "")
}

func date(t time.Time) string {
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// names counts the raw entries: crypto/x509 leaves out the kinds that it does
// not know.
func names(c *x509.Certificate) Rule {
	count := 0
	for _, e := range c.Extensions {
		if !e.Id.Equal(oidSAN) {
			continue
		}
		var list asn1.RawValue
		if _, err := asn1.Unmarshal(e.Value, &list); err != nil {
			continue
		}
		for rest := list.Bytes; len(rest) > 0 && count <= maxNames; count++ {
			var one asn1.RawValue
			var err error
			if rest, err = asn1.Unmarshal(rest, &one); err != nil {
				break
			}
		}
	}
	count = max(count, len(c.Subject.Names))
	found := fmt.Sprintf("at most %d", count)
	if count > maxNames {
		found = fmt.Sprintf("more than %d", maxNames)
	}
	return Rule{Code: "names", Name: "Number of names", Found: found, Wanted: fmt.Sprintf("at most %d", maxNames)}.
		wants(count <= maxNames, Refused, "Issue it again with the names of this one use only: no host names are needed.")
}
