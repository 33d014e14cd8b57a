package lanes

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/rsaengine"
)

// Reader reads snapshots.
type Reader struct {
	Store Store
	// Open returns the private key of one of our pairs. It is called when a message first
	// needs the key, and not again by the snapshots that follow, as long as the pair is in use.
	Open func(KeyPair) (keyring.Private, error)
	// OpenHashKey returns the key with which API keys are stored. If it is nil, or fails, no
	// API key is known.
	OpenHashKey func(sealed []byte) (*HashKey, error)

	// Now returns the time by which certificates have ended. The default is time.Now.
	Now func() time.Time

	RSA *rsaengine.Engine // performs the operations of public keys; nil is crypto/rsa
	// Environments are the names of those that are read. Without any, all are.
	Environments []string
}

// Read reads all lanes, as of the time now.
func (r *Reader) Read(ctx context.Context, now time.Time) (*Snapshot, error) {
	s, _, err := r.next(ctx, nil, Scope{}, now)
	return s, err
}

// Refresh reads what has changed since a snapshot, and returns the next one. It shares what has
// not changed with the one before: the lanes that were made, and the private keys that were
// opened. Where it is not known what has changed, all is read; the extent says so.
func (r *Reader) Refresh(ctx context.Context, from *Snapshot, now time.Time) (*Snapshot, Extent, error) {
	return r.next(ctx, from, Scope{Since: &from.Version}, now)
}

// Check reads all lanes, and returns the next snapshot, as Refresh does. missed names the lanes
// that are not as they were, although no record of the audit log says so: somebody has changed
// them in the database itself. There are at most 100 names.
func (r *Reader) Check(ctx context.Context, from *Snapshot, now time.Time) (s *Snapshot, missed []string, err error) {
	s, extent, err := r.next(ctx, from, Scope{Since: &from.Version, Whole: true}, now)
	if err != nil {
		return nil, nil, err
	}
	return s, s.unexplained(from, extent.Changed), nil
}

// Has reports whether the audit log of the database has the record of a version, so that the version is an earlier
// state of this registry, or the present one.
func (r *Reader) Has(ctx context.Context, v Version) (has bool, err error) {
	if v.Seq == 0 {
		return false, nil
	}
	err = r.Store.ReadLanes(ctx, Scope{Since: &v}, func(_ Rows, x Extent) error {
		has = !x.Changed.Restored
		return nil
	})
	return has, err
}

func (r *Reader) next(
	ctx context.Context, from *Snapshot, scope Scope, now time.Time,
) (s *Snapshot, x Extent, err error) {
	scope.Environments = r.Environments
	err = r.Store.ReadLanes(ctx, scope, func(rows Rows, extent Extent) error {
		b := newBuilder(r)
		if err := b.read(rows, from, extent); err != nil {
			return err
		}
		s, x = b.snapshot(from, extent, now), extent
		return nil
	})
	if err != nil {
		return nil, Extent{}, fmt.Errorf("read the lanes: %w", err)
	}
	return s, x, nil
}

// ReadLane reads one lane, as of the time now. The error is [ErrNotFound] if there is none,
// and a [DamagedRow] if a row of it cannot be read.
func (r *Reader) ReadLane(ctx context.Context, name Name, now time.Time) (*sealane.Lane, error) {
	var s *Snapshot
	err := r.Store.ReadLane(ctx, name, func(rows Rows) error {
		b := newBuilder(r)
		extent := Extent{Whole: true}
		if err := b.read(rows, nil, extent); err != nil {
			return err
		}
		s = b.snapshot(nil, extent, now)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the lane with %s: %w", name, err)
	}
	return s.Lane(name)
}

// builder collects rows.
type builder struct {
	reader   *Reader
	partners map[string]*partnerEntry
	shared   map[sharedName]*sharedKeys // key pairs of ours for all partners
	pairs    map[string]*ownPair        // all of ours, by their identities
	profiles map[string]*loadedProfile
	damaged  map[rowID]damage

	hashKey *HashKey
	noHash  error // why there is no hashKey
	apiKeys bool  // there are some

	sealedHash []byte // the hashKey as it is stored
}

type sharedName struct{ profile, environment string }

// rowID identifies a row.
type rowID struct{ table, id string }

// damage is a row that cannot be read.
type damage struct {
	partner string // whose it is; empty: it is shared, or that cannot be read
	row     *DamagedRow
}

func newBuilder(r *Reader) *builder {
	return &builder{
		reader: r, partners: map[string]*partnerEntry{}, shared: map[sharedName]*sharedKeys{},
		pairs: map[string]*ownPair{}, profiles: map[string]*loadedProfile{}, damaged: map[rowID]damage{},
	}
}

// read adds the rows, each after the rows that it refers to.
func (b *builder) read(rows Rows, from *Snapshot, x Extent) error {
	if err := each(b, rows.Partners(), b.addPartner); err != nil {
		return err
	}
	if err := each(b, rows.Environments(), b.addEnvironment); err != nil {
		return err
	}
	if err := b.readAPIKeys(rows); err != nil {
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
	if err := each(b, rows.OwnCertificates(), b.addOwnCertificate); err != nil {
		return err
	}
	return b.loadProfiles(rows, from, x)
}

// loadProfiles loads the profiles of the partners that were read. Of those that have not changed,
// it keeps the ones of the snapshot before.
func (b *builder) loadProfiles(rows Rows, from *Snapshot, x Extent) error {
	names := map[string]bool{}
	for _, p := range b.partners {
		names[p.Profile] = true
	}
	if from != nil && !x.Whole {
		for name, loaded := range from.profiles {
			b.profiles[name] = loaded
			if x.Changed.Profiles {
				names[name] = true
			}
		}
	}
	for name := range names {
		if b.profiles[name] != nil && !x.Changed.Profiles || name == "" {
			continue
		}
		loaded, err := loadSource(name, rows.Profile)
		if err != nil {
			return err
		}
		b.profiles[name] = loaded
		if from != nil && from.profiles[name].same(loaded) {
			b.profiles[name] = from.profiles[name]
		}
	}
	return nil
}

// each calls add with every row. Damaged rows are passed with their error.
func each[T interface{ owner() string }](b *builder, rows iter.Seq2[T, error], add func(T, error)) error {
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
			b.damaged[rowID{damaged.Table, damaged.ID}] = damage{row.owner(), damaged}
		}
		add(row, err)
	}
	return nil
}

func (b *builder) addPartner(p Partner, damaged error) {
	b.partners[p.ID] = &partnerEntry{Partner: p, damaged: damaged}
}

func (b *builder) addEnvironment(e Environment, damaged error) {
	p := b.partners[e.Partner]
	if p == nil {
		missing := fmt.Errorf("partner %q: %w", e.Partner, ErrNotFound)
		p = &partnerEntry{Partner: Partner{ID: e.Partner}, damaged: missing}
		b.partners[e.Partner] = p
	}
	p.lanes = append(p.lanes, &laneEntry{environment: e, damaged: damaged})
}

// lane returns the lane that a row belongs to, or nil.
func (b *builder) lane(partner, environment string) *laneEntry {
	return b.partners[partner].lane(environment)
}

// readAPIKeys adds the API keys that the HashKey has stored. Any other row is damaged, and
// identifies nobody.
func (b *builder) readAPIKeys(rows Rows) error {
	sealed, err := rows.HashKey()
	if err != nil {
		return err
	}
	b.openHashKey(sealed)
	return each(b, rows.APIKeys(), func(k APIKey, damaged error) {
		b.apiKeys = true
		if b.noHash != nil || damaged != nil {
			return
		}
		if err := b.hashKey.Check(k); err != nil {
			row, _ := errors.AsType[*DamagedRow](err)
			b.damaged[rowID{row.Table, row.ID}] = damage{k.owner(), row}
			return
		}
		b.addAPIKey(k)
	})
}

// openHashKey opens the HashKey, or notes why it can't.
func (b *builder) openHashKey(sealed []byte) {
	b.sealedHash = sealed
	switch {
	case len(sealed) == 0:
		b.noHash = ErrNotConverted
	case b.reader.OpenHashKey == nil:
		b.noHash = errors.New("the key of API keys is encrypted, and there is no root key")
	default:
		b.hashKey, b.noHash = b.reader.OpenHashKey(sealed)
	}
}

func (b *builder) addAPIKey(k APIKey) {
	if lane := b.lane(k.Partner, k.Environment); lane != nil {
		lane.callers = append(lane.callers, apiKeyGrant{k.ID, [sha256.Size]byte(k.HMAC), k.Sealing})
	}
}

func (b *builder) addConfirmation(c Confirmation, damaged error) {
	switch p := b.partners[c.Partner]; {
	case p == nil:
	case damaged != nil: // it is not known which of our keys it has
		p.damaged = errors.Join(p.damaged, damaged)
	default:
		if p.confirmed == nil {
			p.confirmed = map[string]time.Time{}
		}
		p.confirmed[c.KeyPair] = c.At
	}
}

func (b *builder) addKeyPair(k KeyPair, damaged error) {
	pair := &ownPair{row: k, unseal: b.reader.Open}
	b.pairs[k.ID] = pair
	if k.Partner == "" {
		name := sharedName{k.Profile, k.Environment}
		if b.shared[name] == nil {
			b.shared[name] = &sharedKeys{}
		}
		b.shared[name].add(pair, damaged)
	} else if lane := b.lane(k.Partner, k.Environment); lane != nil {
		lane.ours = append(lane.ours, pair)
		lane.damaged = errors.Join(lane.damaged, damaged)
	}
}

func (b *builder) addCertificate(c Certificate, damaged error) {
	if lane := b.lane(c.Partner, c.Environment); lane != nil {
		if c.DER != nil { // saved lanes have none
			c.Validity = validityOf(c.DER)
		}
		c.DER, c.SHA256 = nil, nil // they were compared with the rest; no lane needs them
		lane.theirs = append(lane.theirs, c)
		lane.damaged = errors.Join(lane.damaged, damaged)
	}
}

// addOwnCertificate notes until when a key pair's certificate is valid. No lane fails with it.
func (b *builder) addOwnCertificate(c OwnCertificate, damaged error) {
	if pair := b.pairs[c.KeyPair]; pair != nil && damaged == nil &&
		c.NotAfter.After(pair.row.Certificate.NotAfter) {
		pair.row.Certificate = c.Validity
	}
}

func (p Partner) owner() string        { return p.ID }
func (e Environment) owner() string    { return e.Partner }
func (k APIKey) owner() string         { return k.Partner }
func (c Confirmation) owner() string   { return c.Partner }
func (k KeyPair) owner() string        { return k.Partner }
func (c Certificate) owner() string    { return c.Partner }
func (c OwnCertificate) owner() string { return c.Partner }
