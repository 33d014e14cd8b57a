package gateway

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/lanes"
)

// Registry is the registry from which lanes come. A program opens it: the gateway knows no database.
type Registry interface {
	// Lanes returns the reader of its lanes. Its store stores what was used, too. The store's error is
	// [lanes.ErrUnreachable] where nothing is known about the database.
	Lanes() *lanes.Reader
	// UseRootKey loads the root key again. It refuses one that is not the registry's; text is that
	// of RegistrySettings.
	UseRootKey(ctx context.Context, text string) error
	// SaveLanes keeps a snapshot in a file, with the time when it was known to be the newest, and
	// LoadLanes reads it. Only who has the root key can read and make such a file.
	SaveLanes(path string, r *lanes.Reader, s *lanes.Snapshot, known time.Time) error
	LoadLanes(path string, r *lanes.Reader) (*lanes.Snapshot, time.Time, error)
	// LastPass returns when a schedule has advanced renewals last, as the database knows it; zero if none has. It
	// reports whether that is too long ago, while a key is in use.
	LastPass(ctx context.Context, now time.Time) (last time.Time, stopped bool, err error)
	// Close ends the connections.
	Close() error
}

// RegistrySettings say how to open the registry.
type RegistrySettings struct {
	// DB is the URL of PostgreSQL, or the file of SQLite.
	DB string
	// RootKey says where the root key is: file:PATH or env:NAME. It is empty if RootKeyText has the key.
	RootKey string
	// RootKeyText is the root key in base64 or hexadecimal, as a command printed it or a credential has it.
	RootKeyText string
	// Notify is the file that says how people are told; empty: people send the mails.
	Notify string
}

// registrySettings returns how the registry is opened that the configuration names.
func (c *RegistryConfig) registrySettings(ctx context.Context, dir string) (RegistrySettings, error) {
	settings := RegistrySettings{DB: c.DB}
	if c.Notify != "" {
		settings.Notify = c.Notify.in(dir)
	}
	if path, isFile := strings.CutPrefix(c.DB, "sqlite:"); isFile || !strings.Contains(c.DB, "://") {
		settings.DB = "sqlite:" + Path(path).in(dir)
	}
	scheme, rest, _ := strings.Cut(string(c.RootKey), ":")
	switch scheme {
	case "file":
		settings.RootKey = "file:" + Path(rest).in(dir)
	case "env":
		settings.RootKey = string(c.RootKey)
	default: // systemd protects a credential by its folder and an ACL, so that its mode shows 0440
		text, err := c.RootKey.Read(ctx, dir)
		if err != nil {
			return settings, fmt.Errorf("root_key: %w", err)
		}
		settings.RootKeyText = text
	}
	return settings, nil
}

var errNoAdvancer = errors.New(
	"schedule: this program can't advance renewals: leave the word out, and let another do it")

// openRegistry opens the registry and reads it once. It returns nil where there is none.
func (b *builder) openRegistry(ctx context.Context, old *state) (*registry, error) {
	c := b.c.Registry
	if c == nil {
		return nil, nil
	}
	if b.g.options.OpenRegistry == nil {
		return nil, errors.New("this program opens no registry: give the routes keys")
	}
	settings, err := c.registrySettings(ctx, b.c.dir)
	if err != nil {
		return nil, err
	}
	if old != nil && old.registry != nil && reflect.DeepEqual(old.registry.settings, *c) {
		limited, cancel := context.WithTimeout(ctx, askTime)
		defer cancel()
		return old.registry, old.registry.source.UseRootKey(limited, settings.RootKeyText)
	}
	name, err := c.node()
	if err != nil {
		return nil, err
	}
	source, err := b.g.options.OpenRegistry(ctx, settings)
	if err != nil {
		return nil, err
	}
	if _, can := source.(Advancer); c.Schedule && !can {
		return nil, errors.Join(errNoAdvancer, source.Close())
	}
	r := newRegistry(source, *c, b.g.now, b.g.log)
	if c.Cache != "" {
		r.cache = c.Cache.in(b.c.dir)
	}
	if err := r.start(ctx); err != nil {
		return nil, errors.Join(err, source.Close())
	}
	r.setSelf(ctx, name, old)
	return r, nil
}
