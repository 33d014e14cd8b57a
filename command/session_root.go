package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/rootkey"
)

const howToMakeRoot = "make one: sealane rootkey create FILE"

// withRoot loads the root key that the flags name, and calls use with it.
func (f *registryFlags) withRoot(
	c *cobra.Command, s *registry.Session, use func(context.Context, *rootkey.Key, []byte) error,
) error {
	spec := cmp.Or(f.rootKey, os.Getenv("SEALANE_ROOT_KEY"), "file:sealane.rootkey")
	key, parameters, err := loadRoot(c, s.Registry, spec, false)
	switch {
	case err == nil:
		return use(c.Context(), key, parameters)
	case errors.Is(err, rootkey.ErrExposed):
		return err
	}
	has, failed := s.Registry.HasRoot(c.Context())
	switch {
	case failed != nil:
		return errors.Join(err, failed)
	case has: // a new one would open nothing
		return fmt.Errorf("%w; the registry's private keys are sealed under a root key already: "+
			"say where it is (--root-key, $SEALANE_ROOT_KEY), or restore its copy", err)
	}
	return fmt.Errorf("%w; %s", err, howToMakeRoot)
}

// loadRoot returns the root key that spec names and, if it is made from a passphrase,
// its parameters. With next, it is the key to rotate to.
func loadRoot(c *cobra.Command, r *registry.Registry, spec string, next bool) (*rootkey.Key, []byte, error) {
	variable, isPassphrase := strings.CutPrefix(spec, "passphrase:")
	if !isPassphrase {
		key, err := rootkey.Load(c.Context(), spec)
		return key, nil, err
	}
	variable = cmp.Or(variable, "SEALANE_ROOT_PASSPHRASE")
	passphrase := []byte(os.Getenv(variable))
	defer clear(passphrase)
	if len(passphrase) == 0 {
		return nil, nil, fmt.Errorf("the root key's passphrase is not in $%s", variable)
	}
	parameters, pending, err := r.RootParameters(c.Context())
	if err != nil {
		return nil, nil, err
	}
	if next {
		parameters = pending // of a rotation that has not finished
	}
	if len(parameters) == 0 {
		return rootkey.NewPassphrase(passphrase)
	}
	key, err := rootkey.FromPassphrase(passphrase, parameters)
	return key, parameters, err
}
