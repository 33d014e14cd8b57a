// Package lanes reads from a registry what serving programs need: a [Snapshot] of all lanes
// at one moment, which serves messages without a database, and a [UsageRecorder], which
// stores which API keys and keys were used.
//
// The package knows no rules of the registry and no permissions. It defines the rows that a
// lane is made of; a [Store] reads them. The [Reader]'s Open opens a private key when a
// message first needs it.
package lanes

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/keyring"
)

// Errors of snapshots and stores.
var (
	// ErrNotFound means that there is no such row, or no such lane.
	ErrNotFound = errors.New("not found")
	// ErrUnknownAPIKey means that an API key is not known, or was revoked.
	ErrUnknownAPIKey = errors.New("the API key is not known or was revoked")
)

// Store reads the rows of lanes, and stores what was used, and what programs report of themselves.
// None of what is stored here is audited, and none of it waits for those who change the registry.
type Store interface {
	// Version returns the newest version. It takes little, and may be called every second.
	Version(ctx context.Context) (Version, error)
	// ReadLanes calls read once, with rows of one moment: those of the scope. It must not be called
	// twice at the same time, nor together with Version: both use one connection. Reading with
	// Scope.Whole uses another one, and holds neither up.
	ReadLanes(ctx context.Context, scope Scope, read func(Rows, Extent) error) error
	// ReadLane calls read once, with the rows of one lane.
	ReadLane(ctx context.Context, name Name, read func(Rows) error) error
	// Listen calls wake when the version may have changed, until ctx ends or an error. It returns nil
	// at once if the database tells nobody. Calls can be lost: Version is what counts.
	Listen(ctx context.Context, wake func()) error
	// UsedAPIKeys stores when API keys were last used, by their identities. It ignores keys
	// that do not exist, and never sets a time back.
	UsedAPIKeys(ctx context.Context, at map[string]time.Time) error
	// UsedKeys adds uses of key pairs and certificates to those that are stored: all, or none. It
	// ignores keys that do not exist.
	UsedKeys(ctx context.Context, uses KeyUses) error
	// Outside returns the keys of a lane that do not count in it, for [Reader.Explain].
	Outside(ctx context.Context, name Name) (Outside, error)
	// ReportNode stores what a process reports of itself, and returns what the row of its name had
	// before; a new row had nothing. again says that the process has reported itself before: a row
	// of another process then means that two run at the same time.
	ReportNode(ctx context.Context, n Node, again bool) (before Node, err error)
	// EndNode notes that a process has ended, unless another has taken its row over.
	EndNode(ctx context.Context, n Node) error
}

// Rows are the rows that lanes are made of. Each sequence reads its rows from the database
// while it is ranged over, and only one can be read at a time. The caller owns the byte
// slices.
//
// The error for a row that cannot be read is a [DamagedRow]. It is returned with the names
// that the row has, and the sequence continues. Any other error ends it.
type Rows interface {
	Partners() iter.Seq2[Partner, error]
	Environments() iter.Seq2[Environment, error]
	// APIKeys returns those that are not revoked.
	APIKeys() iter.Seq2[APIKey, error]
	// Confirmations returns those of our key pairs, whatever their state is now.
	Confirmations() iter.Seq2[Confirmation, error]
	// KeyPairs returns ours that are staged, active or retiring.
	KeyPairs() iter.Seq2[KeyPair, error]
	// Certificates returns the partners' that are staged, active or retiring.
	Certificates() iter.Seq2[Certificate, error]
	// OwnCertificates returns those of our key pairs that are staged, active or retiring.
	OwnCertificates() iter.Seq2[OwnCertificate, error]

	// HashKey returns the encrypted secret with which API keys are stored, for the Reader's
	// OpenHashKey. It is empty in a registry whose API keys are not converted.
	HashKey() (sealed []byte, err error)

	// Profile returns the source of a profile that was added to the registry, or nothing if
	// there is none of that name.
	Profile(name string) (source []byte, err error)
}

// Partner is our side in the lanes with a partner, and their profile.
type Partner struct {
	ID      string
	Profile string // its name
	Side    sealane.Side
}

// Environment is the agreement with a partner for one environment.
type Environment struct {
	Partner string // its identity
	Name    string
	Account string // how a trusted upstream names the caller, or empty

	Sealing       sealane.Sealing
	SenderAuth    sealane.SenderAuth
	AcceptRSAOAEP string // the reason why RSA-OAEP (SHA-1) is accepted, or empty
	MaxPayload    int    // bytes; 0 is the lane's default
	Expired       sealane.Expired
	NoResend      string // the reason why refused messages are not sent again with other keys, or empty
	URL           string // where the partner takes requests; may be empty
	Limits        Limits
}

// APIKey is what is stored of a key that identifies a partner's calls.
type APIKey struct {
	ID, Partner, Environment string

	HMAC    []byte // see HashKey.Token
	Binding []byte // see HashKey.Bind
	Sealing sealane.Sealing
}

// Confirmation is the time when a partner confirmed that it has installed the certificate
// of one of our key pairs.
type Confirmation struct {
	KeyPair, Partner string

	At time.Time
}

// KeyPair is one of our key pairs.
type KeyPair struct {
	ID, Profile, Environment string

	Partner string // empty: shared by all partners of the profile
	KeyID   string
	State   keyring.State

	SPKI       []byte // SubjectPublicKeyInfo, DER
	SPKISHA256 []byte

	// Sealed and SealedAs are for the Reader's Open.
	Sealed   []byte
	SealedAs int64

	// Certificate is the pair's certificate that ends last. Rows have it in OwnCertificates.
	Certificate Validity
}

// Validity says which certificate it is among others of its owner, and when it is valid. The certificate was
// checked before its key got into a lane.
type Validity struct {
	Serial    string    // hexadecimal
	NotBefore time.Time // zero if it is not known
	NotAfter  time.Time
}

// OwnCertificate is a certificate of one of our key pairs.
type OwnCertificate struct {
	ID, Partner, KeyPair string

	Validity
}

// Certificate is a partner's certificate.
type Certificate struct {
	ID, Partner, Environment string

	KeyID string
	State keyring.State

	SPKI       []byte // SubjectPublicKeyInfo, DER
	SPKISHA256 []byte
	DER        []byte // the whole certificate
	SHA256     []byte

	// Validity is that of DER. Rows have none.
	Validity Validity
}

// ParseState returns the state of a key in a lane, by its name.
func ParseState(name string) (keyring.State, error) {
	for _, s := range []keyring.State{keyring.Staged, keyring.Active, keyring.Retiring} {
		if s.String() == name {
			return s, nil
		}
	}
	return 0, fmt.Errorf("key state %.20q is none that a lane has", name)
}
