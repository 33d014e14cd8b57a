package lanes

import (
	"time"

	"github.com/sealane/sealane/keyring"
)

// SharedPair is one of our key pairs for all partners of a profile, with the data of one
// partner.
type SharedPair struct {
	ID, Environment string

	State     keyring.State
	Confirmed time.Time // when the partner said that it is installed; zero: not yet
}

// StateFor returns the state of pairs[i] for one partner. ownActive reports whether the
// partner has an active pair of its own in that environment. If it has none, the active
// pair that it confirmed last is active for it. Those that it confirmed earlier are
// retiring, because older messages may still be on their way. Those that it has not
// confirmed are staged, because the partner may start to use them at any time.
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
