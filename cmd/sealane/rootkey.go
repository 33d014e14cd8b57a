package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/rootkey"
)

func newRootKey() *cobra.Command {
	c := &cobra.Command{
		Use: "rootkey", Short: "The key under which the registry keeps private keys",
		Long: `Private keys in the registry are sealed (AES-256-GCM) under a root key, which is never in
the database: it comes from a file (file:PATH), an environment variable (env:NAME), or
a passphrase (passphrase:NAME, the variable that holds it). Without it private keys
are lost: keep a copy in a safe place, apart from the backups.`,
	}
	flags := addRegistryFlags(c)
	c.AddCommand(rootKeyCreate(flags), rootKeyRotate(flags))
	return c
}

func rootKeyCreate(flags *registryFlags) *cobra.Command {
	return &cobra.Command{
		Use: "create FILE", Short: "Make a root key in a new file", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			key, err := rootkey.Create(args[0])
			if err != nil {
				return err
			}
			return flags.said(c, map[string]string{"file": args[0], "root_key": key.ID()}, "%s holds root key %s. To use it: --root-key file:%s\nKeep a copy in a safe place: without it the registry's private keys are lost.", args[0], key.ID(), absolute(args[0]))
		},
	}
}

func rootKeyRotate(flags *registryFlags) *cobra.Command {
	var to string
	c := &cobra.Command{
		Use: "rotate", Short: "Seal all private keys under another root key", Args: cobra.NoArgs,
		Long: `Rotate seals every private key of the registry under the root key named by --to. It may
be killed and run again at any time, with the same keys. From the end on only the new
one is needed.`,
		Example: `  sealane rootkey create new.rootkey
  sealane rootkey rotate --root-key file:sealane.rootkey --to file:new.rootkey --reason "yearly"`,
	}
	c.Flags().StringVar(&to, "to", "", "the new root key (required)")
	must(c.MarkFlagRequired("to"))
	c.RunE = flags.withSession(func(c *cobra.Command, d *registry.Session, _ []string) error {
		if err := flags.withRoot(c, d, d.SetRoot); err != nil {
			if key := rotatedTo(c, d, to); key != nil {
				return flags.rotated(c, key, 0)
			}
			return &exit{exitFailed, err}
		}
		next, parameters, err := loadRoot(c, d.Registry, to, true)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w; %s", err, howToMakeRoot)
		}
		if err != nil {
			return &exit{exitFailed, err}
		}
		n, err := d.RotateRoot(c.Context(), next, parameters, flags.reason)
		if err != nil {
			return err
		}
		return flags.rotated(c, next, n)
	})
	return c
}

// rotatedTo gives the key that spec names, if it is the registry's own already: a
// rotation may be killed behind its last step, when nobody has heard of its end.
func rotatedTo(c *cobra.Command, d *registry.Session, spec string) *rootkey.Key {
	key, _, err := loadRoot(c, d.Registry, spec, false)
	if err != nil || d.UseRoot(c.Context(), key) != nil {
		return nil
	}
	return key
}

func (flags *registryFlags) rotated(c *cobra.Command, key *rootkey.Key, n int) error {
	return flags.said(c, map[string]any{"root_key": key.ID(), "private_keys": n}, "All private keys are under root key %s now; %d of them were not before. The old one is not needed any more, but for old backups.", key.ID(), n)
}
