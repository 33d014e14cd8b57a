package lanes

import (
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/rsaengine"
)

// Reader reads snapshots.
type Reader struct {
	Store Store
	// Open returns the private key of one of our pairs. It is called when a message
	// first needs the key, once for each snapshot, whatever it returns.
	Open func(KeyPair) (keyring.Private, error)
	RSA  *rsaengine.Engine // performs the operations of public keys; nil is crypto/rsa
}

// Snapshot is all lanes at one moment. It never changes, needs no database, and is safe
// for concurrent use. A lane is made when it is first asked for.
type Snapshot struct {
	Taken time.Time

	engine   *rsaengine.Engine
	profiles map[string]loadedProfile
	lanes    map[Name]*laneEntry
	apiKeys  map[[sha256.Size]byte]apiKeyGrant
	accounts map[string]Name
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
}

// loadedProfile is a profile, or why it can't be read: then only its own lanes fail.
type loadedProfile struct {
	compiled *profile.Compiled
	err      error
}

// Read reads all lanes, as of the time now.
func (r *Reader) Read(ctx context.Context, now time.Time) (*Snapshot, error) {
	var s *Snapshot
	err := r.Store.ReadLanes(ctx, func(rows Rows) error {
		b := newBuilder(r, now)
		s = b.Snapshot
		return b.read(rows)
	})
	if err != nil {
		return nil, fmt.Errorf("read the lanes: %w", err)
	}
	return s, nil
}

// builder is a snapshot while its rows are read.
type builder struct {
	*Snapshot
	open      func(KeyPair) (keyring.Private, error)
	partners  map[string]Partner
	shared    map[sharedName]*[]laneKey       // key pairs of ours for all partners
	confirmed map[string]map[string]time.Time // by key pair and partner
}

type sharedName struct{ profile, environment string }

func newBuilder(r *Reader, now time.Time) *builder {
	return &builder{
		Snapshot: &Snapshot{
			Taken: now, engine: r.RSA, profiles: map[string]loadedProfile{}, lanes: map[Name]*laneEntry{},
			apiKeys: map[[sha256.Size]byte]apiKeyGrant{}, accounts: map[string]Name{},
		},
		open: r.Open, partners: map[string]Partner{}, shared: map[sharedName]*[]laneKey{},
		confirmed: map[string]map[string]time.Time{},
	}
}

// read adds the rows, each after those that it refers to.
func (b *builder) read(rows Rows) error {
	if err := each(rows.Partners(), b.addPartner); err != nil {
		return err
	}
	if err := each(rows.Environments(), b.addEnvironment); err != nil {
		return err
	}
	if err := each(rows.APIKeys(), b.addAPIKey); err != nil {
		return err
	}
	if err := each(rows.Confirmations(), b.addConfirmation); err != nil {
		return err
	}
	if err := each(rows.KeyPairs(), b.addKeyPair); err != nil {
		return err
	}
	if err := each(rows.Certificates(), b.addCertificate); err != nil {
		return err
	}
	for name := range b.profiles {
		b.profiles[name] = compiled(LoadProfile(name, rows.Profile))
	}
	return nil
}

// each calls add with every row, until one is an error.
func each[T any](rows iter.Seq2[T, error], add func(T) error) error {
	for row, err := range rows {
		if err != nil {
			return err
		}
		if err := add(row); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) addPartner(p Partner) error {
	b.partners[p.ID] = p
	b.profiles[p.Profile] = loadedProfile{} // read loads it
	return nil
}

func (b *builder) addEnvironment(e Environment) error {
	p := b.partners[e.Partner]
	name := Name{e.Partner, e.Name}
	b.lanes[name] = &laneEntry{partner: p, environment: e, shared: b.sharedKeys(p.Profile, e.Name)}
	if e.Account != "" {
		b.accounts[e.Account] = name
	}
	return nil
}

// sharedKeys returns our keys for all partners of a profile; more may be added to it.
func (b *builder) sharedKeys(profileName, environment string) *[]laneKey {
	name := sharedName{profileName, environment}
	if b.shared[name] == nil {
		b.shared[name] = &[]laneKey{}
	}
	return b.shared[name]
}

func (b *builder) addAPIKey(k APIKey) error {
	if len(k.SHA256) != sha256.Size {
		return fmt.Errorf("API key %s has no checksum: the row is damaged", k.ID)
	}
	b.apiKeys[[sha256.Size]byte(k.SHA256)] = apiKeyGrant{k.ID, Name{k.Partner, k.Environment}, k.Sealing}
	return nil
}

func (b *builder) addConfirmation(c Confirmation) error {
	if b.confirmed[c.KeyPair] == nil {
		b.confirmed[c.KeyPair] = map[string]time.Time{}
	}
	b.confirmed[c.KeyPair][c.Partner] = c.At
	return nil
}

func (b *builder) addKeyPair(k KeyPair) error {
	key := laneKey{id: k.KeyID, state: k.State, spki: k.SPKI, pair: k.ID}
	key.open = sync.OnceValues(func() (keyring.Private, error) { return b.open(k) })
	if k.Partner == "" {
		key.confirmed, key.installed = b.confirmed[k.ID], k.Installed
		keys := b.sharedKeys(k.Profile, k.Environment)
		*keys = append(*keys, key)
	} else if lane := b.lanes[Name{k.Partner, k.Environment}]; lane != nil {
		lane.ours = append(lane.ours, key)
	}
	return nil
}

func (b *builder) addCertificate(c Certificate) error {
	if lane := b.lanes[Name{c.Partner, c.Environment}]; lane != nil {
		lane.theirs = append(lane.theirs, laneKey{id: c.KeyID, state: c.State, spki: c.SPKI})
	}
	return nil
}

// Lane returns the lane with a partner in an environment, as its sealing was agreed.
// The error is [ErrNotFound] where there is none.
func (s *Snapshot) Lane(name Name) (*sealane.Lane, error) {
	entry := s.lanes[name]
	if entry == nil {
		return nil, fmt.Errorf("lane with %q in %q: %w", name.Partner, name.Environment, ErrNotFound)
	}
	return s.lane(entry, entry.environment.Sealing)
}

// ByAPIKey returns the lane of the caller who has an API key, and the key's identity, for
// a [UsageRecorder]. The error is [ErrUnknownAPIKey] where nobody has it.
func (s *Snapshot) ByAPIKey(token string) (lane *sealane.Lane, id string, err error) {
	grant, ok := s.apiKeys[TokenHash(token)]
	if !ok {
		return nil, "", ErrUnknownAPIKey
	}
	entry := s.lanes[grant.lane]
	if entry == nil {
		return nil, grant.id, ErrNotFound
	}
	lane, err = s.lane(entry, grant.sealing)
	return lane, grant.id, err
}

// ByAccount returns the lane of the caller whom a trusted upstream names. The error is
// [ErrNotFound] where there is none.
func (s *Snapshot) ByAccount(account string) (*sealane.Lane, error) {
	name, ok := s.accounts[account]
	if !ok {
		return nil, fmt.Errorf("account: %w", ErrNotFound)
	}
	return s.Lane(name)
}

// Len returns the number of lanes.
func (s *Snapshot) Len() int { return len(s.lanes) }

// TokenHash returns the SHA-256 of a token without the white space around it. It is what
// is stored of tokens.
func TokenHash(token string) [sha256.Size]byte {
	return sha256.Sum256([]byte(strings.TrimSpace(token)))
}
