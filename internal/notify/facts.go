package notify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/termtext"
)

// Kind is what a mail is about.
type Kind string

// The kinds of mails.
const (
	// NoticeTheirs asks a partner for its next certificate.
	NoticeTheirs Kind = "notice-theirs"
	// NoticeOurs asks a partner to install our next certificate.
	NoticeOurs Kind = "notice-ours"
	// Internal tells our own people about a renewal that is not finished.
	Internal Kind = "internal"
	// Escalation asks support and our owner for another contact.
	Escalation Kind = "escalation"
	// Call asks our own people to telephone.
	Call Kind = "call"
	// Contacts asks a partner whether its contacts are right.
	Contacts Kind = "contacts"
	// Summary is the daily mail to our own people.
	Summary Kind = "summary"
	// Ready says that a partner can begin to use its new certificate.
	Ready Kind = "ready"
	// Installed says that a partner's new certificate is in use.
	Installed Kind = "installed"
	// Offer has our new certificate.
	Offer Kind = "offer"
	// Checksum has the checksums of what another mail has.
	Checksum Kind = "checksum"
	// Alias says by which alias a partner knows a certificate, or we do.
	Alias Kind = "alias"
	// Rejected says why a certificate is not used.
	Rejected Kind = "rejected"
)

// Kinds returns all kinds.
func Kinds() []Kind {
	return []Kind{
		NoticeTheirs, NoticeOurs, Internal, Escalation, Call, Contacts, Summary, Ready, Installed, Offer, Checksum,
		Alias, Rejected,
	}
}

// toUs reports whether mails of the kind go to our own people.
func (k Kind) toUs() bool { return slices.Contains([]Kind{Internal, Escalation, Call, Summary}, k) }

// Certificate is a certificate in a mail. Its values may have any characters: they are made printable.
type Certificate struct {
	ID            string
	Renewal       string // its identity, for our own people
	CommonName    string
	SerialHex     string // without 0x
	SerialDecimal string
	Alias         string // the key ID; empty: it has none
	Environment   string
	Ours          bool
	NotAfter      time.Time // its end
	UseBy         time.Time // the end of its use, where that is earlier; zero: its end
	DaysLeft      int       // whole days until the earlier of both, rounded down; negative: it has come
	SHA256        string    // its fingerprint, with colons
	Step          string    // of its renewal, for our own people
	What          string    // what to do next
	Reason        string    // why it was rejected
	PEM           string    // in an offer
	NoNext        bool      `json:"-"` // ours: the next one is not made yet
}

// The form of times in mails.
const (
	timeForm = "2 January 2006, 15:04:05 UTC"
	dayForm  = "2 January 2006"
)

// End returns the end of the certificate, in UTC. Each template must write it.
func (c Certificate) End() string { return c.NotAfter.UTC().Format(timeForm) }

// last returns the end of the certificate or that of its use, whichever comes first. What mails say of the time that
// is left is about it.
func (c Certificate) last() time.Time {
	if c.Early() {
		return c.UseBy
	}
	return c.NotAfter
}

// Early reports whether the certificate must be replaced before it ends.
func (c Certificate) Early() bool { return !c.UseBy.IsZero() && c.UseBy.Before(c.NotAfter) }

// EndDay returns the day on which the certificate ends, or by which it must be replaced if that is earlier, in UTC.
func (c Certificate) EndDay() string { return c.last().UTC().Format(dayForm) }

// EndOfUse returns the end of the certificate's use where it is not the certificate's end, or "".
func (c Certificate) EndOfUse() string {
	if !c.Early() {
		return ""
	}
	return c.UseBy.UTC().Format(timeForm)
}

// Left returns the time until the certificate ends or, if that is earlier, must be replaced, in whole days; or the
// time since then.
func (c Certificate) Left() string {
	since := func(time string) string {
		if c.Early() {
			return time + " overdue"
		}
		return "ended " + time + " ago"
	}
	switch ago := -c.DaysLeft - 1; {
	case c.DaysLeft == 0:
		return "less than a day left"
	case c.DaysLeft > 0:
		return days(c.DaysLeft) + " left"
	case ago == 0:
		return since("less than a day")
	default:
		return since(days(ago))
	}
}

// Ended reports whether the certificate has ended or, if that is earlier, must have been replaced.
func (c Certificate) Ended() bool { return c.DaysLeft < 0 }

// Hexadecimal returns the serial number as pairs of digits behind 0x.
func (c Certificate) Hexadecimal() string {
	return "0x" + strings.ToUpper(strings.TrimPrefix(c.SerialHex, "0x"))
}

// days returns a number of days with its noun.
func days(n int) string {
	if n == 1 {
		return "1 day"
	}
	return strconv.Itoa(n) + " days"
}

// FileSum is a file and its checksum.
type FileSum struct {
	Name   string
	SHA256 string
}

// Facts are what a mail says. The values of its strings may have any characters: they are made printable.
type Facts struct {
	Kind         Kind
	Partner      string // its name
	Contact      string // the name of the recipient; may be empty
	Environment  string // empty: there are several, or none
	Profile      string // the title of the profile
	Certificates []Certificate
	Person       string // whom the reader can ask
	Email        string // where answers go
	Telephone    string
	From         string // the address from which our mails come
	Sender       string // the name of our company
	Now          time.Time
	Lines        []string // of a summary, a task or an escalation
	Files        []FileSum
	Reminder     int // how many mails about the same came before
}

// Day returns the day of the mail, in UTC.
func (f Facts) Day() string { return f.Now.UTC().Format(dayForm) }

// First returns the certificate that ends, or must be replaced, first.
func (f Facts) First() (first Certificate) {
	for i, c := range f.Certificates {
		if i == 0 || c.last().Before(first.last()) {
			first = c
		}
	}
	return first
}

// Early reports whether one of the certificates must be replaced before it ends.
func (f Facts) Early() bool { return slices.ContainsFunc(f.Certificates, Certificate.Early) }

// NoNext reports whether none of the certificates has a next one.
func (f Facts) NoNext() bool {
	return f.Certificates != nil &&
		!slices.ContainsFunc(f.Certificates, func(c Certificate) bool { return !c.NoNext })
}

// Named names the certificates: the common name of one, or their number.
func (f Facts) Named() string {
	switch n := len(f.Certificates); n {
	case 0:
		return "certificates"
	case 1:
		return "certificate " + termtext.Short(f.Certificates[0].CommonName)
	default:
		return strconv.Itoa(n) + " certificates"
	}
}

// Ends says when the certificates end, or must be replaced, as a subject does.
func (f Facts) Ends() string {
	c := f.First()
	switch several := len(f.Certificates) > 1; {
	case len(f.Certificates) == 0:
		return ""
	case several && f.Early() && c.Ended():
		return fmt.Sprintf("had to be replaced, the first by %s (%s)", c.EndDay(), c.Left())
	case several && f.Early():
		return fmt.Sprintf("must be replaced, the first by %s (%s)", c.EndDay(), c.Left())
	case several && c.Ended():
		return fmt.Sprintf("end, the first %s, on %s", c.Left(), c.EndDay())
	case several:
		return fmt.Sprintf("end, the first on %s (%s)", c.EndDay(), c.Left())
	case c.Early() && c.Ended():
		return fmt.Sprintf("had to be replaced by %s (%s)", c.EndDay(), c.Left())
	case c.Early():
		return fmt.Sprintf("must be replaced by %s (%s)", c.EndDay(), c.Left())
	case c.Ended():
		return fmt.Sprintf("%s, on %s", c.Left(), c.EndDay())
	default:
		return fmt.Sprintf("ends on %s (%s)", c.EndDay(), c.Left())
	}
}

// printable returns the facts with values that a mail can show.
func (f Facts) printable() Facts {
	for _, p := range []*string{
		&f.Partner, &f.Contact, &f.Environment, &f.Profile, &f.Person, &f.Email, &f.Telephone, &f.From, &f.Sender,
	} {
		*p = line(*p)
	}
	certificates, files, texts := f.Certificates, f.Files, f.Lines
	f.Certificates, f.Files, f.Lines = nil, nil, nil
	for _, c := range certificates {
		f.Certificates = append(f.Certificates, c.printable(f.Kind))
	}
	for _, file := range files {
		f.Files = append(f.Files, FileSum{line(file.Name), line(file.SHA256)})
	}
	for _, text := range texts {
		f.Lines = append(f.Lines, line(text))
	}
	return f
}

// printable returns the certificate with values that a mail of a kind can show. An offer has no checksum, and what has
// the checksum has no certificate: somebody who forges one mail has not forged the other. What a renewal is called,
// and its step, are words of ours that a partner does not know.
func (c Certificate) printable(k Kind) Certificate {
	for _, p := range []*string{
		&c.ID, &c.Renewal, &c.CommonName, &c.SerialHex, &c.SerialDecimal, &c.Alias, &c.Environment, &c.SHA256, &c.Step,
		&c.What, &c.Reason,
	} {
		*p = line(*p)
	}
	if !k.toUs() {
		c.Renewal, c.Step = "", ""
	}
	if k == Offer {
		c.SHA256, c.PEM = "", strings.TrimSpace(lines(c.PEM))
	} else {
		c.PEM = ""
	}
	return c
}
