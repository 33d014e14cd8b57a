package registry

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/lanes"
)

// Errors of a store.
var (
	// ErrNotFound: there is no such row. It is also that of package lanes.
	ErrNotFound = lanes.ErrNotFound
	// ErrConflict: another transaction has changed the row since it was read. Read it again.
	ErrConflict = errors.New("somebody else has changed this meanwhile; look at it again")
	// ErrExists: there is a row with this identity, or with a value that must be unique.
	ErrExists = errors.New("it is there already")
	// ErrStore: the database failed.
	ErrStore = errors.New("the registry's database failed")
	// ErrUncertain: a change failed at its end, and may be stored all the same.
	ErrUncertain = errors.New("check whether the change was stored before you repeat it")
)

// UnknownPartner is the error for a partner that is not there. It is an [ErrNotFound].
type UnknownPartner struct{ ID string }

func (e *UnknownPartner) Error() string { return fmt.Sprintf("partner %q: not found", e.ID) }

// Unwrap returns [ErrNotFound].
func (e *UnknownPartner) Unwrap() error { return ErrNotFound }

// Store is the database of a registry.
type Store interface {
	lanes.Store

	// View runs a transaction that only reads, on one consistent state.
	View(context.Context, func(Reader) error) error
	// Update runs a serializable transaction. If it can't be serialized with others, the error
	// is ErrConflict, and nothing has changed. Nothing has after any other error than ErrUncertain.
	Update(context.Context, func(Tx) error) error
}

// Page is a part of a list, which is in the order of the identities.
type Page struct {
	After string // the page begins after this identity
	Limit int    // how many rows at most; 0 is 100, and 1,000 is the most
}

// CertificateQuery selects certificates. Empty fields select all.
type CertificateQuery struct {
	Page
	Owner                       Owner
	Partner, Environment, KeyID string
	KeyPair                     string
	IDs, KeyPairs               []string // those with one of these; both: with one of either
	States                      []State
	SHA256, SPKISHA256          []byte
	FileSHA256                  []byte    // of the file that it came in
	SHA1                        []byte    // of the DER
	Serial                      string    // in hexadecimal, without leading zeros
	Containing                  string    // a part of one of the SearchTexts, in any case
	NotAfterBefore              time.Time // those that expire before
	// Arrived asks for the order in which certificates were stored first, and for a part of it. The
	// identity that Page begins after does not count then. nil: the order of the identities.
	Arrived *Stretch
	Until   string // those up to this identity
	Brief   bool   // also without DER, Chain and most of Provenance
}

// Arrival is the place of a certificate in the order in which certificates were stored first. The
// identities decide among those that came in one change. The zero value is before all.
type Arrival struct {
	Added int64 // see Certificate
	ID    string
}

// Stretch is a part of that order: what comes after one place, up to another. A zero value of Until
// is the end.
type Stretch struct{ After, Until Arrival }

// KeyPairQuery selects key pairs. Empty fields select all.
type KeyPairQuery struct {
	Page
	Profile, Partner, Environment, KeyID string
	Shared                               bool // those that all partners of a profile share
	States                               []State
	SPKISHA256                           []byte
	RootKeyNot                           string // those that are sealed under another root key
}

// Reader reads the registry as it is at one moment. Methods that return one row return
// ErrNotFound if there is none. Those that return several return, with an error that is
// [DamagedRows], the rows that can be read.
type Reader interface {
	audit.Reader

	Partner(id string) (Partner, error)
	Partners(Page) ([]Partner, error)
	PartnersLike(PartnerQuery) ([]Partner, error)

	Environment(partner, name string) (Environment, error)
	Environments(partner string) ([]Environment, error)
	EnvironmentOfAccount(account string) (Environment, error)
	// EnvironmentsLike returns at most n of those whose SearchTexts contain a text, in any case.
	EnvironmentsLike(containing string, n int) ([]Environment, error)

	APIKey(id string) (APIKey, error)
	APIKeyByHMAC(sum []byte) (APIKey, error)
	// APIKeysAfter returns API keys of all partners.
	APIKeysAfter(Page) ([]APIKey, error)
	APIKeys(partner, environment string) ([]APIKey, error)
	// APIKeysLike is EnvironmentsLike for API keys.
	APIKeysLike(containing string, n int) ([]APIKey, error)

	KeyPair(id string) (KeyPair, error)
	KeyPairs(KeyPairQuery) ([]KeyPair, error)

	Certificate(id string) (Certificate, error)
	// Certificates leaves Provenance.File out.
	Certificates(CertificateQuery) ([]Certificate, error)
	// CertificatesEnd returns the place of the last certificate of a page; its ID is empty if there
	// are none. Those whose place can't be read are passed over. If no others follow, the error is
	// [DamagedRows] with all of them.
	CertificatesEnd(CertificateQuery) (Arrival, error)
	// PublicKeys are those of the key pairs and certificates that were stored when the audit log
	// had that many records or more: since 0 are all. They are read while they are ranged over,
	// and the transaction can't be used meanwhile. The error of a row that is damaged is a
	// [DamagedRow], and the sequence goes on; after any other error it ends.
	PublicKeys(since int64) iter.Seq2[PublicKey, error]

	// Offers returns the offers to a partner.
	Offers(partner string) ([]Offer, error)
	// OpenOffers returns at most n partners to whom a key pair was offered, and who have not said
	// that it is installed.
	OpenOffers(pair string, n int) ([]string, error)
	// OfferCounts returns how many partners were offered each of some key pairs. One without offers is
	// left out.
	OfferCounts(pairs []string) (map[string]OfferCount, error)
	// Unoffered returns at most n partners for whom a shared key pair is the active one, and to whom
	// its successor was not offered.
	Unoffered(k KeyPair, successor string, n int) ([]string, error)
	// Unanswered returns at most n partners to whom a key pair was offered before a time, and who have
	// not said that it is installed.
	Unanswered(pair string, before time.Time, n int) ([]string, error)
	// OfferedSince returns to how many partners a key pair was offered since a time.
	OfferedSince(pair string, since time.Time) (int, error)
	// SharedRotations returns the different rotations in the environments of partners who have confirmed a shared
	// key pair.
	SharedRotations(k KeyPair) ([]Rotation, error)
	// Relying returns at most n partners for whom a shared key pair is the active one, see PairsFor,
	// or the only one that is not staged.
	Relying(k KeyPair, n int) ([]string, error)

	Blocked(spkiSHA256 []byte) (Blocked, error)
	// BlockedAfter returns blocks in the order of their checksums, which a page has in hexadecimal.
	BlockedAfter(Page) ([]Blocked, error)

	// KeyUsage returns how often a key pair or certificate was used for messages of a partner, or of
	// all partners if that is empty.
	KeyUsage(id, partner string) ([]Usage, error)
	// EndedUses returns the newest uses since a time of keys that are in no state in which they are used, at most n:
	// one for each key, partner and node. It looks at all keys that have ended.
	EndedUses(since time.Time, n int) ([]EndedUse, error)
	Node(name string) (Node, error)
	// Nodes returns all nodes, in the order of their names.
	Nodes() ([]Node, error)

	Request(id string) (Request, error)
	// Requests returns requests in the order of their identities.
	Requests(RequestQuery) ([]Request, error)

	// OpenRenewal returns the renewal of a leg that is open.
	OpenRenewal(Leg) (Renewal, error)
	Renewal(id string) (Renewal, error)
	// Renewals returns renewals in the order of their identities.
	Renewals(RenewalQuery) ([]Renewal, error)
	// RenewalsToLook returns open renewals whose notices must be looked at, in the order of their
	// identities.
	RenewalsToLook(now time.Time, p Page) ([]Renewal, error)
	// CertificatesToLook returns active certificates whose successors may be due, or whose contacts may have to
	// be asked ([ContactsAsked]), in the order of their identities and brief. Those that an open renewal
	// replaces are not among them.
	CertificatesToLook(now time.Time, p Page) ([]Certificate, error)
	PartnersOf(ids []string) ([]Partner, error)
	// EnvironmentsOf returns the environments of some partners, in the order of their names.
	EnvironmentsOf(partners []string) ([]Environment, error)
	// Notices returns the notices about some certificates, and NoticesOf those in a mail.
	Notices(certificates []string) ([]Notice, error)
	NoticesOf(mail string) ([]Notice, error)
	// NoticesTo returns at most n notices to a partner, or to one recipient, the newest first.
	NoticesTo(partner, recipient string, n int) ([]Notice, error)
	Mail(id string) (Mail, error)
	// Mails returns mails in the order of their identities, without their data.
	Mails(MailQuery) ([]Mail, error)
	// MailsDue returns at most n mails that have not ended and whose next attempt has come, the oldest first: those to
	// addresses, or what the webhook gets.
	MailsDue(now time.Time, webhook bool, n int) ([]Mail, error)
	// MailsTo returns the mails to some recipients that are planned or deferred.
	MailsTo(recipients []string) ([]Mail, error)
	// MailCounts returns how many mails that have not ended are in each state.
	MailCounts() ([]MailCount, error)
	// Installation is the identity for which the sending of mails was armed; empty: it was not.
	Installation() (string, error)
	// Observed returns for how long programs have watched the uses of keys in each UTC day since the one
	// of a time.
	Observed(since time.Time) ([]ObservedDay, error)
	// Claimed returns until when a task is claimed, and zero if it never was.
	Claimed(task string) (until time.Time, err error)

	// Concerned returns the most urgent rows of a concern, and how many there are. A program of an earlier
	// version may have stored rows that are no concern: they are among them, and are read to see that.
	Concerned(ConcernQuery) (rows []Concerned, all int, err error)

	Person(id string) (Person, error)
	PersonBySHA256(sum []byte) (Person, error)
	People() ([]Person, error)

	// Setting returns a value of the whole registry, such as the root key's check value. It is
	// empty if it was never stored.
	Setting(name string) ([]byte, error)

	// Profile returns the source of a profile that was added. It is empty if none was added by
	// that name.
	Profile(name string) (source []byte, err error)
	// Profiles returns all profiles that were added.
	Profiles() ([]ProfileSource, error)

	// FindAudit returns records of the audit log, in their order.
	FindAudit(AuditQuery) ([]audit.Record, error)

	// Lanes are the rows that lanes are made of.
	Lanes() lanes.Rows

	// Rows are all rows of the registry, each a Partner, Environment, APIKey, KeyPair,
	// Certificate, Offer, Blocked, Renewal, Person, Setting or ProfileSource. The audit log is left out, and so
	// is what programs note: uses, notices, mails, and what they report of themselves. Errors are as those of
	// PublicKeys.
	Rows() iter.Seq2[any, error]
}

// Tx is a transaction that reads and changes. Methods that store a row count its Version up: 0
// stores a new row (or returns ErrExists), any other must be the stored row's (or they return
// ErrConflict). Session.Change records each row that they store.
type Tx interface {
	Reader
	AppendAudit(audit.Record) error
	// Attempt runs f. If f fails, all that it has stored is taken back, and the transaction goes on.
	Attempt(f func() error) error

	PutPartner(*Partner) error
	PutEnvironment(*Environment) error
	PutAPIKey(*APIKey) error
	PutKeyPair(*KeyPair) error
	PutCertificate(*Certificate) error // keeps the stored Provenance.File if there is none
	PutOffer(*Offer) error
	PutBlocked(Blocked) error // one that is there already stays as it is
	PutPerson(*Person) error
	PutRequest(*Request) error
	PutRenewal(*Renewal) error
	PutSetting(name string, value []byte) error
	PutProfile(name string, source []byte) error

	// The row must be as it was read. Nothing may refer to it.
	DeletePartner(Partner) error
	DeleteEnvironment(Environment) error
	DeleteProfile(name string) error
	// PutNotices stores notices, in place of those that are there. Notices and mails are not recorded.
	PutNotices([]Notice) error
	PutMail(*Mail) error
	// AddMails stores new mails.
	AddMails([]Mail) error
	// Looked stores when notices, and certificates, are looked at next. Storing a renewal, or its environment,
	// has the same effect as a time that has come.
	Looked([]Look) error
	SetInstallation(id string, since time.Time) error
	// Observe adds a time to the UTC day of an instant. Claim takes a task for a holder until a time,
	// unless another holds it; now is the present time. Neither is recorded.
	Observe(at time.Time, watched time.Duration) error
	Claim(task, holder string, now, until time.Time) (taken bool, err error)

	// DeleteNode returns ErrConflict if the node has reported itself meanwhile. Nodes are not recorded.
	DeleteNode(Node) error
}

// Setting is a value of the whole registry.
type Setting struct {
	Name  string
	Value []byte
}

// ProfileSource is a profile that was added; one without a source was removed.
type ProfileSource struct {
	Name   string
	Source []byte
}

// PublicKey is the SubjectPublicKeyInfo of a key pair or certificate.
type PublicKey struct {
	ID   string // of the key pair or certificate
	SPKI []byte // DER
}
