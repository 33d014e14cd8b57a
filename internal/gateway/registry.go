package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sealane/sealane/internal/lanes"
)

// Registry reads what the registry has, and stores when its API keys were used. A program opens it:
// the gateway knows no database.
type Registry interface {
	// Read reads all lanes.
	Read(ctx context.Context, now time.Time) (*lanes.Snapshot, error)
	// WriteUses stores when API keys were used.
	WriteUses(ctx context.Context, uses *lanes.UsageRecorder) error
	// Close ends the connections.
	Close() error
}

// RegistrySettings say how to open the registry.
type RegistrySettings struct {
	// DB is the URL of PostgreSQL, or the file of SQLite.
	DB string
	// RootKey says where the root key is: file:PATH or env:NAME. It is empty if RootKeyText has the key.
	RootKey string
	// RootKeyText is the root key in base64 or hexadecimal, as a command printed it.
	RootKeyText string
}

// open opens the registry that the configuration names.
func (c *RegistryConfig) open(
	ctx context.Context, dir string, open func(context.Context, RegistrySettings) (Registry, error),
) (Registry, error) {
	settings := RegistrySettings{DB: c.DB}
	if path, isFile := strings.CutPrefix(c.DB, "sqlite:"); isFile || !strings.Contains(c.DB, "://") {
		settings.DB = "sqlite:" + Path(path).in(dir)
	}
	scheme, rest, _ := strings.Cut(string(c.RootKey), ":")
	switch scheme {
	case "file":
		settings.RootKey = "file:" + Path(rest).in(dir)
	case "credential":
		path, err := credentialPath(rest)
		if err != nil {
			return nil, fmt.Errorf("root_key: %w", err)
		}
		settings.RootKey = "file:" + path
	case "env":
		settings.RootKey = string(c.RootKey)
	default:
		text, err := c.RootKey.read(ctx, dir)
		if err != nil {
			return nil, fmt.Errorf("root_key: %w", err)
		}
		settings.RootKeyText = text
	}
	return open(ctx, settings)
}

// registry keeps the newest snapshot of the registry.
type registry struct {
	source   Registry
	settings RegistryConfig
	now      func() time.Time
	snapshot atomic.Pointer[lanes.Snapshot]
	uses     lanes.UsageRecorder
	failed   atomic.Pointer[error] // why the last reading failed, or nil
}

var (
	errNotRead = errors.New("the registry was not read yet")
	errStale   = errors.New("the registry could not be read for too long (registry.stale_after)")
)

// current returns the newest snapshot. After too long without a reading it returns errStale: a
// revocation must not be missed forever.
func (r *registry) current() (*lanes.Snapshot, error) {
	s := r.snapshot.Load()
	switch {
	case s == nil:
		return nil, errNotRead
	case r.now().Sub(s.Taken) > r.settings.StaleAfter.or(defaultStaleAfter):
		return nil, errStale
	}
	return s, nil
}

// read reads a new snapshot. After an error the one before stays.
func (r *registry) read(ctx context.Context) error {
	s, err := r.source.Read(ctx, r.now())
	if err != nil {
		r.failed.Store(&err)
		return err
	}
	r.failed.Store(nil)
	r.snapshot.Store(s)
	return nil
}

// used notes that an API key was used.
func (r *registry) used(id string) { r.uses.Note(id, r.now()) }

// readTime is how long one reading may take.
const readTime = time.Minute

// run reads snapshots until ctx ends, and then stores the last uses of API keys.
func (r *registry) run(ctx context.Context, report func(error)) {
	refresh := time.NewTicker(r.settings.Refresh.or(defaultRefresh))
	defer refresh.Stop()
	uses := time.NewTicker(time.Minute)
	defer uses.Stop()
	for {
		select {
		case <-ctx.Done():
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			r.writeUses(end, report)
			return
		case <-refresh.C:
			limited, cancel := context.WithTimeout(ctx, readTime)
			if err := r.read(limited); err != nil && ctx.Err() == nil {
				report(fmt.Errorf("the registry can't be read; lanes stay as they were at %s: %w",
					r.snapshot.Load().Taken.UTC().Format(time.RFC3339), err))
			}
			cancel()
		case <-uses.C:
			r.writeUses(ctx, report)
		}
	}
}

func (r *registry) writeUses(ctx context.Context, report func(error)) {
	if err := r.source.WriteUses(ctx, &r.uses); err != nil {
		report(fmt.Errorf("uses of API keys are not stored yet: %w", err))
	}
}
