package registry

import (
	"cmp"
	"slices"
	"time"

	"github.com/sealane/sealane/internal/countdown"
)

// NoticeKind is what a notice is about, and so which template its mail has.
type NoticeKind string

// The kinds of notices that programs plan by themselves.
const (
	NoticeTheirs     NoticeKind = "notice-theirs" // to the partner: send us the next certificate
	NoticeOurs       NoticeKind = "notice-ours"   // to the partner: install our next certificate
	NoticeInternal   NoticeKind = "internal"      // to our own people: the next step is theirs
	NoticeEscalation NoticeKind = "escalation"    // to our own people: the partner does not answer
	NoticeCall       NoticeKind = "call"          // to our own people: telephone the partner
	NoticeContacts   NoticeKind = "contacts"      // to the partner: are these the right people?
	NoticeSummary    NoticeKind = "summary"       // to our own people, once a day
)

// The kinds of letters: mails about one step of an exchange.
const (
	LetterReady     NoticeKind = "ready"     // the new certificate can be used
	LetterInstalled NoticeKind = "installed" // the new certificate is in use
	LetterOffer     NoticeKind = "offer"
	LetterChecksum  NoticeKind = "checksum"
	LetterAlias     NoticeKind = "alias"
	LetterRejected  NoticeKind = "rejected"
)

// ToPartner reports whether mails of the kind go to partners.
func (k NoticeKind) ToPartner() bool {
	return !slices.Contains([]NoticeKind{NoticeInternal, NoticeEscalation, NoticeCall, NoticeSummary}, k)
}

// Outcome is what became of a notice.
type Outcome string

// The outcomes. A notice without one waits.
const (
	NoticeAccepted  Outcome = "accepted" // by a mail server
	NoticeRefused   Outcome = "refused"  // for good, by a mail server or in a bounce
	NoticeUnknown   Outcome = "unknown"  // the connection ended before the server's answer, twice
	NoticeWithdrawn Outcome = "withdrawn"
)

// Notice is one notice to one recipient. It is unique by certificate, kind, days, recipient and round.
// Programs note it without a record; the mail that has it is recorded when it was accepted.
type Notice struct {
	Certificate string     `json:"certificate"`
	Kind        NoticeKind `json:"kind"`
	// Days is the threshold: how many days before the end of use the notice is due. After the end it
	// is negative.
	Days int    `json:"days"`
	To   string `json:"to"`
	// Round counts how often the notices have begun anew, because a contact has come.
	Round int `json:"round"`

	Renewal     string    `json:"renewal,omitempty"`
	Partner     string    `json:"partner,omitempty"`
	Environment string    `json:"environment"`
	Mail        string    `json:"mail"`
	Planned     time.Time `json:"planned"`
	Outcome     Outcome   `json:"outcome,omitempty"` // empty: it waits
	// Why says why it was withdrawn.
	Why string `json:"why,omitempty"`
}

// MailState is where a mail of the outbox stands.
type MailState string

// The states. The first five are those of a mail that has not ended.
const (
	MailPlanned  MailState = "planned"
	MailClaimed  MailState = "claimed"  // a program is about to send it
	MailSending  MailState = "sending"  // its bytes may be on their way
	MailDeferred MailState = "deferred" // the server was away, or asked to come later
	// MailUncertain: the connection ended after the last byte and before the answer. The mail is sent
	// once more, with the same bytes and the same Message-ID.
	MailUncertain MailState = "uncertain"

	MailAccepted  MailState = "accepted"
	MailRefused   MailState = "refused"
	MailUnknown   MailState = "unknown" // uncertain twice
	MailWithdrawn MailState = "withdrawn"
)

// MailsOpen are the states of a mail that has not ended.
var MailsOpen = []MailState{MailPlanned, MailClaimed, MailSending, MailDeferred, MailUncertain}

// Ended reports whether nothing more happens to a mail.
func (s MailState) Ended() bool { return !slices.Contains(MailsOpen, s) }

// Mail is a mail of the outbox, to one recipient. Programs note where it stands without a record; when
// it has ended, one record says how.
type Mail struct {
	ID   string     `json:"id"`
	Kind NoticeKind `json:"kind"`
	// Key is unique where it is not empty: a letter is planned once.
	Key         string `json:"key,omitempty"`
	Partner     string `json:"partner,omitempty"`     // empty: it is to our own people
	Environment string `json:"environment,omitempty"` // of a letter
	To          string `json:"to"`
	// From is the sender that the partner was told; empty: the configuration's.
	From string `json:"from,omitempty"`
	// About is the identity of the certificate, key pair or renewal of a letter.
	About string    `json:"about,omitempty"`
	State MailState `json:"state"`
	// Next is when it is tried next, or when a program that has claimed it must have ended.
	Next    time.Time `json:"next,omitzero"`
	Planned time.Time `json:"planned"`
	Ended   time.Time `json:"ended,omitzero"`

	Holder    string `json:"holder,omitempty"` // the program that has claimed it
	MessageID string `json:"message_id,omitempty"`
	Subject   string `json:"subject,omitempty"`
	Attempts  int    `json:"attempts,omitempty"`
	// Uncertain is how often the connection ended before the answer.
	Uncertain int `json:"uncertain,omitempty"`
	// Code and Words are the server's last answer, or the error.
	Code  int    `json:"code,omitempty"`
	Words string `json:"words,omitempty"`
	// DSN reports whether the server was asked to tell about failures and delays (RFC 3461).
	DSN bool `json:"dsn,omitempty"`
	// Bounced is the status of a message that said that it was not delivered (RFC 3464).
	Bounced string `json:"bounced,omitempty"`
	// Data is the whole message as it is sent. It is there from the claim on.
	Data    []byte `json:"-"`
	Version int64  `json:"-"`
}

// NewMailID returns the identity of a new mail.
func NewMailID() string { return newID("m") }

// IsMail reports whether an identity is that of a mail.
func IsMail(id string) bool { return len(id) > 2 && id[:2] == "m-" }

// MailQuery selects mails. Empty fields select all.
type MailQuery struct {
	Page
	States      []MailState
	Kinds       []NoticeKind
	Partner, To string
	Key         string
	MessageID   string
	DueBefore   time.Time // those whose Next is not after it
	EndedSince  time.Time
}

// MailCount is how many mails are in a state, and the time of the oldest.
type MailCount struct {
	State  MailState
	Count  int
	Oldest time.Time
}

// RenewalNotice is a notice in a renewal that a mail server has accepted.
type RenewalNotice struct {
	Kind  NoticeKind `json:"kind"`
	Days  int        `json:"days"`
	Round int        `json:"round,omitempty"`
	To    string     `json:"to"`
	At    time.Time  `json:"at"`
	Mail  string     `json:"mail"`
}

// ToPartner reports whether it went to a partner.
func (n RenewalNotice) ToPartner() bool { return n.Kind.ToPartner() && n.To != ToWebhook }

// ToWebhook is the recipient of what goes to the webhook and not to an address.
const ToWebhook = "webhook"

// MaxNotices is how many notices a renewal keeps; the audit log has all.
const MaxNotices = 200

// RenewalAck is a person's word that the notices of a renewal are known, until a time. The last two before
// the end, and those after it, are sent all the same.
type RenewalAck struct {
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason"`
}

// DefaultNotices are the days of the notices after the first, which is at the lead. After the day of the end
// they follow each week.
var DefaultNotices = countdown.Days()[1:]

// NoticeSchedule returns on which days before the end of use notices are due, the first one first: at the
// lead, on the environment's days, and on the day of the end.
func (r Rotation) NoticeSchedule() []int {
	days := []int{r.LeadDays()}
	named := slices.Sorted(slices.Values(r.Notices))
	if len(named) == 0 {
		named = slices.Sorted(slices.Values(DefaultNotices))
	}
	slices.Reverse(named)
	for _, n := range named {
		if n < days[len(days)-1] && n > 0 {
			days = append(days, n)
		}
	}
	return append(days, 0)
}

// DaysBefore returns the instant a number of days of 24 hours before another.
func DaysBefore(end time.Time, days int) time.Time { return countdown.Before(end, days) }

// DaysLeft returns how many full days are left until an end. After the end it is -1 less the full days
// since then.
func DaysLeft(end, now time.Time) int { return countdown.Left(end, now) }

// Look is when the notices of a renewal, or an active certificate that has none, must be looked at next.
type Look struct {
	About string // the identity of either
	At    time.Time
}

// By returns the order of two notices by what makes them unique.
func (n Notice) By(o Notice) int {
	return cmp.Or(cmp.Compare(n.Certificate, o.Certificate), cmp.Compare(n.Kind, o.Kind), cmp.Compare(o.Days, n.Days),
		cmp.Compare(n.To, o.To), cmp.Compare(n.Round, o.Round))
}

// NewInstallation returns the identity of an installation for which sending is armed.
func NewInstallation() string { return newID("i") }
