package gateway

import (
	"context"
	"fmt"
	"strings"

	"github.com/sealane/sealane/internal/lanes"
)

// Registry is the registry from which lanes come. A program opens it: the gateway knows no database.
type Registry interface {
	// Lanes returns the reader of its lanes. Its store stores when API keys were used, too.
	Lanes() *lanes.Reader
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
