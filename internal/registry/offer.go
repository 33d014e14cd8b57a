package registry

import (
	"slices"
	"time"
)

// Offer is how far a key pair of ours is with one partner.
type Offer struct {
	KeyPair   string    `json:"key_pair"`
	Partner   string    `json:"partner"`
	At        time.Time `json:"at,omitzero"`        // when its certificate was written for them
	Confirmed time.Time `json:"confirmed,omitzero"` // when they said that it is installed
	Version   int64     `json:"-"`
}

// PairsFor gives the key pairs in use that a lane with a partner has, its own first,
// then those that all partners of the profile share. Their states are as they are for
// this partner: each confirms for itself, so that one is never signed to with a key
// that it has not installed. An empty environment asks for all.
func PairsFor(tx Tx, p Partner, environment string) ([]KeyPair, error) {
	q := KeyPairQuery{Profile: p.Profile, Partner: p.ID, Environment: environment, States: StatesInUse, Page: Page{Limit: 1000}}
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
	pairs := make([]sharedPair, len(shared))
	for i, k := range shared {
		pairs[i] = sharedPair{k.ID, k.Environment, k.State, confirmed(k, at[k.ID])}
	}
	for i := range shared {
		k := &shared[i]
		k.State = stateFor(pairs, i, slices.ContainsFunc(own, func(o KeyPair) bool { return o.State == Active && o.Environment == k.Environment }))
	}
	return append(own, shared...), nil
}

// confirmed is when a partner has confirmed a shared pair: one that came in from
// elsewhere it had before.
func confirmed(k KeyPair, at time.Time) time.Time {
	if at.IsZero() && k.Origin == Imported {
		return k.Created
	}
	return at
}

// sharedPair is a pair for all partners of a profile, with when one of them has
// confirmed it.
type sharedPair struct {
	id, environment string
	state           State
	confirmed       time.Time
}

// stateFor is the state that a shared pair has for one partner. Of the active ones that
// is active which the partner has confirmed last, unless it has one of its own; those
// confirmed before open what comes late, the others what comes early.
func stateFor(pairs []sharedPair, i int, ownActive bool) State {
	k := pairs[i]
	switch {
	case k.state != Active:
		return k.state
	case k.confirmed.IsZero():
		return Staged
	case ownActive:
		return Retiring
	}
	for _, o := range pairs {
		if o.environment == k.environment && o.state == Active && (o.confirmed.After(k.confirmed) || o.confirmed.Equal(k.confirmed) && o.id > k.id) {
			return Retiring
		}
	}
	return Active
}
