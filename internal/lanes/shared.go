package lanes

import (
	"time"

	"github.com/sealane/sealane/keyring"
)

// SharedPair is a key pair of ours for all partners of a profile, as one of them knows it.
type SharedPair struct {
	ID, Environment string

	State     keyring.State
	Confirmed time.Time // when the partner said that it is installed; zero: not yet
}

// StateFor returns the state that pairs[i] has for one partner; ownActive tells that the
// partner has an active pair of its own in that environment. Of the active pairs that one
// is active for the partner which it confirmed last, if it has none of its own. Those that
// it confirmed before are retiring: they open what comes late. Those that it has not
// confirmed are staged: they open what comes early.
func StateFor(pairs []SharedPair, i int, ownActive bool) keyring.State {
	k := pairs[i]
	switch {
	case k.State != keyring.Active:
		return k.State
	case k.Confirmed.IsZero():
		return keyring.Staged
	case ownActive:
		return keyring.Retiring
	}
	for _, other := range pairs {
		if other.Environment == k.Environment && other.State == keyring.Active && other.after(k) {
			return keyring.Retiring
		}
	}
	return keyring.Active
}

// after reports whether p was confirmed after q; the identities decide a tie.
func (p SharedPair) after(q SharedPair) bool {
	return p.Confirmed.After(q.Confirmed) || p.Confirmed.Equal(q.Confirmed) && p.ID > q.ID
}
