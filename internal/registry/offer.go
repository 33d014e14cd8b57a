package registry

import (
	"time"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/keyring"
)

// Offer is the exchange of one of our certificates with one partner.
type Offer struct {
	KeyPair   string    `json:"key_pair"`
	Partner   string    `json:"partner"`
	At        time.Time `json:"at,omitzero"`        // when its certificate was written for them
	Installed time.Time `json:"installed,omitzero"` // when they said that it is installed
	Said      string    `json:"said,omitempty"`     // who said so, and how
	// Confirmed is since when messages to them are signed by it, or that they were told so. Rows of
	// earlier versions, and of pairs that were imported, have it without Installed.
	Confirmed time.Time `json:"confirmed,omitzero"`
	Version   int64     `json:"-"`
}

// OfferCount is how many partners a key pair was offered to.
type OfferCount struct {
	Installed int `json:"installed"` // who have said that it is installed
	Waiting   int `json:"waiting"`   // who have not
}

// PairsFor returns the key pairs in use in the lanes with a partner: first its own, and then
// those that all partners of the profile share, in the states that they have for this partner.
// Which is active follows from its confirmations alone, see [lanes.StateFor], so that no message
// to a partner is signed by a key that it has not installed. An empty environment stands for all.
//
// Where rows can't be read, the error is [DamagedRows], and the other pairs are returned with it,
// for lists: their states may be others.
func PairsFor(tx Reader, p Partner, environment string) ([]KeyPair, error) {
	q := KeyPairQuery{Profile: p.Profile, Partner: p.ID, Environment: environment, States: StatesInUse}
	q.Limit = 1000
	own, damaged, err := Readable(tx.KeyPairs(q))
	if err != nil {
		return nil, err
	}
	q.Partner, q.Shared = "", true
	shared, more, err := Readable(tx.KeyPairs(q))
	if err != nil {
		return nil, err
	}
	damaged = append(damaged, more...)
	offers, more, err := Readable(tx.Offers(p.ID))
	if err != nil {
		return nil, err
	}
	damaged = append(damaged, more...)
	at := map[string]time.Time{}
	for _, o := range offers {
		at[o.KeyPair] = o.Confirmed
	}
	all := append(own, shared...)
	pairs := make([]lanes.Pair, len(all))
	for i, k := range all {
		pairs[i] = lanes.Pair{
			ID: k.ID, Environment: k.Environment, Shared: k.Partner == "", State: ringState(k.State),
			Confirmed: at[k.ID],
		}
	}
	for i := range all {
		all[i].State = State(lanes.StateFor(pairs, i).String())
	}
	if damaged != nil {
		return all, damaged
	}
	return all, nil
}

// ConfirmedAt returns the time of a new confirmation of a partner, whose offers these are. It is
// after all earlier ones, even if a clock was set back: their order says which pair is active.
func ConfirmedAt(offers []Offer, now time.Time) time.Time {
	at := now.Truncate(time.Microsecond) // as it is stored
	for _, o := range offers {
		if next := o.Confirmed.Add(time.Microsecond); !o.Confirmed.IsZero() && next.After(at) {
			at = next
		}
	}
	return at
}

// ringState returns the state of a key in use, as lanes have it.
func ringState(s State) keyring.State {
	state, err := lanes.ParseState(string(s))
	if err != nil {
		panic(err) // it is called for keys in use only
	}
	return state
}
