package lanes

import (
	"time"

	"github.com/sealane/sealane/keyring"
)

// Pair is one of our key pairs in use, with the data of one partner.
type Pair struct {
	ID, Environment string

	Shared    bool // with all partners of the profile
	State     keyring.State
	Confirmed time.Time // when the partner said that it is installed; zero: not yet
}

// StateFor returns the state of pairs[i] for one partner. The active pair that the partner
// confirmed last is active for it, whether it is its own or shared. Those that it confirmed
// earlier are retiring, because older messages may still be on their way. Shared pairs that it
// has not confirmed are staged, because the partner may start to use them at any time.
func StateFor(pairs []Pair, i int) keyring.State {
	k := pairs[i]
	switch {
	case k.Shared && k.Confirmed.IsZero():
		return keyring.Staged
	case k.State != keyring.Active:
		return k.State
	}
	for _, other := range pairs {
		counts := other.State == keyring.Active && (!other.Shared || !other.Confirmed.IsZero())
		if counts && other.Environment == k.Environment && other.after(k) {
			return keyring.Retiring
		}
	}
	return keyring.Active
}

// after reports whether p was confirmed after q; the identities decide a tie.
func (p Pair) after(q Pair) bool {
	return p.Confirmed.After(q.Confirmed) || p.Confirmed.Equal(q.Confirmed) && p.ID > q.ID
}
