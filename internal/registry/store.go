package registry

import (
	"context"
	"errors"
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
)

// Store is the database of a registry.
type Store interface {
	lanes.Store

	// View runs a transaction that only reads, on one consistent state.
	View(context.Context, func(Tx) error) error
	// Update runs a serializable transaction. If it can't be serialized with others, the error
	// is ErrConflict, and nothing has changed.
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
	States                      []State
	SHA256, SPKISHA256          []byte
	NotAfterBefore              time.Time // those that expire before
}

// KeyPairQuery selects key pairs. Empty fields select all.
type KeyPairQuery struct {
	Page
	Profile, Partner, Environment, KeyID string
	Shared                               bool // those that all partners of a profile share
	States                               []State
	SPKISHA256                           []byte
	RootKeyNot                           string // those that are sealed under another root key
}

// Tx is a transaction. Methods that return one row return ErrNotFound if there is none. Those
// that store a row count its Version up: 0 stores a new row (or returns ErrExists), any other
// must be the stored row's (or they return ErrConflict).
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

	KeyPair(id string) (KeyPair, error)
	KeyPairs(KeyPairQuery) ([]KeyPair, error)
	PutKeyPair(*KeyPair) error

	Certificate(id string) (Certificate, error)
	// Certificates leaves Provenance.File out. PutCertificate keeps the stored file if there is
	// none.
	Certificates(CertificateQuery) ([]Certificate, error)
	PutCertificate(*Certificate) error
	// PublicKeys are those of all our key pairs and of all certificates. They are read while
	// they are ranged over, and the transaction can't be used meanwhile. After an error the
	// sequence ends.
	PublicKeys() iter.Seq2[PublicKey, error]

	// Offers returns the offers to a partner.
	Offers(partner string) ([]Offer, error)
	PutOffer(*Offer) error
	// Relying returns at most n partners for whom a shared key pair is the active one, see
	// PairsFor.
	Relying(k KeyPair, n int) ([]string, error)

	Blocked(spkiSHA256 []byte) (Blocked, error)
	PutBlocked(Blocked) error // one that is there already stays as it is

	Person(id string) (Person, error)
	PersonBySHA256(sum []byte) (Person, error)
	People() ([]Person, error)
	PutPerson(*Person) error

	// Setting returns a value of the whole registry, such as the root key's check value. It is
	// empty if it was never stored.
	Setting(name string) ([]byte, error)
	PutSetting(name string, value []byte) error

	// Profile returns the source of a profile that was added. It is empty if none was added by
	// that name.
	Profile(name string) (source []byte, err error)
	PutProfile(name string, source []byte) error

	// Lanes are the rows that lanes are made of.
	Lanes() lanes.Rows
}

// PublicKey is the SubjectPublicKeyInfo of a key pair or certificate.
type PublicKey struct {
	ID   string // of the key pair or certificate
	SPKI []byte // DER
}
