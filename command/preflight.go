package command

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/rootkey"
)

func newPreflight() *cobra.Command {
	c := &cobra.Command{
		Use:   "preflight PARTNER ENVIRONMENT",
		Short: "Check everything that sealing with a partner needs",
		Long: `Preflight checks everything that is needed to seal messages to a partner and to open
theirs. It makes the lane and seals a message with it. The exit code is 3 if something
is missing.`,
		Args: cobra.ExactArgs(2),
	}
	flags := addRegistryFlags(c)
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		root := flags.checkRoot(c, s) // before the others, which need it
		lane := lanes.Name{Partner: args[0], Environment: args[1]}
		checks, ready, err := exchange.Preflight(c.Context(), s.Registry, lane)
		if err != nil {
			return err
		}
		checks, ready = append([]exchange.Check{root}, checks...), ready && root.Level != cert.Refused
		if flags.json {
			err = encodeJSON(c.OutOrStdout(), map[string]any{"ready": ready, "checks": checks}, "")
		} else {
			err = writeChecks(c.OutOrStdout(), checks)
		}
		if err == nil && !ready {
			err = refused(errors.New("not ready: see what is marked ✗"))
		}
		return err
	})
	return c
}

// checkRoot loads the root key, and checks that it opens the registry's private keys.
func (f *registryFlags) checkRoot(c *cobra.Command, s *registry.Session) exchange.Check {
	err := f.withRoot(c, s, func(ctx context.Context, key *rootkey.Key, _ []byte) error {
		return s.Registry.UseRoot(ctx, key)
	})
	switch {
	case err == nil:
		return exchange.Check{Name: "root key", Level: cert.OK, Found: "opens the private keys"}
	case errors.Is(err, registry.ErrNoRoot): // the first key pair sets it
		return exchange.Check{Name: "root key", Level: cert.Warning, Found: "none yet"}
	}
	return exchange.Check{Name: "root key", Level: cert.Refused, Found: err.Error()}
}

func writeChecks(w io.Writer, checks []exchange.Check) error {
	marks := map[cert.Level]string{cert.OK: "✓", cert.Warning: "!", cert.Refused: "✗"}
	for _, one := range checks {
		fmt.Fprintf(w, "%s %s: %s\n", marks[one.Level], one.Name, cellText(one.Found))
		if one.Do != "" {
			fmt.Fprintf(w, "    → %s\n", cellText(one.Do))
		}
	}
	return nil
}
