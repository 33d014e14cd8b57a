package registry

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/lanes"
)

// Errors that a store gives.
var (
	// ErrNotFound: there is no such row.
	ErrNotFound = lanes.ErrNotFound
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
	lanes.Store

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

	KeyPair(id string) (KeyPair, error)
	KeyPairs(KeyPairQuery) ([]KeyPair, error)
	PutKeyPair(*KeyPair) error

	Certificate(id string) (Certificate, error)
	// Certificates leaves Exchange.File out; PutCertificate keeps the one that is
	// stored where there is none.
	Certificates(CertificateQuery) ([]Certificate, error)
	PutCertificate(*Certificate) error
	// PublicKeys are those of all our key pairs and of all certificates. They are read while
	// they are ranged over, and the transaction can't be used meanwhile. After an error the
	// sequence ends.
	PublicKeys() iter.Seq2[PublicKey, error]

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

	// Profile returns the source of a profile that was added, empty where none was by that
	// name.
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
