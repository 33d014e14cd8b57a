package registry

import (
	"context"
	"errors"
	"time"

	"github.com/sealane/sealane/internal/audit"
)

// Errors that a store gives.
var (
	// ErrNotFound: there is no such row.
	ErrNotFound = errors.New("not found")
	// ErrConflict: somebody else has changed the row since it was read, or changed
	// something that this transaction has read. Read it again.
	ErrConflict = errors.New("somebody else has changed this meanwhile; look at it again")
	// ErrExists: a row with this identity, or with a value that must be unique, is there.
	ErrExists = errors.New("it is there already")
	// ErrStore: the database could not do it. Nothing was judged.
	ErrStore = errors.New("the registry's database failed")
)

// Store keeps the registry. It is one package with two databases behind it.
type Store interface {
	// View gives a consistent look at everything.
	View(context.Context, func(Tx) error) error
	// Update runs a transaction. It is serializable; where it is not, because
	// another got in between, the error is ErrConflict and nothing has changed.
	Update(context.Context, func(Tx) error) error
}

// Page is a part of a list in the order of the identities: those after After, at
// most Limit of them (0: 100; at most 1,000).
type Page struct {
	After string
	Limit int
}

// CertificateQuery says which certificates are wanted. Empty members ask for
// nothing.
type CertificateQuery struct {
	Page
	Owner                       Owner
	Partner, Environment, KeyID string
	KeyPair                     string
	States                      []State
	SHA256, SPKISHA256          []byte
	NotAfterBefore              time.Time // those that expire before
}

// KeyPairQuery says which key pairs are wanted. Shared asks for those without a
// partner.
type KeyPairQuery struct {
	Page
	Profile, Partner, Environment, KeyID string
	Shared                               bool
	States                               []State
	SPKISHA256                           []byte
	RootKeyNot                           string // those sealed under a root key, and another than this
}

// Tx is a look at, or a change of, the registry. What Put stores has a Version:
// 0 makes a new row, another must be the one stored, else ErrConflict; it is
// counted up. Find gives ErrNotFound where there is none.
type Tx interface {
	audit.Log

	Partner(id string) (Partner, error)
	Partners(Page) ([]Partner, error)
	PutPartner(*Partner) error

	Environment(partner, name string) (Environment, error)
	Environments(partner string) ([]Environment, error)
	EnvironmentOfAccount(account string) (Environment, error)
	PutEnvironment(*Environment) error

	APIKey(id string) (APIKey, error)
	APIKeyBySHA256(sum []byte) (APIKey, error)
	APIKeys(partner, environment string) ([]APIKey, error)
	PutAPIKey(*APIKey) error
	// UsedAPIKeys notes uses; it counts no version up, and is no change.
	UsedAPIKeys(at map[string]time.Time) error

	KeyPair(id string) (KeyPair, error)
	KeyPairs(KeyPairQuery) ([]KeyPair, error)
	PutKeyPair(*KeyPair) error

	Certificate(id string) (Certificate, error)
	// Certificates leaves Exchange.File out; PutCertificate keeps the one that is
	// stored where there is none.
	Certificates(CertificateQuery) ([]Certificate, error)
	PutCertificate(*Certificate) error
	// SPKIs gives every public key of the registry to yield, with the identity of the
	// key pair or certificate that has it, until that says no.
	SPKIs(yield func(id string, spki []byte) bool) error

	// Offers gives what became of our key pairs with a partner.
	Offers(partner string) ([]Offer, error)
	PutOffer(*Offer) error
	// Relying gives n partners at most for whom a shared key pair is the active one,
	// see PairsFor.
	Relying(k KeyPair, n int) ([]string, error)

	Blocked(spkiSHA256 []byte) (Blocked, error)
	PutBlocked(Blocked) error // one that is there already stays as it is

	Person(id string) (Person, error)
	PersonBySHA256(sum []byte) (Person, error)
	People() ([]Person, error)
	PutPerson(*Person) error

	// Setting is a value that is not of a partner, such as the root key's check
	// value. A value that is not there is empty.
	Setting(name string) ([]byte, error)
	PutSetting(name string, value []byte) error

	// Lanes gives every environment, and every key in use, as the snapshot needs
	// them, in one pass each.
	Lanes(LaneRows) error
}

// LaneRows takes the rows of a snapshot, in this order: partners, environments,
// API keys that are not revoked, offers, our key pairs in use, their certificates in use.
// The slices are the receiver's. An error ends the pass.
type LaneRows struct {
	Partner     func(Partner) error     // ID, Profile, Side
	Environment func(Environment) error // without contacts and what letters say
	APIKey      func(APIKey) error      // ID, Partner, Environment, SHA256, sealane.Sealing
	Offer       func(Offer) error       // KeyPair, Partner, Confirmed: of shared pairs that are active
	KeyPair     func(KeyPair) error     // whole
	Certificate func(Certificate) error // theirs: ID, Partner, Environment, KeyID, State, SPKI
}
