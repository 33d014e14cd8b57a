package command

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/rootkey"
)

func rootKeyRotate(flags *registryFlags) *cobra.Command {
	var to string
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Encrypt all private keys under another root key",
		Long: `Rotate encrypts every private key of the registry under the root key --to. It may be
interrupted and run again at any time, with the same keys. When it is done, only the
new root key is needed.`,
		Example: `  sealane rootkey create new.rootkey
  sealane rootkey rotate --root-key file:sealane.rootkey --to file:new.rootkey --reason "yearly"`,
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&to, "to", "", "the new root key (required)")
	must(c.MarkFlagRequired("to"))
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, _ []string) error {
		if err := flags.withRoot(c, s, s.SetRoot); err != nil {
			if key := rotatedTo(c, s, to); key != nil {
				return flags.sayRotated(c, key, 0)
			}
			return &exit{exitFailed, err}
		}
		next, parameters, err := loadRoot(c, s.Registry, to, true)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w; %s", err, howToMakeRoot)
		}
		if err != nil {
			return &exit{exitFailed, err}
		}
		n, err := s.RotateRoot(c.Context(), next, parameters)
		if err != nil {
			return err
		}
		return flags.sayRotated(c, next, n)
	})
	return c
}

// rotatedTo returns the key that spec names if it is the registry's root key already:
// a rotation may have been interrupted after its last step. Otherwise it returns nil.
func rotatedTo(c *cobra.Command, s *registry.Session, spec string) *rootkey.Key {
	key, _, err := loadRoot(c, s.Registry, spec, false)
	if err != nil || s.Registry.UseRoot(c.Context(), key) != nil {
		return nil
	}
	return key
}

func (f *registryFlags) sayRotated(c *cobra.Command, key *rootkey.Key, n int) error {
	return f.say(c, map[string]any{"root_key": key.ID(), "private_keys": n},
		"All private keys are under root key %s now; %d of them were not before. "+
			"The old one is needed only for old backups.", key.ID(), n)
}
