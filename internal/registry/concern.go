package registry

import (
	"time"

	"github.com/sealane/sealane"
)

// Concern is a kind of row that somebody must look at.
type Concern string

// The concerns. Each has an order, the most urgent row first.
const (
	// ConcernEnds are certificates of keys that messages are sealed by, or will be, whose use must have
	// ended before a time.
	ConcernEnds Concern = "ends"
	// ConcernIncoming are certificates on their way in that have no part in a renewal.
	ConcernIncoming   Concern = "incoming"
	ConcernOurAlarm   Concern = "our-alarm"   // key pairs in use with an open alarm
	ConcernTheirAlarm Concern = "their-alarm" // certificates of partners
	// ConcernMismatch are certificates in use or on their way with a checksum or answer that was wrong.
	ConcernMismatch Concern = "mismatch"
	ConcernWaiver   Concern = "waiver" // certificates in use or on their way with a rule that does not count

	// ConcernNoOurs are lanes without an active key pair of ours, and ConcernNoTheirs those without an
	// active certificate of the partner, where the lane needs one.
	ConcernNoOurs          Concern = "no-ours"
	ConcernNoTheirs        Concern = "no-theirs"
	ConcernNoContact       Concern = "no-contact" // lanes without any contact
	ConcernOptional        Concern = "optional"   // lanes that accept unencrypted messages
	ConcernUnauthenticated Concern = "unauthenticated"
	ConcernSHA1            Concern = "sha1" // lanes that accept RSA-OAEP with SHA-1

	ConcernOffer Concern = "offer" // offers of pairs in use that no partner has confirmed
	// ConcernRenewal are open renewals in a step, those first whose successor was due first.
	ConcernRenewal Concern = "renewal"
)

// ConcernQuery asks for the most urgent rows of a concern.
type ConcernQuery struct {
	Concern Concern
	Partner string      // empty: of all partners
	Limit   int         // rows at most
	Before  time.Time   // of ConcernEnds
	Step    RenewalStep // of ConcernRenewal
	// Needing are the partners whose lanes need the key, of ConcernNoOurs and ConcernNoTheirs.
	Needing []Side
}

// Side is one side of a profile.
type Side struct {
	Profile string
	Side    sealane.Side
}

// Concerned is a row that a concern is about.
type Concerned struct {
	ID          string // of the certificate, key pair or renewal; empty: it is a lane
	Partner     string // empty: it is about a key pair of ours that partners share
	Environment string
}
