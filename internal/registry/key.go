package registry

import "time"

// State is where a key or a certificate stands in its life. A certificate of the
// partner comes in as Received, Matched and Approved before it has a key's states.
type State string

// The states.
const (
	Received State = "received" // came in; nothing is compared yet
	Matched  State = "matched"  // its checksum came in a second message, and is right
	Approved State = "approved" // a second person said so

	Staged   State = "staged"   // ours: opens already; theirs: verifies already
	Active   State = "active"   // in use for sealing
	Retiring State = "retiring" // still opens or verifies what comes late
	Retired  State = "retired"
	// Destroyed is a key pair of which only the public part is left.
	Destroyed State = "destroyed"

	Rejected    State = "rejected"
	Expired     State = "expired"
	Compromised State = "compromised"
)

// States for queries.
var (
	StatesInUse = []State{Staged, Active, Retiring}
	StatesAlive = []State{Received, Matched, Approved, Staged, Active, Retiring} // on their way in, or in use
)

// InUse reports whether lanes have the key.
func (s State) InUse() bool { return s == Staged || s == Active || s == Retiring }

// Open reports whether the exchange of a certificate is under way.
func (s State) Open() bool { return s == Received || s == Matched || s == Approved }

// KeyPair is one of ours. Its private key is sealed under a root key.
type KeyPair struct {
	ID          string    `json:"id"`
	Profile     string    `json:"profile"`
	Partner     string    `json:"partner,omitempty"` // empty: shared by all partners of the profile
	Environment string    `json:"environment"`
	KeyID       string    `json:"key_id,omitempty"` // the "alias"; empty until it is assigned
	State       State     `json:"state"`
	Bits        int       `json:"bits"`
	SPKI        []byte    `json:"spki"`        // SubjectPublicKeyInfo, DER
	SPKISHA256  []byte    `json:"spki_sha256"` // by which keys are told apart
	Certificate string    `json:"certificate,omitempty"`
	Custodian   string    `json:"custodian"` // who made or imported it
	Origin      string    `json:"origin"`    // Made or Imported
	Created     time.Time `json:"created"`
	Changed     time.Time `json:"changed"` // when the state changed last
	RootKey     string    `json:"root_key,omitempty"`
	Sealed      []byte    `json:"-"`         // PKCS #8 under RootKey; empty when destroyed
	SealedAs    int64     `json:"sealed_as"` // counts sealings: part of the additional data
	Version     int64     `json:"-"`
}

// The origins of key pairs. One that is imported its partners have already.
const (
	Made     = "created"
	Imported = "imported"
)

// Owner is whose certificate it is.
type Owner string

// The owners.
const (
	Ours   Owner = "ours"
	Theirs Owner = "theirs"
)

// Certificate is one of ours, or of a partner.
type Certificate struct {
	ID          string `json:"id"`
	Owner       Owner  `json:"owner"`
	Partner     string `json:"partner,omitempty"` // empty: ours, and shared by all partners of the profile
	Profile     string `json:"profile"`
	Environment string `json:"environment"`
	KeyPair     string `json:"key_pair,omitempty"` // of ours
	KeyID       string `json:"key_id,omitempty"`
	State       State  `json:"state"` // of ours: its key pair's

	CommonName string    `json:"common_name"`
	Issuer     string    `json:"issuer"`
	Serial     string    `json:"serial"` // hexadecimal
	NotBefore  time.Time `json:"not_before"`
	NotAfter   time.Time `json:"not_after"`
	Bits       int       `json:"bits"`
	SHA256     []byte    `json:"sha256"` // of the DER
	SPKI       []byte    `json:"spki"`
	SPKISHA256 []byte    `json:"spki_sha256"`
	DER        []byte    `json:"der"`
	Chain      [][]byte  `json:"chain,omitempty"` // its issuers, DER

	Exchange Exchange  `json:"exchange,omitzero"`
	Created  time.Time `json:"created"`
	Changed  time.Time `json:"changed"`
	Version  int64     `json:"-"`
}

// Exchange is how a certificate of the partner came to be trusted, or ours by
// the partner.
type Exchange struct {
	File     []byte   `json:"file,omitempty"` // as it was received
	Format   string   `json:"format,omitempty"`
	From     string   `json:"from,omitempty"` // the sender of the mail, where it came by one
	Findings []string `json:"findings,omitempty"`
	Waivers  []Waiver `json:"waivers,omitempty"`

	ReceivedBy string `json:"received_by,omitempty"`
	MatchedBy  string `json:"matched_by,omitempty"`
	Checksum   string `json:"checksum,omitempty"` // what the second message said
	MatchedAs  string `json:"matched_as,omitempty"`
	ApprovedBy string `json:"approved_by,omitempty"`
	Change     string `json:"change,omitempty"`     // the change reference
	CallBack   string `json:"call_back,omitempty"`  // who was called back, where, and what they said
	Possession string `json:"possession,omitempty"` // when the partner answered a challenge
	Challenge  []byte `json:"challenge,omitempty"`  // SHA-256 of the nonce that is out
	Rejected   string `json:"rejected,omitempty"`   // the reason
}

// Offer is how far a key pair of ours is with one partner.
type Offer struct {
	KeyPair   string    `json:"key_pair"`
	Partner   string    `json:"partner"`
	At        time.Time `json:"at,omitzero"`        // when its certificate was written for them
	Confirmed time.Time `json:"confirmed,omitzero"` // when they said that it is installed
	Version   int64     `json:"-"`
}

// Waiver is a rule that does not count for one certificate. It needs two people,
// and stays visible.
type Waiver struct {
	Rule    string    `json:"rule"`
	Reason  string    `json:"reason"`
	Asked   string    `json:"asked"`
	Granted string    `json:"granted,omitempty"` // empty: not yet
	At      time.Time `json:"at"`
}

// Blocked is a public key that may never come in: another product's, or one
// whose private part was seen.
type Blocked struct {
	SPKISHA256 []byte    `json:"spki_sha256"`
	Reason     string    `json:"reason"`
	By         string    `json:"by"`
	At         time.Time `json:"at"`
	Ended      []string  `json:"ended,omitempty"` // what had the key, and was in use or on its way in
}
