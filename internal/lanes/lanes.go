// Package lanes is what serving programs read of a registry: a [Snapshot] of all lanes
// at one moment, which traffic uses without a database, and a [UsageRecorder], by which
// it tells which API keys were used.
//
// The package knows no rule of the registry and no permission. It owns the rows that a
// lane is made of; a [Store] reads them. A private key is opened by the [Reader]'s Open,
// when a message first needs it.
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

// Store reads what lanes are made of, and stores the uses of API keys.
type Store interface {
	// ReadLanes calls read once, with the rows of one moment.
	ReadLanes(ctx context.Context, read func(Rows) error) error
	// ReadLane is ReadLanes with those rows only that one lane is made of.
	ReadLane(ctx context.Context, name Name, read func(Rows) error) error
	// UsedAPIKeys stores when API keys were used last, by their identities. It passes
	// over keys that are not there, and sets no use back.
	UsedAPIKeys(ctx context.Context, at map[string]time.Time) error
}

// Rows are the rows that lanes are made of. Each sequence reads its rows from the
// database while it is ranged over, and only one can be read at a time. Byte slices
// belong to the receiver.
//
// The error of a row that can't be read is a [DamagedRow]; it comes with what the row
// says of whose it is, and the sequence goes on. After any other error it ends.
type Rows interface {
	Partners() iter.Seq2[Partner, error]
	Environments() iter.Seq2[Environment, error]
	// APIKeys are those that are not revoked.
	APIKeys() iter.Seq2[APIKey, error]
	// Confirmations are those of shared key pairs that are active.
	Confirmations() iter.Seq2[Confirmation, error]
	// KeyPairs are ours that are staged, active or retiring.
	KeyPairs() iter.Seq2[KeyPair, error]
	// Certificates are the partners' that are staged, active or retiring.
	Certificates() iter.Seq2[Certificate, error]

	// Profile returns the source of a profile that was added to the registry. It is
	// empty where none was added by that name.
	Profile(name string) (source []byte, err error)
}

// Partner is the side that we have in the lanes with a partner, and their profile.
type Partner struct {
	ID      string
	Profile string // its name
	Side    sealane.Side
}

// Environment is what was agreed with a partner for one environment.
type Environment struct {
	Partner string // its identity
	Name    string
	Account string // how a trusted upstream names the caller; may be empty

	Sealing       sealane.Sealing
	SenderAuth    sealane.SenderAuth
	AcceptRSAOAEP string // the reason why RSA-OAEP (SHA-1) opens too; may be empty
	MaxPayload    int    // bytes; 0 is the lane's default
	URL           string // where the partner takes requests; may be empty
}

// APIKey is the hash of a key by which a partner's calls are known.
type APIKey struct {
	ID, Partner, Environment string

	SHA256  []byte // see TokenHash
	Sealing sealane.Sealing
}

// Confirmation tells when a partner confirmed that it has installed the certificate of
// one of our shared key pairs.
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

	// Installed is since when all partners have the certificate. It is zero where each
	// confirms for itself, see Confirmation.
	Installed time.Time

	// Sealed and SealedAs are what the Reader's Open needs of a private key.
	Sealed   []byte
	SealedAs int64
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
}

// ParseState returns the state of a key that lanes have, by its name.
func ParseState(name string) (keyring.State, error) {
	for _, s := range []keyring.State{keyring.Staged, keyring.Active, keyring.Retiring} {
		if s.String() == name {
			return s, nil
		}
	}
	return 0, fmt.Errorf("key state %.20q is none that a lane has", name)
}
