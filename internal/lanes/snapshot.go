package lanes

import (
	"crypto/sha256"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/rsaengine"
)

// Reader reads snapshots.
type Reader struct {
	Store Store
	// Open returns the private key of one of our pairs. It is called when a message first
	// needs the key, at most once for each snapshot.
	Open func(KeyPair) (keyring.Private, error)
	RSA  *rsaengine.Engine // performs the operations of public keys; nil is crypto/rsa
}

// Snapshot holds all lanes at one moment. It never changes, needs no database, and is safe
// for concurrent use. A lane is made when it is first used.
type Snapshot struct {
	Taken time.Time

	engine   *rsaengine.Engine
	profiles map[string]loadedProfile
	lanes    map[Name]*laneEntry
	apiKeys  map[[sha256.Size]byte]apiKeyGrant
	accounts map[string]Name
	damaged  []*DamagedRow
}

// Name names a lane: a partner, and one of its environments.
type Name struct {
	Partner, Environment string // the partner's identity, and the environment's name
}

// String returns "PARTNER in ENVIRONMENT".
func (n Name) String() string { return n.Partner + " in " + n.Environment }

// apiKeyGrant is the lane that an API key belongs to.
type apiKeyGrant struct {
	id      string
	lane    Name
	sealing sealane.Sealing
	damaged error // the row cannot be read
}

// loadedProfile is a profile, or the reason why it cannot be read. Then only its own lanes
// fail.
type loadedProfile struct {
	compiled *profile.Compiled
	err      error
}

// Lane returns the lane with a partner in an environment, with the agreed sealing. The error is
// [ErrNotFound] if there is none.
func (s *Snapshot) Lane(name Name) (*sealane.Lane, error) { return s.LaneWith(name, Terms{}) }

// LaneWith is like [Snapshot.Lane], with terms.
func (s *Snapshot) LaneWith(name Name, t Terms) (*sealane.Lane, error) {
	entry := s.lanes[name]
	if entry == nil {
		return nil, fmt.Errorf("lane with %q in %q: %w", name.Partner, name.Environment, ErrNotFound)
	}
	return s.lane(entry, entry.environment.Sealing, t)
}

// ByAPIKey returns the lane of the caller with an API key, and the key's identity, for a
// [UsageRecorder]. The error is [ErrUnknownAPIKey] if nobody has it.
func (s *Snapshot) ByAPIKey(token string) (lane *sealane.Lane, id string, err error) {
	return s.ByAPIKeyWith(token, Terms{})
}

// ByAPIKeyWith is like [Snapshot.ByAPIKey], with terms.
func (s *Snapshot) ByAPIKeyWith(token string, t Terms) (lane *sealane.Lane, id string, err error) {
	grant, ok := s.apiKeys[TokenHash(token)]
	if !ok {
		return nil, "", ErrUnknownAPIKey
	}
	entry := s.lanes[grant.lane]
	switch {
	case grant.damaged != nil:
		return nil, grant.id, grant.damaged
	case entry == nil:
		return nil, grant.id, ErrNotFound
	}
	lane, err = s.lane(entry, grant.sealing, t)
	return lane, grant.id, err
}

// ByAccount returns the lane of the caller that a trusted upstream names. The error is
// [ErrNotFound] if there is none.
func (s *Snapshot) ByAccount(account string) (*sealane.Lane, error) {
	return s.ByAccountWith(account, Terms{})
}

// ByAccountWith is like [Snapshot.ByAccount], with terms.
func (s *Snapshot) ByAccountWith(account string, t Terms) (*sealane.Lane, error) {
	name, ok := s.accounts[account]
	if !ok {
		return nil, fmt.Errorf("account: %w", ErrNotFound)
	}
	return s.LaneWith(name, t)
}

// URL returns where a partner takes requests in an environment. It is nil where the registry has no URL.
func (s *Snapshot) URL(name Name) (*url.URL, error) {
	entry := s.lanes[name]
	if entry == nil {
		return nil, fmt.Errorf("lane with %q in %q: %w", name.Partner, name.Environment, ErrNotFound)
	}
	if entry.environment.URL == "" {
		return nil, nil
	}
	return url.Parse(entry.environment.URL)
}

// OpenKeys opens private keys of ours, up to a number. It returns an error if none of them can be opened: a
// wrong root key shows before the first message, and one damaged key fails its own lanes only.
func (s *Snapshot) OpenKeys(most int) error {
	var first error
	for name, entry := range s.lanes {
		for _, k := range entry.ourKeys() {
			if most == 0 {
				return first
			}
			most--
			_, err := k.open()
			if err == nil {
				return nil
			}
			if first == nil {
				first = fmt.Errorf("private key of the lane with %s, key ID %q: %w", name, k.id, err)
			}
		}
	}
	return first
}

// Names yields the names of all lanes, in no order.
func (s *Snapshot) Names() iter.Seq[Name] { return maps.Keys(s.lanes) }

// Len returns the number of lanes.
func (s *Snapshot) Len() int { return len(s.lanes) }

// Damaged returns the rows that cannot be read, or that contradict themselves. The lanes
// that they belong to return an error when they are used.
func (s *Snapshot) Damaged() []*DamagedRow { return slices.Clone(s.damaged) }

// TokenHash returns the SHA-256 of a token without surrounding white space. Only this hash
// is stored.
func TokenHash(token string) [sha256.Size]byte {
	return sha256.Sum256([]byte(strings.TrimSpace(token)))
}
