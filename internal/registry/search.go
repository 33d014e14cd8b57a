package registry

import (
	"crypto/x509"
	"strings"
	"time"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Fold returns a text in the one case in which texts are searched: two that people take for the
// same are the same. It has no NUL, which a database may not store.
func Fold(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
	return cases.Fold().String(norm.NFKC.String(text))
}

// The methods below return the texts of a row that people search by a part of.

// SearchTexts returns the identity and the name.
func (p Partner) SearchTexts() []string { return []string{p.ID, p.Name} }

// SearchTexts returns the names and addresses of the contacts, the account and the sender of mails.
func (e Environment) SearchTexts() []string {
	texts := []string{e.Account, e.MailFrom}
	for _, c := range e.Contacts {
		texts = append(texts, c.Name, c.Email)
	}
	return texts
}

// SearchTexts returns the label, and the first characters of the key.
func (k APIKey) SearchTexts() []string { return []string{k.Label, k.Prefix} }

// SearchTexts returns the common name, the key ID, and the mail addresses.
func (c Certificate) SearchTexts() []string {
	texts := []string{c.CommonName, c.KeyID}
	if leaf, err := x509.ParseCertificate(c.DER); err == nil { // else it is a damaged row
		texts = append(texts, leaf.EmailAddresses...)
	}
	return texts
}

// PartnerQuery selects partners. Empty fields select all.
type PartnerQuery struct {
	Page
	Containing  string // a part of one of the SearchTexts, in any case
	Profile     string
	NotArchived bool
}

// AuditQuery selects records of the audit log. Empty fields select all.
type AuditQuery struct {
	Partner, Environment string

	Who      string // the person or program
	Action   Action
	Subjects []string  // one of them
	Records  []int64   // or one of these numbers, where there are Subjects
	Since    time.Time // to the second
	Until    time.Time // before that, to the second

	After, Before int64 // records with larger, with smaller numbers
	Limit         int   // at most so many
	Oldest        bool  // the first of those that match, and not the last
}
