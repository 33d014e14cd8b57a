package registry

import (
	"slices"
	"time"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/keyring"
)

// Offer is the exchange of one of our certificates with one partner.
type Offer struct {
	KeyPair   string    `json:"key_pair"`
	Partner   string    `json:"partner"`
	At        time.Time `json:"at,omitzero"`        // when its certificate was written for them
	Confirmed time.Time `json:"confirmed,omitzero"` // when they said that it is installed
	Version   int64     `json:"-"`
}

// PairsFor returns the key pairs in use in the lanes with a partner: first its own, and then
// those that all partners of the profile share, in the states that they have for this partner.
// Each partner confirms for itself, so that no message to a partner is signed by a key that it
// has not installed. An empty environment stands for all.
func PairsFor(tx Reader, p Partner, environment string) ([]KeyPair, error) {
	q := KeyPairQuery{Profile: p.Profile, Partner: p.ID, Environment: environment, States: StatesInUse}
	q.Limit = 1000
	own, err := tx.KeyPairs(q)
	if err != nil {
		return nil, err
	}
	q.Partner, q.Shared = "", true
	shared, err := tx.KeyPairs(q)
	if err != nil {
		return nil, err
	}
	offers, err := tx.Offers(p.ID)
	if err != nil {
		return nil, err
	}
	at := map[string]time.Time{}
	for _, o := range offers {
		at[o.KeyPair] = o.Confirmed
	}
	pairs := make([]lanes.SharedPair, len(shared))
	for i, k := range shared {
		pairs[i] = lanes.SharedPair{
			ID: k.ID, Environment: k.Environment, State: ringState(k.State), Confirmed: k.confirmed(at[k.ID]),
		}
	}
	for i := range shared {
		k := &shared[i]
		ownActive := slices.ContainsFunc(own, func(o KeyPair) bool {
			return o.State == Active && o.Environment == k.Environment
		})
		k.State = State(lanes.StateFor(pairs, i, ownActive).String())
	}
	return append(own, shared...), nil
}

// confirmed returns when a partner has confirmed a shared pair: at, or, where that is zero,
// since when we have a pair that was imported, because the partners had it before.
func (k KeyPair) confirmed(at time.Time) time.Time {
	if at.IsZero() && k.Origin == Imported {
		return k.Created
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
