package lanes

import (
	"crypto/sha256"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/rsaengine"
)

// Snapshot holds all lanes at one moment. It never changes, needs no database, and is safe
// for concurrent use. A lane is made when it is first used.
type Snapshot struct {
	Taken   time.Time
	Version Version // of the registry

	engine   *rsaengine.Engine
	now      func() time.Time // nil: time.Now
	profiles map[string]*loadedProfile
	shared   map[sharedName]*sharedKeys
	partners layered[string, *partnerEntry]
	hashKey  *HashKey

	sealedHash []byte // the hashKey as it is stored

	noHash   error                            // why there is no hashKey, though there are API keys
	apiKeys  layered[[sha256.Size]byte, Name] // by HMAC
	accounts layered[string, Name]
	lanes    int // how many there are
	damaged  map[rowID]damage
}

// Name names a lane: a partner, and one of its environments.
type Name struct {
	Partner, Environment string // the partner's identity, and the environment's name
}

// String returns "PARTNER in ENVIRONMENT".
func (n Name) String() string { return n.Partner + " in " + n.Environment }

// apiKeyGrant is an API key of a lane.
type apiKeyGrant struct {
	id      string
	sum     [sha256.Size]byte
	sealing sealane.Sealing
}

// find returns a lane and its partner. The lane is nil if there is none.
func (s *Snapshot) find(name Name) (*partnerEntry, *laneEntry) {
	p, _ := s.partners.get(name.Partner)
	return p, p.lane(name.Environment)
}

func errNoLane(name Name) error {
	return fmt.Errorf("lane with %q in %q: %w", name.Partner, name.Environment, ErrNotFound)
}

// Lane returns the lane with a partner in an environment, with the agreed sealing. The error is
// [ErrNotFound] if there is none.
func (s *Snapshot) Lane(name Name) (*sealane.Lane, error) { return s.LaneWith(name, Terms{}) }

// LaneWith is like [Snapshot.Lane], with terms.
func (s *Snapshot) LaneWith(name Name, t Terms) (*sealane.Lane, error) {
	p, entry := s.find(name)
	if entry == nil {
		return nil, errNoLane(name)
	}
	return s.lane(p, entry, entry.environment.Sealing, t)
}

// ByAPIKey returns the lane of the caller with an API key, and the key's identity, for a
// [UsageRecorder]. The error is [ErrUnknownAPIKey] if nobody has it, and [ErrNotConverted] if
// that can't be said. Known and unknown keys take the same work.
func (s *Snapshot) ByAPIKey(token string) (lane *sealane.Lane, id string, err error) {
	return s.ByAPIKeyWith(token, Terms{})
}

// ByAPIKeyWith is like [Snapshot.ByAPIKey], with terms.
func (s *Snapshot) ByAPIKeyWith(token string, t Terms) (lane *sealane.Lane, id string, err error) {
	if s.noHash != nil {
		return nil, "", s.noHash
	}
	if s.hashKey == nil {
		return nil, "", ErrUnknownAPIKey
	}
	sum := s.hashKey.Token(token)
	name, ok := s.apiKeys.get(sum)
	if !ok {
		return nil, "", ErrUnknownAPIKey
	}
	p, entry := s.find(name)
	if entry == nil {
		return nil, "", ErrUnknownAPIKey
	}
	i := slices.IndexFunc(entry.callers, func(g apiKeyGrant) bool { return g.sum == sum })
	if i < 0 {
		return nil, "", ErrUnknownAPIKey
	}
	grant := entry.callers[i]
	lane, err = s.lane(p, entry, grant.sealing, t)
	return lane, grant.id, err
}

// ByAccount returns the lane of the caller that a trusted upstream names. The error is
// [ErrNotFound] if there is none.
func (s *Snapshot) ByAccount(account string) (*sealane.Lane, error) {
	return s.ByAccountWith(account, Terms{})
}

// ByAccountWith is like [Snapshot.ByAccount], with terms.
func (s *Snapshot) ByAccountWith(account string, t Terms) (*sealane.Lane, error) {
	name, ok := s.accounts.get(account)
	if !ok {
		return nil, fmt.Errorf("account: %w", ErrNotFound)
	}
	return s.LaneWith(name, t)
}

// URL returns where a partner takes requests in an environment. It is nil where the registry has no URL.
func (s *Snapshot) URL(name Name) (*url.URL, error) {
	_, entry := s.find(name)
	if entry == nil {
		return nil, errNoLane(name)
	}
	if entry.environment.URL == "" {
		return nil, nil
	}
	return url.Parse(entry.environment.URL)
}

// Limits returns the limits of a lane. They are zero where there is no such lane.
func (s *Snapshot) Limits(name Name) Limits {
	if _, entry := s.find(name); entry != nil {
		return entry.environment.Limits
	}
	return Limits{}
}

// HasAPIKey reports whether a lane has the API key with that identity.
func (s *Snapshot) HasAPIKey(name Name, id string) bool {
	_, entry := s.find(name)
	return entry != nil && slices.ContainsFunc(entry.callers, func(g apiKeyGrant) bool { return g.id == id })
}

// OpenKeys opens active private keys of ours, up to a number: a wrong root key shows before the first
// message. It returns how many were opened, and the errors of the others. None is opened if API keys
// can't be known.
func (s *Snapshot) OpenKeys(most int) (opened int, failed []error) {
	if s.noHash != nil {
		return 0, []error{s.noHash}
	}
	tried := map[*ownPair]bool{}
	for _, p := range s.partners.all() {
		for _, entry := range p.lanes {
			for _, k := range s.ourKeys(p, entry) {
				if k.state != keyring.Active || tried[k.ownPair] {
					continue
				}
				if len(tried) == most {
					return opened, failed
				}
				tried[k.ownPair] = true
				if _, err := k.private(); err != nil {
					failed = append(failed, fmt.Errorf("private key of the lane with %s in %s, key ID %q: %w",
						p.ID, entry.environment.Name, k.id, err))
				} else {
					opened++
				}
			}
		}
	}
	return opened, failed
}

// Names yields the names of all lanes, in no order.
func (s *Snapshot) Names() iter.Seq[Name] {
	return func(yield func(Name) bool) {
		for _, p := range s.partners.all() {
			for _, entry := range p.lanes {
				if !yield(Name{p.ID, entry.environment.Name}) {
					return
				}
			}
		}
	}
}

// Len returns the number of lanes.
func (s *Snapshot) Len() int { return s.lanes }

// Damaged returns the rows that cannot be read, or that contradict themselves. The lanes
// that they belong to return an error when they are used.
func (s *Snapshot) Damaged() []*DamagedRow {
	var rows []*DamagedRow
	for _, d := range s.damaged {
		rows = append(rows, d.row)
	}
	slices.SortFunc(rows, func(a, b *DamagedRow) int { return strings.Compare(a.Row, b.Row) })
	return rows
}
