package registry

import (
	"cmp"
	"slices"
	"time"

	"github.com/sealane/sealane/internal/lanes"
)

// Leg is one of the two exchanges of a lane: our key pair at a partner, or a partner's
// certificate with us.
type Leg struct {
	Owner       Owner  `json:"owner"`
	Partner     string `json:"partner,omitempty"` // empty: our pair that all partners of the profile share
	Profile     string `json:"profile"`
	Environment string `json:"environment"`
}

// Lane returns the name of the lane. Its partner is empty for a shared pair.
func (l Leg) Lane() lanes.Name { return lanes.Name{Partner: l.Partner, Environment: l.Environment} }

// String returns, for example, "our key pair for acme in PROD".
func (l Leg) String() string {
	switch {
	case l.Owner == Theirs:
		return "the certificate of " + l.Partner + " in " + l.Environment
	case l.Partner == "":
		return "our key pair for all of " + l.Profile + " in " + l.Environment
	}
	return "our key pair for " + l.Partner + " in " + l.Environment
}

// RenewalStep is where a renewal stands. It follows from the states of the two keys, and from what is
// noted in the renewal: no act sets it.
type RenewalStep string

// The steps. The first ones are those of a renewal that is open.
const (
	RenewalDue       RenewalStep = "due"       // there is no successor yet
	RenewalAsked     RenewalStep = "asked"     // theirs: the partner was asked for one
	RenewalReceived  RenewalStep = "received"  // theirs
	RenewalMatched   RenewalStep = "matched"   // theirs
	RenewalApproved  RenewalStep = "approved"  // theirs
	RenewalStaged    RenewalStep = "staged"    // the successor opens or verifies
	RenewalLoaded    RenewalStep = "loaded"    // so it does on every node
	RenewalOffered   RenewalStep = "offered"   // ours: the partner has its certificate
	RenewalConfirmed RenewalStep = "confirmed" // ours: the partner has said that it is installed
	RenewalActive    RenewalStep = "active"    // messages are sealed by it
	RenewalTold      RenewalStep = "told"      // theirs: the mail that confirms it is planned
	RenewalQuiet     RenewalStep = "quiet"     // nobody has used the old one for a while

	RenewalDone        RenewalStep = "done"        // the old one has ended
	RenewalWithdrawn   RenewalStep = "withdrawn"   // the successor was never used
	RenewalSuperseded  RenewalStep = "superseded"  // another successor has followed
	RenewalLapsed      RenewalStep = "lapsed"      // the old one ended without a successor
	RenewalCompromised RenewalStep = "compromised" // the successor was revoked
)

// RenewalSteps returns all steps.
func RenewalSteps() []RenewalStep {
	return []RenewalStep{
		RenewalDue, RenewalAsked, RenewalReceived, RenewalMatched, RenewalApproved, RenewalStaged, RenewalLoaded,
		RenewalOffered, RenewalConfirmed, RenewalActive, RenewalTold, RenewalQuiet,
		RenewalDone, RenewalWithdrawn, RenewalSuperseded, RenewalLapsed, RenewalCompromised,
	}
}

// Closed reports whether the step is one of a renewal that has ended.
func (s RenewalStep) Closed() bool {
	return slices.Contains([]RenewalStep{
		RenewalDone, RenewalWithdrawn, RenewalSuperseded, RenewalLapsed, RenewalCompromised,
	}, s)
}

// Renewal is the change from one key of a leg to its successor. One is open for a leg at a time. The
// states of the keys are in their own rows; the renewal has what the change needs in addition.
type Renewal struct {
	ID string `json:"id"`
	Leg
	Replaces  string `json:"replaces"`            // the key pair (ours) or certificate (theirs) that it is about
	Successor string `json:"successor,omitempty"` // of the same kind; empty: there is none yet
	// Campaign is the renewal of the shared pair that this one, of one partner, is a part of.
	Campaign string      `json:"campaign,omitempty"`
	Step     RenewalStep `json:"step"`

	Due       time.Time `json:"due,omitzero"`        // when a successor was due
	RespondBy time.Time `json:"respond_by,omitzero"` // when the partner should have answered
	// Staged and Activated are the records of the audit log with the change; a node that has the record
	// has the key. StagedAt and ActivatedAt are when that was. 0: it is not so.
	Staged      int64     `json:"staged,omitempty"`
	StagedAt    time.Time `json:"staged_at,omitzero"`
	LoadedAt    time.Time `json:"loaded_at,omitzero"` // when every node had it first
	Activated   int64     `json:"activated,omitempty"`
	ActivatedAt time.Time `json:"activated_at,omitzero"`
	// Revoked is the record with the revocation of the key that it replaces. 0: it was not revoked.
	Revoked int64 `json:"revoked,omitempty"`
	// Everywhere is when every node used the successor.
	Everywhere   time.Time `json:"everywhere,omitzero"`
	OverlapUntil time.Time `json:"overlap_until,omitzero"` // when the old one should have ended
	QuietAt      time.Time `json:"quiet_at,omitzero"`      // when it was seen that nobody uses the old one

	// Rollbacks is how often it was rolled back. Unstaged reports whether a person has taken the successor
	// back, so that no program stages it.
	Rollbacks int  `json:"rollbacks,omitempty"`
	Unstaged  bool `json:"unstaged,omitempty"`

	AskedAt time.Time       `json:"asked_at,omitzero"`
	Order   *RenewalOrder   `json:"order,omitempty"` // nil: activation is not ordered
	Hold    *RenewalHold    `json:"hold,omitempty"`  // nil: it is not held
	Mail    *RenewalMail    `json:"mail,omitempty"`  // theirs: the mail that confirms the successor
	Plan    *CampaignPlan   `json:"plan,omitempty"`  // of a campaign
	Told    *RenewalMessage `json:"told,omitempty"`  // theirs: who acknowledged the successor's key ID

	Notices []RenewalNotice `json:"notices,omitempty"` // that were accepted, the oldest first
	Ack     *RenewalAck     `json:"ack,omitempty"`     // nil: nobody has acknowledged the notices

	Evidence []RenewalEvidence `json:"evidence,omitempty"` // of each step, the oldest first
	Closed   time.Time         `json:"closed,omitzero"`
	Created  time.Time         `json:"created"`
	Changed  time.Time         `json:"changed"`
	Version  int64             `json:"-"`
}

// RenewalOrder is a person's order to activate the successor.
type RenewalOrder struct {
	// At is when; zero: as soon as the environment's window allows.
	At     time.Time `json:"at,omitzero"`
	By     string    `json:"by"`
	Given  time.Time `json:"given,omitzero"`   // when it was ordered
	Change string    `json:"change,omitempty"` // the change reference
	// Released is who has agreed, where two people decide.
	Released string `json:"released,omitempty"`
}

// RenewalHold stops a renewal: nothing of it moves until the hold ends.
type RenewalHold struct {
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

// RenewalMessage is what somebody at the partner has said.
type RenewalMessage struct {
	By   string    `json:"by"` // who has recorded it
	At   time.Time `json:"at"`
	Said string    `json:"said"` // who, how, and the words
	// KeyID is the one that it is about.
	KeyID string `json:"key_id,omitempty"`
}

// RenewalMail is the mail that tells the partner that its new certificate is in use. Once it is
// planned, the partner may end the old key at any time.
type RenewalMail struct {
	Planned time.Time `json:"planned"`
	To      []string  `json:"to,omitempty"` // the addresses; empty: there is no contact
	ID      string    `json:"id"`           // the Message-ID
	// Ready reports whether it says that the partner can replace its key, and not that the new one is
	// in use: for one who holds one certificate at a time.
	Ready  bool      `json:"ready,omitempty"`
	Sent   time.Time `json:"sent,omitzero"`
	SentBy string    `json:"sent_by,omitempty"`
}

// Kind returns the kind of letter that the mail is.
func (m RenewalMail) Kind() NoticeKind {
	if m.Ready {
		return LetterReady
	}
	return LetterInstalled
}

// CampaignPlan says how fast a shared pair is renewed with the partners who share it.
type CampaignPlan struct {
	Batch int `json:"batch"` // partners who are offered the certificate at a time
	// PerDay is how many partners it may be at most within 24 hours; 0: no limit.
	PerDay int `json:"per_day,omitempty"`
	// Late is how many of those who have not answered in time stop the campaign.
	Late int `json:"late"`
}

// RenewalEvidence is a step that was reached, and by whom.
type RenewalEvidence struct {
	Step   RenewalStep `json:"step"`
	At     time.Time   `json:"at"`
	By     string      `json:"by"`
	Record int64       `json:"record"` // of the audit log
	Text   string      `json:"text,omitempty"`
}

// MaxEvidence is how many steps a renewal keeps; the audit log has all.
const MaxEvidence = 60

// RenewalQuery selects renewals. Empty fields select all.
type RenewalQuery struct {
	Page
	Open                          bool // those that are not closed
	Owner                         Owner
	Partner, Environment, Profile string
	Shared                        bool   // of shared pairs
	Campaign                      string // the parts of a campaign
	Key                           string // those that it replaces, or that it is the successor in
	Steps                         []RenewalStep
}

// Emergency reports whether the key that the renewal replaces was revoked: its successor is activated
// at any time, and without an order.
func (r Renewal) Emergency(tx Reader) (bool, error) {
	state, err := keyState(tx, r.Leg, r.Replaces)
	return state == Compromised, err
}

// NeedsSomebody reports whether a person, a partner or a program has to act before the renewal can end. Else
// only time has to go by, or it has ended.
func (r Renewal) NeedsSomebody() bool {
	switch {
	case r.Step.Closed():
		return false
	case r.Hold != nil:
		return true
	case r.Step == RenewalActive:
		return r.Everywhere.IsZero() || r.Owner == Theirs
	case r.Step == RenewalTold:
		return r.Mail == nil || r.Mail.Sent.IsZero()
	}
	return true
}

// IsRenewal reports whether an identity is that of a renewal.
func IsRenewal(id string) bool { return len(id) > 2 && id[:2] == "n-" }

// StateOf returns the state of a key of a leg, for that leg: a shared pair has one for each partner.
func StateOf(tx Reader, leg Leg, id string) (State, error) { return keyState(tx, leg, id) }

// keyState is StateOf.
func keyState(tx Reader, leg Leg, id string) (State, error) {
	if id == "" {
		return "", nil
	}
	if leg.Owner == Theirs {
		c, err := tx.Certificate(id)
		return c.State, err
	}
	k, err := tx.KeyPair(id)
	if err != nil || k.Partner != "" || leg.Partner == "" || !k.State.InUse() {
		return k.State, err
	}
	p, err := tx.Partner(leg.Partner)
	if err != nil {
		return "", err
	}
	pairs, err := PairsFor(tx, p, leg.Environment)
	for _, one := range pairs {
		if one.ID == id {
			return one.State, err
		}
	}
	return k.State, err
}

// activeOf returns the key of a leg that messages are sealed by or encrypted to, or was last: the one
// that a successor follows. It is empty if there was none.
func activeOf(tx Reader, leg Leg, but string) (string, error) {
	all, err := keysOf(tx, leg)
	all = slices.DeleteFunc(all, func(k keyOfLeg) bool { return k.id == but || k.state != Active })
	if err != nil || len(all) == 0 {
		return "", err
	}
	return slices.MaxFunc(all, func(a, b keyOfLeg) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id))
	}).id, nil
}

// keyOfLeg is a key of a leg, and since when it is in its state.
type keyOfLeg struct {
	id    string
	state State
	at    time.Time
}

// keysOf returns the keys of a leg that are in use, and the certificates that are approved. A retiring
// pair that partners share is not among those of one partner: it ends for all of them.
func keysOf(tx Reader, leg Leg) (all []keyOfLeg, err error) {
	if leg.Owner == Theirs {
		certificates, _, err := Readable(tx.Certificates(CertificateQuery{
			Owner: Theirs, Partner: leg.Partner, Environment: leg.Environment,
			States: []State{Approved, Staged, Active, Retiring},
		}))
		for _, c := range certificates {
			all = append(all, keyOfLeg{c.ID, c.State, c.Changed})
		}
		return all, err
	}
	pairs, err := pairsOfLeg(tx, leg)
	for _, k := range pairs {
		if k.Partner == leg.Partner || k.State != Retiring {
			all = append(all, keyOfLeg{k.ID, k.State, k.Changed})
		}
	}
	return all, err
}

// pairsOfLeg returns the pairs in use of a leg of ours, in the states that they have for it.
func pairsOfLeg(tx Reader, leg Leg) ([]KeyPair, error) {
	if leg.Partner == "" {
		pairs, _, err := Readable(tx.KeyPairs(KeyPairQuery{
			Profile: leg.Profile, Shared: true, Environment: leg.Environment, States: StatesInUse,
		}))
		return pairs, err
	}
	p, err := tx.Partner(leg.Partner)
	if err != nil {
		return nil, err
	}
	pairs, _, err := Readable(PairsFor(tx, p, leg.Environment))
	return pairs, err
}

// ObservedDay is how long programs have watched the uses of keys in a UTC day.
type ObservedDay struct {
	Day     time.Time // its beginning
	Watched time.Duration
	Until   time.Time // when the last watch ended
}
