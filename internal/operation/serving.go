package operation

import (
	"context"
	"errors"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/rootkey"
)

// Serving is a registry as a program that serves messages uses it: it reads lanes, and stores when API
// keys were used. It acts for no person, and changes nothing else.
type Serving struct{ registry *Registry }

// OpenServing opens a registry for a program that serves messages. rootKeyText is the root key in base64 or
// hexadecimal; if it is empty, the configuration says where the key is.
func OpenServing(ctx context.Context, c Config, rootKeyText string) (*Serving, error) {
	r, err := Open(ctx, c)
	if err != nil {
		return nil, err
	}
	s := &Serving{r}
	if err := s.useRoot(ctx, rootKeyText); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return s, nil
}

func (s *Serving) useRoot(ctx context.Context, text string) error {
	key, err := rootkey.Parse(text)
	if text == "" {
		key, _, err = s.registry.loadRoot(ctx, s.registry.config.RootKey, false)
	}
	if err != nil {
		return err
	}
	return s.registry.registry.UseRoot(ctx, key)
}

// Lanes returns the reader of lanes. Its store stores when API keys were used, too.
func (s *Serving) Lanes() *lanes.Reader { return s.registry.registry.Lanes() }

// Close closes the database.
func (s *Serving) Close() error { return s.registry.Close() }
