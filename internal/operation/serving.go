package operation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/notify"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/internal/store"
	"github.com/sealane/sealane/keyring"
)

// Serving is a registry as a program that serves messages uses it: it reads lanes, stores what was
// used, and reports itself. It acts for no person, and changes nothing else. It connects to the
// database when it is first used; until then, and after an error, nothing is known about the database.
type Serving struct {
	config Config
	keys   atomic.Pointer[servingKeys]
	hash   atomic.Pointer[lanes.HashKey] // that was opened last

	connecting chan struct{}                  // has a place for the one who connects
	db         atomic.Pointer[servedDatabase] // nil: not connected

	schedule renewal.Scheduler // one pass at a time
	notified bool              // the scheduler tells people
}

// servedDatabase is a database that is open.
type servedDatabase struct {
	*store.Store
	file os.FileInfo // which file it is, or nil
}

// servingKeys opens private keys under one root key.
type servingKeys struct {
	root *rootkey.Key
	ring *rootkey.Ring
	of   *lanes.Reader // opens under it
}

// OpenServing returns a registry for a program that serves messages. rootKeyText is the root key in base64 or
// hexadecimal; if it is empty, the configuration says where the key is.
func OpenServing(ctx context.Context, c Config, rootKeyText string) (*Serving, error) {
	if c.Notify != "" {
		if _, err := notify.Read(c.Notify); err != nil {
			return nil, err
		}
	}
	s := &Serving{config: c, connecting: make(chan struct{}, 1)}
	keys, err := s.loadKeys(ctx, rootKeyText)
	if err != nil {
		return nil, err
	}
	s.keys.Store(keys)
	return s, nil
}

func (s *Serving) loadKeys(ctx context.Context, text string) (*servingKeys, error) {
	var key *rootkey.Key
	var err error
	if text != "" {
		key, err = rootkey.Parse(text)
	} else {
		key, err = rootkey.Load(ctx, s.config.RootKey)
	}
	if err != nil {
		return nil, err
	}
	ring, err := rootkey.NewRing(key)
	if err != nil {
		return nil, err
	}
	r := &registry.Registry{Root: ring, RSA: s.config.RSA}
	return &servingKeys{key, ring, r.Lanes()}, nil
}

// UseRootKey loads the root key again, and uses it from then on, if it is the registry's. While the
// database can't be reached, another key is refused, because nobody can tell.
func (s *Serving) UseRootKey(ctx context.Context, rootKeyText string) error {
	keys, err := s.loadKeys(ctx, rootKeyText)
	if err != nil {
		return err
	}
	db, err := s.connected(ctx)
	if err == nil {
		err = rightRoot(ctx, db, keys.root)
	}
	if errors.Is(err, lanes.ErrUnreachable) && keys.root.ID() == s.keys.Load().root.ID() {
		return nil
	}
	if err == nil {
		s.keys.Store(keys)
	}
	return err
}

// rightRoot returns an error if a key is not the root key of a registry.
func rightRoot(ctx context.Context, db *store.Store, key *rootkey.Key) error {
	err := (&registry.Registry{Store: db}).UseRoot(ctx, key)
	if err != nil && (errors.Is(err, registry.ErrStore) || ctx.Err() != nil) {
		return fmt.Errorf("%w: %w", lanes.ErrUnreachable, err)
	}
	return err
}

// Lanes returns the reader of lanes. Its store stores what was used, too.
func (s *Serving) Lanes() *lanes.Reader {
	open := func(k lanes.KeyPair) (keyring.Private, error) { return s.keys.Load().of.Open(k) }
	hash := func(sealed []byte) (*lanes.HashKey, error) {
		key, err := s.keys.Load().of.OpenHashKey(sealed)
		if last := s.hash.Load(); errors.Is(err, rootkey.ErrOtherKey) && last != nil {
			return last, nil // the root key was rotated, and this program does not have the new one yet
		}
		if err == nil {
			s.hash.Store(key)
		}
		return key, err
	}
	return &lanes.Reader{Store: s, Open: open, OpenHashKey: hash, RSA: s.config.RSA}
}

// connected returns the database. The error is [lanes.ErrUnreachable] where it can't be reached, and
// another where it is not the right one, or the root key is not its own.
func (s *Serving) connected(ctx context.Context) (*store.Store, error) {
	var file os.FileInfo
	if path, isFile := store.File(s.config.Database); isFile {
		var err error
		if file, err = os.Stat(path); err != nil {
			return nil, fmt.Errorf("%w: %w at %s", lanes.ErrUnreachable, ErrNoRegistry, path)
		}
	}
	if db := s.db.Load(); db.is(file) {
		return db.Store, nil
	}
	select {
	case s.connecting <- struct{}{}:
		defer func() { <-s.connecting }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: another connects to it: %w", lanes.ErrUnreachable, context.Cause(ctx))
	}
	switch db := s.db.Load(); {
	case db.is(file):
		return db.Store, nil
	case db != nil: // a restored backup has taken the place of the file, which is still open
		s.db.Store(nil)
		db.Close()
	}
	db, err := store.OpenServing(ctx, s.config.Database, store.Options{})
	if errors.Is(err, store.ErrVersion) {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("%w: %w", lanes.ErrUnreachable, err)
	}
	if err := rightRoot(ctx, db, s.keys.Load().root); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.db.Store(&servedDatabase{db, file})
	return db, nil
}

// is reports whether the database is open, and is that file, if it is one.
func (d *servedDatabase) is(file os.FileInfo) bool {
	return d != nil && (file == nil || os.SameFile(file, d.file))
}

// Version implements [lanes.Store].
func (s *Serving) Version(ctx context.Context) (lanes.Version, error) {
	db, err := s.connected(ctx)
	if err != nil {
		return lanes.Version{}, err
	}
	return db.Version(ctx)
}

// ReadLanes implements [lanes.Store].
func (s *Serving) ReadLanes(ctx context.Context, scope lanes.Scope, read func(lanes.Rows, lanes.Extent) error) error {
	db, err := s.connected(ctx)
	if err != nil {
		return err
	}
	return db.ReadLanes(ctx, scope, read)
}

// ReadLane implements [lanes.Store].
func (s *Serving) ReadLane(ctx context.Context, name lanes.Name, read func(lanes.Rows) error) error {
	db, err := s.connected(ctx)
	if err != nil {
		return err
	}
	return db.ReadLane(ctx, name, read)
}

// Listen implements [lanes.Store].
func (s *Serving) Listen(ctx context.Context, wake func()) error {
	db := s.db.Load()
	if db == nil { // Version connects, in a limited time
		return lanes.ErrUnreachable
	}
	return db.Listen(ctx, wake)
}

// UsedAPIKeys implements [lanes.Store].
func (s *Serving) UsedAPIKeys(ctx context.Context, at map[string]time.Time) error {
	db, err := s.connected(ctx)
	if err != nil {
		return err
	}
	return db.UsedAPIKeys(ctx, at)
}

// UsedKeys implements [lanes.Store].
func (s *Serving) UsedKeys(ctx context.Context, uses lanes.KeyUses) error {
	db, err := s.connected(ctx)
	if err != nil {
		return err
	}
	return db.UsedKeys(ctx, uses)
}

// Outside implements [lanes.Store].
func (s *Serving) Outside(ctx context.Context, name lanes.Name) (lanes.Outside, error) {
	db, err := s.connected(ctx)
	if err != nil {
		return lanes.Outside{}, err
	}
	return db.Outside(ctx, name)
}

// ReportNode implements [lanes.Store].
func (s *Serving) ReportNode(ctx context.Context, n lanes.Node, again bool) (before lanes.Node, err error) {
	db, err := s.connected(ctx)
	if err != nil {
		return before, err
	}
	return db.ReportNode(ctx, n, again)
}

// EndNode implements [lanes.Store].
func (s *Serving) EndNode(ctx context.Context, n lanes.Node) error {
	db, err := s.connected(ctx)
	if err != nil {
		return err
	}
	return db.EndNode(ctx, n)
}

// AdvanceRenewals does one pass over the renewals, as a program that people have given orders.
func (s *Serving) AdvanceRenewals(ctx context.Context, holder string) (out lanes.Advanced, err error) {
	db, err := s.connected(ctx)
	if err != nil {
		return out, err
	}
	r := &Registry{registry: &registry.Registry{Store: db, Now: s.config.Now}, db: db, config: s.config}
	r.config.Warn = func(err error) { out.Alarms = append(out.Alarms, lanes.Advance{Text: err.Error()}) }
	if err := r.anchor(ctx); err != nil {
		return out, err
	}
	s.schedule.Registry, s.schedule.Holder = r.registry, holder
	if s.config.Notify != "" && !s.notified {
		problems, err := notifying(&s.schedule, s.config)
		for _, p := range problems {
			r.config.Warn(p)
		}
		if err != nil {
			r.config.Warn(err) // keys go on to change
		} else {
			s.notified = true
		}
	}
	if s.schedule.Outbox != nil {
		s.schedule.Outbox.Registry, s.schedule.Outbox.Holder = r.registry, holder
	}
	report, err := s.schedule.Pass(ctx)
	before := out.Alarms
	out = report.Advanced()
	out.Alarms = append(before, out.Alarms...)
	return out, err
}

// LastPass returns when a schedule has worked last, zero if none has, and reports whether that is too long ago.
func (s *Serving) LastPass(ctx context.Context, now time.Time) (last time.Time, stopped bool, err error) {
	db, err := s.connected(ctx)
	if err != nil {
		return last, false, err
	}
	err = db.View(ctx, func(tx registry.Reader) (err error) {
		last, stopped, err = renewal.Stopped(tx, now)
		return err
	})
	return last, stopped, err
}

// ReleaseRenewals lets another process advance renewals at once.
func (s *Serving) ReleaseRenewals(ctx context.Context, holder string) error {
	db, err := s.connected(ctx)
	if err != nil {
		return err
	}
	return (&renewal.Scheduler{Registry: &registry.Registry{Store: db}, Holder: holder}).Release(ctx)
}

// Close closes the database.
func (s *Serving) Close() error {
	s.connecting <- struct{}{}
	defer func() { <-s.connecting }()
	if db := s.db.Load(); db != nil {
		return db.Close()
	}
	return nil
}
