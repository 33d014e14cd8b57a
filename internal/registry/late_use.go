package registry

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// EndedUse is a use of a key that has ended, by a node.
type EndedUse struct {
	Key     string    `json:"key"` // the key pair or the certificate
	Partner string    `json:"partner"`
	Node    string    `json:"node"`
	Last    time.Time `json:"last"`
	State   State     `json:"state"` // of the key, and Ended since when
	Ended   time.Time `json:"ended"`
}

const (
	lateUses  = 7 * 24 * time.Hour // for how long a use counts
	lateGrace = time.Hour          // that a request may take, and by which clocks may differ
	maxLate   = 100
)

// LateUses returns the latest uses of keys that had ended before, one for each key, partner and node, at most 100. A
// node that uses one has lanes of long ago: nobody renews such a key, and nobody is told that it ends. A key whose row
// can't be read is left out.
func LateUses(tx Reader, now time.Time) ([]EndedUse, error) {
	all, err := tx.EndedUses(now.Add(-lateUses), maxLate)
	if err != nil {
		return nil, err
	}
	for i := range all {
		u := &all[i]
		if strings.HasPrefix(u.Key, "k-") {
			k, err := tx.KeyPair(u.Key)
			if errors.Is(err, ErrStore) {
				return nil, err
			}
			u.State, u.Ended = k.State, k.Changed
			continue
		}
		c, err := tx.Certificate(u.Key)
		if errors.Is(err, ErrStore) {
			return nil, err
		}
		u.State, u.Ended = c.State, c.Changed
	}
	return slices.DeleteFunc(all, func(u EndedUse) bool {
		return u.State == "" || u.State.InUse() || u.Last.Sub(u.Ended) < lateGrace
	}), nil
}
