// Package registry keeps what was agreed with partners: who they are, their
// environments, contacts and API keys, our key pairs, and the certificates of
// both sides. It holds the rules of the exchange, and builds the snapshot of lanes
// that traffic reads.
//
// Every change goes through a [Desk], which stands for one authenticated person,
// and is recorded in the audit log in the same transaction.
package registry

import (
	"time"

	"github.com/sealane/sealane"
)

// Partner is a company, in one dialect.
type Partner struct {
	ID      string       `json:"id"` // short name: small letters, digits, hyphens
	Name    string       `json:"name"`
	Profile string       `json:"profile"`       // an embedded profile's name, or that of one given to the registry
	Side    sealane.Side `json:"side,omitzero"` // ours: ClientSide calls the partner, ServerSide is called
	Created time.Time    `json:"created"`
	Version int64        `json:"-"` // of the row; 0: not stored yet
}

// Environment is one of a partner's environments: the lane's agreement.
type Environment struct {
	Partner string          `json:"partner"`
	Name    string          `json:"name"`    // DEV, STAG, PROD, or as the profile says
	Sealing sealane.Sealing `json:"sealing"` // never empty; of callers who are known by Account, and of what we send
	// Account is how a trusted upstream names the caller, where callers are not
	// known by API keys. It is unique in the registry.
	Account       string             `json:"account,omitempty"`
	SenderAuth    sealane.SenderAuth `json:"caller,omitempty"`          // how the sender of unsigned messages is known
	AcceptRSAOAEP string             `json:"accept_rsa_oaep,omitempty"` // the reason why RSA-OAEP (SHA-1) opens, too
	MaxPayload    int                `json:"max_payload,omitempty"`     // bytes; 0: the lane's default
	MailFrom      string             `json:"mail_from,omitempty"`       // the address from which our mails will come
	Contacts      []Contact          `json:"contacts,omitempty"`
	Created       time.Time          `json:"created"`
	Version       int64              `json:"-"`
}

// ContactRole is when somebody is written to.
type ContactRole string

// The roles, in the order of escalation.
const (
	Primary   ContactRole = "primary"
	Alternate ContactRole = "alternate"
	Support   ContactRole = "support"
)

// Contact is somebody at the partner, for one environment.
type Contact struct {
	Role  ContactRole `json:"role"`
	Name  string      `json:"name"`
	Email string      `json:"email"`
}

// APIKey lets a caller in. The key itself is shown once, when it is made; what is
// stored is its SHA-256.
type APIKey struct {
	ID          string          `json:"id"`
	Partner     string          `json:"partner"`
	Environment string          `json:"environment"`
	Label       string          `json:"label,omitempty"`
	Prefix      string          `json:"prefix"` // the key's first characters, by which people tell keys apart
	SHA256      []byte          `json:"-"`
	Sealing     sealane.Sealing `json:"sealing"`
	Created     time.Time       `json:"created"`
	Revoked     time.Time       `json:"revoked,omitzero"`
	LastUsed    time.Time       `json:"last_used,omitzero"` // to the minute
	Version     int64           `json:"-"`
}
