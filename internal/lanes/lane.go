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

// laneEntry is one environment of a partner, with the parts of its lane.
type laneEntry struct {
	partner      *partnerEntry
	environment  Environment
	ours, theirs []laneKey
	shared       *sharedKeys
	damaged      error // a row of the lane alone is damaged

	mu   sync.Mutex
	made map[madeAs]*sealane.Lane // the lanes that were made so far
}

// partnerEntry is a partner, with the damage that concerns all its lanes.
type partnerEntry struct {
	Partner
	damaged error
}

// sharedKeys are our keys for all partners of a profile in an environment. If one of them
// is damaged, no lane is made of them, because it is not known which one a partner has.
type sharedKeys struct {
	keys    []laneKey
	damaged error
}

func (s *sharedKeys) add(k laneKey, damaged error) {
	s.keys = append(s.keys, k)
	s.damaged = errors.Join(s.damaged, damaged)
}

type laneKey struct {
	id    string
	state keyring.State
	spki  []byte

	pair      string                          // ours: the key pair's identity
	open      func() (keyring.Private, error) // ours: opens the private key once, for all lanes that share it
	confirmed map[string]time.Time            // ours: when each partner confirmed the pair
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
func (s *Snapshot) lane(entry *laneEntry, sealing sealane.Sealing, t Terms) (*sealane.Lane, error) {
	if t.Sealing == sealane.SealingRequired {
		sealing = t.Sealing
	}
	as := madeAs{sealing, t.MaxPayload, strings.Join(t.Plain, "\n")}
	entry.mu.Lock()
	defer entry.mu.Unlock()
	if l := entry.made[as]; l != nil {
		return l, nil
	}
	l, err := s.makeLane(entry, sealing, t)
	if err != nil {
		return nil, fmt.Errorf("lane with %s in %s: %w", entry.partner.ID, entry.environment.Name, err)
	}
	if entry.made == nil {
		entry.made = map[madeAs]*sealane.Lane{}
	}
	entry.made[as] = l
	return l, nil
}

func (s *Snapshot) makeLane(entry *laneEntry, sealing sealane.Sealing, t Terms) (*sealane.Lane, error) {
	if err := errors.Join(entry.partner.damaged, entry.damaged, entry.shared.damaged); err != nil {
		return nil, err
	}
	loaded := s.profiles[entry.partner.Profile]
	if loaded.err != nil {
		return nil, loaded.err
	}
	config := Config(entry.partner.Partner, entry.environment, loaded.compiled)
	config.Sealing, config.PlainEndpoints = sealing, t.Plain
	if agreed := cmp.Or(config.MaxPayload, sealane.DefaultMaxPayload); t.MaxPayload > 0 && t.MaxPayload < agreed {
		config.MaxPayload = t.MaxPayload
	}
	var err error
	if config.Ours, err = s.ring(entry.ourKeys()); err != nil {
		return nil, err
	}
	if config.Theirs, err = s.ring(entry.theirs); err != nil {
		return nil, err
	}
	return sealane.New(config)
}

// Config returns the agreement with a partner for an environment, without keys.
func Config(p Partner, e Environment, agreed profile.Compilable) sealane.Config {
	return sealane.Config{
		Partner: p.ID, Environment: e.Name, Profile: agreed, Side: p.Side, Sealing: e.Sealing,
		AcceptRSAOAEP: e.AcceptRSAOAEP, SenderAuth: e.SenderAuth, MaxPayload: e.MaxPayload,
	}
}

// ourKeys returns our keys for this partner alone, and then those that all partners share, in the
// states that they have for this partner.
func (entry *laneEntry) ourKeys() []laneKey {
	all := slices.Concat(entry.ours, entry.shared.keys)
	pairs := make([]Pair, len(all))
	for i, k := range all {
		pairs[i] = Pair{ // all are of one environment
			ID: k.pair, Shared: i >= len(entry.ours), State: k.state, Confirmed: k.confirmed[entry.partner.ID],
		}
	}
	for i := range all {
		all[i].state = StateFor(pairs, i)
	}
	return all
}

// ring returns a ring of keys, in the order active, staged, retiring.
func (s *Snapshot) ring(keys []laneKey) (*keyring.Ring, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	keys = slices.Clone(keys)
	slices.SortStableFunc(keys, func(a, b laneKey) int { return cmp.Compare(a.state, b.state) })
	ring := make([]keyring.Key, len(keys))
	for i, k := range keys {
		public, err := ParsePublicKey(k.spki)
		if err != nil {
			return nil, err
		}
		ring[i] = keyring.Key{ID: k.id, State: k.state, Public: public}
		if k.open != nil {
			ring[i].Private = &privateKey{public: public, open: k.open}
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
	open   func() (keyring.Private, error)
}

// Public implements [crypto.Signer].
func (k *privateKey) Public() crypto.PublicKey { return k.public }

// Sign implements [crypto.Signer].
func (k *privateKey) Sign(random io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	key, err := k.open()
	if err != nil {
		return nil, err
	}
	return key.Sign(random, digest, o)
}

// Decrypt implements [crypto.Decrypter].
func (k *privateKey) Decrypt(random io.Reader, message []byte, o crypto.DecrypterOpts) ([]byte, error) {
	key, err := k.open()
	if err != nil {
		return nil, err
	}
	return key.Decrypt(random, message, o)
}
