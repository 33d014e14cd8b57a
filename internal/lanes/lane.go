package lanes

import (
	"cmp"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
)

// partnerEntry is a partner, with its lanes.
type partnerEntry struct {
	Partner
	confirmed map[string]time.Time // when it confirmed key pairs of ours
	damaged   error                // concerns all its lanes
	lanes     []*laneEntry         // in the order of the environments
}

// lane returns the lane in an environment, or nil. The partner may be nil.
func (p *partnerEntry) lane(environment string) *laneEntry {
	if p != nil {
		for _, entry := range p.lanes {
			if entry.environment.Name == environment {
				return entry
			}
		}
	}
	return nil
}

// laneEntry is one environment of a partner, with the parts of its lane that are not the partner's.
type laneEntry struct {
	environment Environment
	callers     []apiKeyGrant
	ours        []*ownPair
	theirs      []Certificate // without DER
	damaged     error         // a row of the lane alone is damaged

	mu     sync.Mutex
	made   map[madeAs]*sealane.Lane // the lanes that were made so far
	keys   *Keys                    // nil: not yet
	madeOf madeOf
}

// madeOf are the parts of a made lane that other lanes have too.
type madeOf struct {
	shared  *sharedKeys
	profile *loadedProfile
}

// sharedKeys are our keys for all partners of a profile in an environment. If one of them
// is damaged, no lane is made of them, because it is not known which one a partner has.
type sharedKeys struct {
	keys    []*ownPair
	damaged error
}

func (s *sharedKeys) add(k *ownPair, damaged error) {
	s.keys = append(s.keys, k)
	s.damaged = errors.Join(s.damaged, damaged)
}

// ownPair is a key pair of ours. Its private key is opened once, for all lanes that share it.
type ownPair struct {
	row    KeyPair
	unseal func(KeyPair) (keyring.Private, error)

	mu     sync.Mutex
	opened keyring.Private // nil: not yet
}

// private opens the private key if it is not open. After an error the next message tries again: the
// root key may be another by then.
func (p *ownPair) private() (keyring.Private, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opened != nil {
		return p.opened, nil
	}
	key, err := p.unseal(p.row)
	if err == nil {
		p.opened = key
	}
	return key, err
}

// open returns the private key if it was opened, or nil.
func (p *ownPair) open() keyring.Private {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opened
}

// laneKey is a key in the state that it has in a lane.
type laneKey struct {
	id       string
	state    keyring.State
	spki     []byte
	validity Validity
	*ownPair
}

// Terms restrict what was agreed for a lane, and add settings of a program. The zero value changes
// nothing.
type Terms struct {
	Sealing    sealane.Sealing // required: even if optional was agreed
	MaxPayload int             // bytes, if that is less than was agreed; 0: as agreed
	Plain      []string        // see sealane.Config.PlainEndpoints
}

// madeAs holds the settings in which the lanes of one entry differ.
type madeAs struct {
	sealing    sealane.Sealing
	maxPayload int
	plain      string
}

// lane makes a lane when it is first used.
func (s *Snapshot) lane(
	p *partnerEntry, entry *laneEntry, sealing sealane.Sealing, t Terms,
) (*sealane.Lane, error) {
	if t.Sealing == sealane.SealingRequired {
		sealing = t.Sealing
	}
	as := madeAs{sealing, t.MaxPayload, strings.Join(t.Plain, "\n")}
	entry.mu.Lock()
	defer entry.mu.Unlock()
	s.forget(p, entry)
	if l := entry.made[as]; l != nil {
		return l, nil
	}
	l, err := s.makeLane(p, entry, sealing, t)
	if err != nil {
		return nil, fmt.Errorf("lane with %s in %s: %w", p.ID, entry.environment.Name, err)
	}
	if entry.made == nil {
		entry.made = map[madeAs]*sealane.Lane{}
	}
	entry.made[as] = l
	return l, nil
}

// forget drops what was made of an entry if the parts have changed that other lanes have too. The
// entry must be locked.
func (s *Snapshot) forget(p *partnerEntry, entry *laneEntry) {
	of := madeOf{s.shared[sharedName{p.Profile, entry.environment.Name}], s.profiles[p.Profile]}
	if entry.madeOf != of {
		entry.made, entry.keys, entry.madeOf = nil, nil, of
	}
}

func (s *Snapshot) makeLane(
	p *partnerEntry, entry *laneEntry, sealing sealane.Sealing, t Terms,
) (*sealane.Lane, error) {
	err := errors.Join(p.damaged, entry.damaged)
	if shared := entry.madeOf.shared; shared != nil {
		err = errors.Join(err, shared.damaged)
	}
	if err != nil {
		return nil, err
	}
	loaded := entry.madeOf.profile
	if loaded.err != nil {
		return nil, loaded.err
	}
	config, err := s.config(p, entry, loaded.compiled)
	if err != nil {
		return nil, err
	}
	config.Sealing, config.PlainEndpoints = sealing, t.Plain
	if agreed := cmp.Or(config.MaxPayload, sealane.DefaultMaxPayload); t.MaxPayload > 0 && t.MaxPayload < agreed {
		config.MaxPayload = t.MaxPayload
	}
	return sealane.New(config)
}

// Config returns the agreement with a partner for an environment, without keys.
func Config(p Partner, e Environment, agreed profile.Compilable) sealane.Config {
	return sealane.Config{
		Partner: p.ID, Environment: e.Name, Profile: agreed, Side: p.Side, Sealing: e.Sealing,
		AcceptRSAOAEP: e.AcceptRSAOAEP, SenderAuth: e.SenderAuth, MaxPayload: e.MaxPayload,
		Expired: e.Expired, NoResend: e.NoResend,
	}
}

// ourKeys returns our keys for this partner alone, and then those that all partners share, in the
// states that they have for this partner.
func (s *Snapshot) ourKeys(p *partnerEntry, entry *laneEntry) []laneKey {
	own := entry.ours
	if shared := s.shared[sharedName{p.Profile, entry.environment.Name}]; shared != nil {
		own = slices.Concat(own, shared.keys)
	}
	pairs := make([]Pair, len(own))
	for i, k := range own {
		pairs[i] = Pair{ // all are of one environment
			ID: k.row.ID, Shared: i >= len(entry.ours), State: k.row.State, Confirmed: p.confirmed[k.row.ID],
		}
	}
	keys := make([]laneKey, len(own))
	for i, k := range own {
		keys[i] = laneKey{k.row.KeyID, StateFor(pairs, i), k.row.SPKI, k.row.Certificate, k}
	}
	return keys
}

func (entry *laneEntry) theirKeys() []laneKey {
	keys := make([]laneKey, len(entry.theirs))
	for i, c := range entry.theirs {
		keys[i] = laneKey{c.KeyID, c.State, c.SPKI, c.Validity, nil}
	}
	return keys
}

// ring returns a ring of keys, in the order active, staged, retiring.
func (s *Snapshot) ring(keys []laneKey) (*keyring.Ring, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	slices.SortStableFunc(keys, func(a, b laneKey) int { return cmp.Compare(a.state, b.state) })
	ring := make([]keyring.Key, len(keys))
	for i, k := range keys {
		public, err := ParsePublicKey(k.spki)
		if err != nil {
			return nil, err
		}
		ring[i] = keyring.Key{
			ID: k.id, State: k.state, Public: public, NotBefore: k.validity.NotBefore, NotAfter: k.validity.NotAfter,
		}
		if k.ownPair != nil {
			ring[i].Private = &privateKey{public: public, pair: k.ownPair}
		}
		if ring[i].PublicOps, err = s.engine.PublicOps(public); err != nil {
			return nil, err
		}
	}
	return keyring.New(ring...)
}

// ParsePublicKey parses the SubjectPublicKeyInfo of a row.
func ParsePublicKey(spki []byte) (*rsa.PublicKey, error) {
	public, err := cert.ParsePublicKey(spki)
	if err != nil {
		return nil, fmt.Errorf("public key of the registry: %w", err)
	}
	return public, nil
}

// privateKey is opened when it is first used. Errors concern the key, never the message.
type privateKey struct {
	public *rsa.PublicKey
	pair   *ownPair
}

// Public implements [crypto.Signer].
func (k *privateKey) Public() crypto.PublicKey { return k.public }

// Sign implements [crypto.Signer].
func (k *privateKey) Sign(random io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	key, err := k.pair.private()
	if err != nil {
		return nil, err
	}
	return key.Sign(random, digest, o)
}

// Decrypt implements [crypto.Decrypter].
func (k *privateKey) Decrypt(random io.Reader, message []byte, o crypto.DecrypterOpts) ([]byte, error) {
	key, err := k.pair.private()
	if err != nil {
		return nil, err
	}
	return key.Decrypt(random, message, o)
}
