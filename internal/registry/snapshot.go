package registry

import (
	"cmp"
	"context"
	"crypto"
	"crypto/rsa"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
)

// Snapshot is all lanes at one moment. It never changes, asks no database, and is
// safe for concurrent use. A lane is put together when it is first asked for, and
// a private key opened when it is first used.
type Snapshot struct {
	Taken time.Time

	r        *Registry
	profiles map[string]loadedProfile
	places   map[laneName]*agreed
	byKey    map[[32]byte]access
	account  map[string]laneName
}

type laneName struct{ partner, environment string }

// access is what an API key lets in to.
type access struct {
	id      string
	lane    laneName
	sealing sealane.Sealing
}

// agreed is one environment of a partner with the rows that its lane is made of.
type agreed struct {
	partner      Partner
	environment  Environment
	ours, theirs []laneKey
	shared       *[]laneKey // ours for all of the profile

	mu    sync.Mutex
	lanes map[sealane.Sealing]*sealane.Lane // Required and Optional, as far as asked for
}

type laneKey struct {
	id        string
	state     State
	pair      string               // ours: the key pair's identity
	confirmed map[string]time.Time // of a shared pair: when which partner confirmed it
	imported  time.Time            // of one that partners had before: since when we have it
	spki      []byte
	open      func() (keyring.Private, error) // ours: once, for all lanes that share it
}

// Snapshot reads all lanes.
func (r *Registry) Snapshot(ctx context.Context) (*Snapshot, error) {
	snapshot := &Snapshot{
		Taken: r.now(), r: r, profiles: map[string]loadedProfile{}, places: map[laneName]*agreed{},
		byKey: map[[32]byte]access{}, account: map[string]laneName{},
	}
	partners := map[string]Partner{}
	shared := map[laneName]*[]laneKey{} // by profile and environment
	sharedOf := func(profileName, environment string) *[]laneKey {
		n := laneName{profileName, environment}
		if shared[n] == nil {
			shared[n] = &[]laneKey{}
		}
		return shared[n]
	}
	offers := map[string]map[string]time.Time{} // by key pair and partner
	rows := LaneRows{
		Offer: func(o Offer) error {
			if offers[o.KeyPair] == nil {
				offers[o.KeyPair] = map[string]time.Time{}
			}
			offers[o.KeyPair][o.Partner] = o.Confirmed
			return nil
		},
		Partner: func(p Partner) error {
			partners[p.ID] = p
			snapshot.profiles[p.Profile] = loadedProfile{} // read below
			return nil
		},
		Environment: func(e Environment) error {
			p := partners[e.Partner]
			snapshot.places[laneName{e.Partner, e.Name}] = &agreed{partner: p, environment: e, shared: sharedOf(p.Profile, e.Name)}
			if e.Account != "" {
				snapshot.account[e.Account] = laneName{e.Partner, e.Name}
			}
			return nil
		},
		APIKey: func(k APIKey) error {
			if len(k.SHA256) != 32 {
				return fmt.Errorf("API key %s has no checksum: the row is damaged", k.ID)
			}
			snapshot.byKey[[32]byte(k.SHA256)] = access{k.ID, laneName{k.Partner, k.Environment}, k.Sealing}
			return nil
		},
		KeyPair: func(k KeyPair) error {
			key := laneKey{id: k.KeyID, pair: k.ID, state: k.State, spki: k.SPKI, open: sync.OnceValues(func() (keyring.Private, error) {
				key, err := r.unseal(k)
				if err != nil {
					return nil, err
				}
				return r.RSA.PrivateKey(key)
			})}
			if k.Partner == "" {
				key.confirmed, key.imported = offers[k.ID], confirmed(k, time.Time{})
				list := sharedOf(k.Profile, k.Environment)
				*list = append(*list, key)
			} else if at := snapshot.places[laneName{k.Partner, k.Environment}]; at != nil {
				at.ours = append(at.ours, key)
			}
			return nil
		},
		Certificate: func(c Certificate) error {
			if at := snapshot.places[laneName{c.Partner, c.Environment}]; at != nil {
				at.theirs = append(at.theirs, laneKey{id: c.KeyID, state: c.State, spki: c.SPKI})
			}
			return nil
		},
	}
	err := r.Store.View(ctx, func(tx Tx) error {
		if err := tx.Lanes(rows); err != nil {
			return err
		}
		for name := range snapshot.profiles {
			p, err := LoadProfile(tx, name)
			snapshot.profiles[name] = loadedProfile{p, err} // a bad one fails its own lanes only
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the lanes: %w", err)
	}
	return snapshot, nil
}

type loadedProfile struct {
	*profile.Profile
	err error
}

// Lane gives the lane with a partner in an environment, as its sealing was agreed.
// ErrNotFound says that there is none.
func (snapshot *Snapshot) Lane(partner, environment string) (*sealane.Lane, error) {
	at := snapshot.places[laneName{partner, environment}]
	if at == nil {
		return nil, fmt.Errorf("lane with %q in %q: %w", partner, environment, ErrNotFound)
	}
	return snapshot.lane(at, at.environment.Sealing)
}

// ByAPIKey gives the lane of a caller's API key, and the key's identity for
// Uses. ErrUnknownToken says that there is none.
func (snapshot *Snapshot) ByAPIKey(token string) (*sealane.Lane, string, error) {
	a, ok := snapshot.byKey[[32]byte(tokenSum(token))]
	if !ok {
		return nil, "", ErrUnknownToken
	}
	lane, err := snapshot.lane(snapshot.places[a.lane], a.sealing)
	return lane, a.id, err
}

// ByAccount gives the lane of a caller whom a trusted upstream names.
func (snapshot *Snapshot) ByAccount(account string) (*sealane.Lane, error) {
	name, ok := snapshot.account[account]
	if !ok {
		return nil, fmt.Errorf("account: %w", ErrNotFound)
	}
	return snapshot.Lane(name.partner, name.environment)
}

// Len is the number of lanes.
func (snapshot *Snapshot) Len() int { return len(snapshot.places) }

func (snapshot *Snapshot) lane(at *agreed, sealing sealane.Sealing) (*sealane.Lane, error) {
	if at == nil {
		return nil, ErrNotFound
	}
	at.mu.Lock()
	defer at.mu.Unlock()
	if l := at.lanes[sealing]; l != nil {
		return l, nil
	}
	l, err := snapshot.build(at, sealing)
	if err != nil {
		return nil, fmt.Errorf("lane with %s in %s: %w", at.partner.ID, at.environment.Name, err)
	}
	if at.lanes == nil {
		at.lanes = map[sealane.Sealing]*sealane.Lane{}
	}
	at.lanes[sealing] = l
	return l, nil
}

func (snapshot *Snapshot) build(at *agreed, sealing sealane.Sealing) (*sealane.Lane, error) {
	ours := withShared(at.partner.ID, at.ours, *at.shared)
	speaks := snapshot.profiles[at.partner.Profile]
	if speaks.err != nil {
		return nil, speaks.err
	}
	config := laneConfig(at.partner, at.environment, sealing, speaks.Profile)
	var err error
	if config.Ours, err = snapshot.ring(ours); err != nil {
		return nil, err
	}
	if config.Theirs, err = snapshot.ring(at.theirs); err != nil {
		return nil, err
	}
	return sealane.New(config)
}

// withShared adds the keys of the whole profile to a partner's own, in the states that
// they have for it.
func withShared(partner string, own, shared []laneKey) []laneKey {
	ownActive := slices.ContainsFunc(own, func(k laneKey) bool { return k.state == Active })
	pairs := make([]sharedPair, len(shared))
	for i, k := range shared {
		at := k.confirmed[partner]
		if at.IsZero() {
			at = k.imported
		}
		pairs[i] = sharedPair{id: k.pair, state: k.state, confirmed: at} // all of one environment
	}
	all := slices.Clone(own)
	for i, k := range shared {
		k.state = stateFor(pairs, i, ownActive)
		all = append(all, k)
	}
	return all
}

// laneConfig is what an environment agrees on, but for the keys.
func laneConfig(p Partner, env Environment, sealing sealane.Sealing, dialect *profile.Profile) sealane.Config {
	return sealane.Config{
		Partner: p.ID, Environment: env.Name, Profile: dialect, Side: p.Side,
		AcceptRSAOAEP: env.AcceptRSAOAEP, SenderAuth: env.SenderAuth, MaxPayload: env.MaxPayload, Sealing: sealing,
	}
}

var ringStates = map[State]keyring.State{Staged: keyring.Staged, Active: keyring.Active, Retiring: keyring.Retiring}

// ring makes a ring in the order active, staged, retiring.
func (snapshot *Snapshot) ring(rows []laneKey) (*keyring.Ring, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b laneKey) int { return cmp.Compare(ringStates[a.state], ringStates[b.state]) })
	keys := make([]keyring.Key, len(rows))
	for i, row := range rows {
		pub, err := publicKey(row.spki)
		if err != nil {
			return nil, err
		}
		keys[i] = keyring.Key{ID: row.id, State: ringStates[row.state], Public: pub}
		if row.open != nil {
			keys[i].Private = &privateKey{public: pub, open: row.open}
		}
		if keys[i].PublicOps, err = snapshot.r.RSA.PublicOps(pub); err != nil {
			return nil, err
		}
	}
	return keyring.New(keys...)
}

// privateKey is opened when it is first used. An error is one of the key's store,
// never of the message.
type privateKey struct {
	public *rsa.PublicKey
	open   func() (keyring.Private, error)
}

func (k *privateKey) Public() crypto.PublicKey { return k.public }

func (k *privateKey) Sign(random io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	key, err := k.open()
	if err != nil {
		return nil, err
	}
	return key.Sign(random, digest, o)
}

func (k *privateKey) Decrypt(random io.Reader, message []byte, o crypto.DecrypterOpts) ([]byte, error) {
	key, err := k.open()
	if err != nil {
		return nil, err
	}
	return key.Decrypt(random, message, o)
}
