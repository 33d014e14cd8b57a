package lanes

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/keyring"
)

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

// ReadLane reads one lane, as of the time now. The error is [ErrNotFound] if there is none,
// and a [DamagedRow] if a row of it cannot be read.
func (r *Reader) ReadLane(ctx context.Context, name Name, now time.Time) (*sealane.Lane, error) {
	var s *Snapshot
	err := r.Store.ReadLane(ctx, name, func(rows Rows) error {
		b := newBuilder(r, now)
		s = b.Snapshot
		return b.read(rows)
	})
	if err != nil {
		return nil, fmt.Errorf("read the lane with %s: %w", name, err)
	}
	return s.Lane(name)
}

// builder is a snapshot while its rows are read.
type builder struct {
	*Snapshot
	open      func(KeyPair) (keyring.Private, error)
	partners  map[string]*partnerEntry
	shared    map[sharedName]*sharedKeys      // key pairs of ours for all partners
	confirmed map[string]map[string]time.Time // by key pair and partner
}

type sharedName struct{ profile, environment string }

func newBuilder(r *Reader, now time.Time) *builder {
	return &builder{
		Snapshot: &Snapshot{
			Taken: now, engine: r.RSA, profiles: map[string]loadedProfile{}, lanes: map[Name]*laneEntry{},
			apiKeys: map[[sha256.Size]byte]apiKeyGrant{}, accounts: map[string]Name{},
		},
		open: r.Open, partners: map[string]*partnerEntry{}, shared: map[sharedName]*sharedKeys{},
		confirmed: map[string]map[string]time.Time{},
	}
}

// read adds the rows, each after the rows that it refers to.
func (b *builder) read(rows Rows) error {
	if err := each(b, rows.Partners(), b.addPartner); err != nil {
		return err
	}
	if err := each(b, rows.Environments(), b.addEnvironment); err != nil {
		return err
	}
	if err := each(b, rows.APIKeys(), b.addAPIKey); err != nil {
		return err
	}
	if err := each(b, rows.Confirmations(), b.addConfirmation); err != nil {
		return err
	}
	if err := each(b, rows.KeyPairs(), b.addKeyPair); err != nil {
		return err
	}
	if err := each(b, rows.Certificates(), b.addCertificate); err != nil {
		return err
	}
	for name := range b.profiles {
		b.profiles[name] = compiled(LoadProfile(name, rows.Profile))
	}
	return nil
}

// each calls add with every row. Damaged rows are passed with their error.
func each[T any](b *builder, rows iter.Seq2[T, error], add func(T, error)) error {
	for row, err := range rows {
		damaged, is := errors.AsType[*DamagedRow](err)
		if err != nil && !is {
			return err
		}
		if checked, can := any(row).(interface{ Check() error }); can && err == nil {
			err = checked.Check()
			damaged, is = errors.AsType[*DamagedRow](err)
		}
		if is {
			b.damaged = append(b.damaged, damaged)
		}
		add(row, err)
	}
	return nil
}

func (b *builder) addPartner(p Partner, damaged error) {
	b.partners[p.ID] = &partnerEntry{p, damaged}
	if damaged == nil {
		b.profiles[p.Profile] = loadedProfile{} // read loads it
	}
}

func (b *builder) addEnvironment(e Environment, damaged error) {
	p := b.partners[e.Partner]
	if p == nil {
		p = &partnerEntry{Partner{ID: e.Partner}, fmt.Errorf("partner %q: %w", e.Partner, ErrNotFound)}
	}
	name := Name{e.Partner, e.Name}
	b.lanes[name] = &laneEntry{
		partner: p, environment: e, damaged: damaged, shared: b.sharedKeys(p.Profile, e.Name),
	}
	if e.Account != "" {
		b.accounts[e.Account] = name
	}
}

// sharedKeys returns our keys for all partners of a profile, to which more may be added.
func (b *builder) sharedKeys(profileName, environment string) *sharedKeys {
	name := sharedName{profileName, environment}
	if b.shared[name] == nil {
		b.shared[name] = &sharedKeys{}
	}
	return b.shared[name]
}

func (b *builder) addAPIKey(k APIKey, damaged error) {
	if len(k.SHA256) == sha256.Size { // otherwise it identifies no caller
		b.apiKeys[[sha256.Size]byte(k.SHA256)] = apiKeyGrant{k.ID, Name{k.Partner, k.Environment}, k.Sealing, damaged}
	}
}

func (b *builder) addConfirmation(c Confirmation, damaged error) {
	if p := b.partners[c.Partner]; damaged != nil && p != nil {
		p.damaged = errors.Join(p.damaged, damaged) // it is not known which of our keys it has
		return
	}
	if b.confirmed[c.KeyPair] == nil {
		b.confirmed[c.KeyPair] = map[string]time.Time{}
	}
	b.confirmed[c.KeyPair][c.Partner] = c.At
}

func (b *builder) addKeyPair(k KeyPair, damaged error) {
	key := laneKey{id: k.KeyID, state: k.State, spki: k.SPKI, pair: k.ID}
	key.open = sync.OnceValues(func() (keyring.Private, error) { return b.open(k) })
	key.confirmed = b.confirmed[k.ID]
	if k.Partner == "" {
		b.sharedKeys(k.Profile, k.Environment).add(key, damaged)
	} else if lane := b.lanes[Name{k.Partner, k.Environment}]; lane != nil {
		lane.ours = append(lane.ours, key)
		lane.damaged = errors.Join(lane.damaged, damaged)
	}
}

func (b *builder) addCertificate(c Certificate, damaged error) {
	if lane := b.lanes[Name{c.Partner, c.Environment}]; lane != nil {
		lane.theirs = append(lane.theirs, laneKey{id: c.KeyID, state: c.State, spki: c.SPKI})
		lane.damaged = errors.Join(lane.damaged, damaged)
	}
}
