package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/rootkey"
)

func newPreflight() *cobra.Command {
	c := &cobra.Command{
		Use: "preflight PARTNER ENVIRONMENT", Short: "List all that must hold before sealing works with a partner, and what does not", Args: cobra.ExactArgs(2),
		Long: `Preflight looks at everything that must hold before messages with a partner can be
sealed and opened, makes the lane, and seals a message with it. Exit code 3 says that
something is missing.`,
	}
	flags := addRegistryFlags(c)
	c.RunE = flags.withSession(func(c *cobra.Command, d *registry.Session, args []string) error {
		root := exchange.Check{Name: "root key", Level: cert.OK, Found: "opens the private keys"}
		err := flags.withRoot(c, d, func(ctx context.Context, key *rootkey.Key, _ []byte) error { return d.UseRoot(ctx, key) })
		switch {
		case errors.Is(err, registry.ErrNoRoot): // the first key pair sets it
			root.Level, root.Found = cert.Warning, "none yet"
		case err != nil:
			root.Level, root.Found = cert.Refused, err.Error()
		}
		checks, ready, err := exchange.Preflight(c.Context(), d.Registry, args[0], args[1])
		if err != nil {
			return err
		}
		checks, ready = append([]exchange.Check{root}, checks...), ready && root.Level != cert.Refused
		marks := map[string]string{"ok": "✓", "warning": "!", "refused": "✗"}
		if flags.json {
			err = json.NewEncoder(c.OutOrStdout()).Encode(map[string]any{"ready": ready, "checks": checks})
		} else {
			for _, one := range checks {
				fmt.Fprintf(c.OutOrStdout(), "%s %s: %s\n", marks[string(one.Level)], one.Name, cellText(one.Found))
				if one.Do != "" {
					fmt.Fprintf(c.OutOrStdout(), "    → %s\n", cellText(one.Do))
				}
			}
		}
		if err == nil && !ready {
			err = refused(errors.New("not ready: see what is marked ✗"))
		}
		return err
	})
	return c
}
