package operation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/readlimit"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/internal/secretfile"
	"github.com/sealane/sealane/internal/store"
	"github.com/sealane/sealane/rsaengine"
)

// Config is the location of a registry, and of its root key.
type Config struct {
	Database string   // sqlite:FILE or postgres://…
	RootKey  string   // file:PATH, env:NAME or passphrase:NAME
	Anchors  []string // places for copies of the audit log's heads: file:PATH, syslog:, https://…
	Notify   string   // the file that says how people are told; empty: people send the mails

	RSA  *rsaengine.Engine
	Warn func(error) // called with errors that do not stop an operation; nil ignores them

	Now func() time.Time // nil: time.Now
	// Pause waits for a time, or until ctx ends; nil: with a timer.
	Pause func(ctx context.Context, d time.Duration) error
}

// Registry is an open registry.
type Registry struct {
	registry *registry.Registry
	db       *store.Store
	config   Config
	anchorer *audit.Anchorer // nil: the head is not anchored
	unopened []error         // anchors that can't be used
}

// File returns the path of a registry's address if it is that of a file.
func File(database string) (path string, file bool) { return store.File(database) }

// Place returns a text that identifies a registry by its address, without the user and the password.
func Place(database string) string { return store.Place(database) }

// ErrNoRegistry means that there is no database at the address.
var ErrNoRegistry = errors.New("there is no registry")

// Open opens a registry. The error is [ErrNoRegistry] if the file does not exist.
func Open(ctx context.Context, c Config) (*Registry, error) {
	if path, file := store.File(c.Database); file {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("%w at %s", ErrNoRegistry, path)
		}
	}
	return open(ctx, c)
}

func open(ctx context.Context, c Config) (*Registry, error) {
	if c.Warn == nil {
		c.Warn = func(error) {}
	}
	db, err := store.Open(ctx, c.Database, store.Options{})
	if err != nil {
		return nil, err
	}
	r := &Registry{registry: &registry.Registry{Store: db, RSA: c.RSA, Now: c.Now}, db: db, config: c}
	if err := r.anchor(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return r, nil
}

// Close closes the database.
func (r *Registry) Close() error { return r.db.Close() }

// anchor makes the registry write each new head of the audit log to the anchors. A failure is a
// warning: the change is recorded.
func (r *Registry) anchor(ctx context.Context) error {
	a, unusable, err := r.registry.OpenAnchors(ctx, r.config.Anchors)
	if err != nil || a == nil {
		return err
	}
	for _, err := range unusable {
		r.config.Warn(err)
	}
	r.anchorer, r.unopened = a, unusable
	return r.registry.AnchorWith(ctx, a, func(err error) {
		r.config.Warn(fmt.Errorf("the change is recorded, but the audit log's head could not be anchored: %w", err))
	})
}

// Founded is a registry that was made.
type Founded struct {
	Person  string `json:"person"`
	Token   string `json:"token"`    // of the first person; it can't be read again
	RootKey string `json:"root_key"` // the file that was made for it; empty if it is elsewhere
}

// Init makes a registry with its first person, who becomes an administrator, and the root key's
// file if there is none. The error is [ErrFounded] where there are people already.
func Init(ctx context.Context, c Config, p Person) (out Founded, err error) {
	r, err := open(ctx, c)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if file, named := strings.CutPrefix(c.RootKey, "file:"); named {
		has, err := r.registry.HasRoot(ctx)
		if err != nil {
			return out, err
		}
		if _, missing := os.Stat(file); errors.Is(missing, fs.ErrNotExist) && !has {
			if _, err := rootkey.Create(file); err != nil {
				return out, err
			}
			out.RootKey = file
		}
	}
	key, parameters, err := r.loadRoot(ctx, c.RootKey, nil)
	if err != nil {
		return out, err
	}
	out.Person = p.ID
	if out.Token, err = r.registry.Found(ctx, p); err != nil {
		return out, err
	}
	s, err := r.registry.Login(ctx, out.Token)
	if err != nil {
		return out, err
	}
	return out, s.SetRoot(ctx, key, parameters)
}

// Session is the registry as one authenticated person may use it.
type Session struct {
	*registry.Session
	registry *Registry
}

// Login returns the session of the person whose token it is, with the reason for the changes.
// The error is [ErrUnknownToken] where nobody has it.
func (r *Registry) Login(ctx context.Context, token, reason string) (*Session, error) {
	s, err := r.registry.Login(ctx, token)
	if err != nil {
		return nil, err
	}
	if err := scheduleStopped(ctx, &s.Viewer); err != nil {
		r.config.Warn(err)
	}
	return &Session{Session: s.WithReason(reason), registry: r}, nil
}

// openKeys loads the root key. A registry without one takes it for its own.
func (s *Session) openKeys(ctx context.Context) error {
	key, parameters, err := s.registry.loadRoot(ctx, s.registry.config.RootKey, nil)
	if err == nil {
		return s.SetRoot(ctx, key, parameters)
	}
	return noRoot(ctx, &s.Viewer, err)
}

// tryKeys loads the root key if it is the registry's. What needs it says so otherwise.
func (s *Session) tryKeys(ctx context.Context) {
	if key, _, err := s.registry.loadRoot(ctx, s.registry.config.RootKey, nil); err == nil {
		_ = s.registry.registry.UseRoot(ctx, key)
	}
}

// noRoot completes the error of a root key that could not be loaded.
func noRoot(ctx context.Context, v *registry.Viewer, err error) error {
	if errors.Is(err, secretfile.ErrExposed) {
		return err
	}
	has, failed := v.HasRoot(ctx)
	switch {
	case failed != nil:
		return errors.Join(err, failed)
	case has: // a new one would open nothing
		return fmt.Errorf("%w; %w", err, ErrRootElsewhere)
	}
	return fmt.Errorf("%w; %w", err, ErrNoRootKey)
}

// Errors of the root key, for front ends that say how to name it.
var (
	ErrNoRootKey     = errors.New("the registry has no root key yet")
	ErrRootElsewhere = errors.New("the registry's private keys are under a root key already: " +
		"say where it is, or restore its copy")
)

// loadRoot returns the root key that spec names and, if it is made from a passphrase, its
// parameters. With rotates, it is the key to which that person rotates.
func (r *Registry) loadRoot(ctx context.Context, spec string, rotates *Session) (*rootkey.Key, []byte, error) {
	variable, isPassphrase := strings.CutPrefix(spec, "passphrase:")
	if !isPassphrase {
		key, err := rootkey.Load(ctx, spec)
		return key, nil, err
	}
	variable = cmp.Or(variable, "SEALANE_ROOT_PASSPHRASE")
	passphrase := []byte(os.Getenv(variable))
	defer clear(passphrase)
	if len(passphrase) == 0 {
		return nil, nil, fmt.Errorf("the root key's passphrase is not in $%s",
			readlimit.ShownVariable(variable))
	}
	parameters, _, err := r.registry.RootParameters(ctx)
	if err == nil && rotates != nil {
		if err := rootkey.CheckPassphrase(passphrase); err != nil {
			return nil, nil, err
		}
		parameters, err = rotates.NextRootParameters(ctx)
	}
	if err != nil {
		return nil, nil, err
	}
	if len(parameters) == 0 {
		return rootkey.NewPassphrase(passphrase)
	}
	key, err := rootkey.FromPassphrase(passphrase, parameters)
	return key, parameters, err
}

// Errors that front ends tell apart. All other errors with a [RefusedError] in them are about
// what was asked for.
var (
	ErrFounded      = registry.ErrFounded
	ErrUnknownToken = registry.ErrUnknownToken
	ErrUncertain    = registry.ErrUncertain
	ErrExists       = registry.ErrExists
	ErrNotFound     = registry.ErrNotFound
	ErrOtherRootKey = rootkey.ErrOtherKey
	ErrRotating     = registry.ErrRotating
)

// Types that inputs and outputs have.
type (
	Incoming    = exchange.Incoming
	Comparison  = exchange.Comparison
	KeyIDChange = exchange.KeyIDChange
	Proof       = exchange.Proof
	Evidence    = exchange.Approval
	CallBack    = exchange.CallBack
	Standing    = exchange.Standing
	Next        = exchange.Next
	Head        = audit.Head

	RefusedError = registry.RefusedError
	Advice       = registry.Advice
	Need         = registry.Need
	NeedKind     = registry.NeedKind
	Action       = registry.Action

	Person      = registry.Person
	Role        = registry.Role
	Partner     = registry.Partner
	Environment = registry.Environment
	Retiring    = registry.Retire
	Contact     = registry.Contact
	ContactRole = registry.ContactRole
	APIKey      = registry.APIKey
	KeyPair     = registry.KeyPair
	State       = registry.State
	Check       = registry.Check
)

// CheckReason refuses a text that is no reason for an act.
func CheckReason(text string) error { return registry.CheckReason(text) }

// AdviceIn returns the advice of the first refusal in an error that has some.
func AdviceIn(err error) Advice { return registry.AdviceIn(err) }

// The actions of key pairs that have verbs of certificates: [Retire] and [Undo] have those of a certificate.
const (
	RetireKey = registry.ActionKeyRetire
	UndoKey   = registry.ActionKeyUndo
)

// The kinds of needs that an advice has.
const (
	NeedReason   = registry.NeedReason
	NeedLast     = registry.NeedLast
	NeedChange   = registry.NeedChange
	NeedCallBack = registry.NeedCallBack
	NeedGrant    = registry.NeedGrant
	NeedReplace  = registry.NeedReplace
	NeedAsIs     = registry.NeedAsIs
	NeedPartner  = registry.NeedPartner
	NeedAgain    = registry.NeedAgain
	NeedRenewal  = registry.NeedRenewal
	NeedRole     = registry.NeedRole
	NeedRootKey  = registry.NeedRootKey
	NeedWord     = registry.NeedWord
	NeedCancel   = registry.NeedCancel
)

// NeedKinds returns all kinds of needs.
func NeedKinds() []NeedKind { return registry.NeedKinds() }
