package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
)

func partnerAPIKey(flags *registryFlags) *cobra.Command {
	var label, sealing, revoke string
	c := &cobra.Command{
		Use: "apikey PARTNER ENVIRONMENT", Short: "Make an API key for a partner that calls you, or revoke one", Args: cobra.RangeArgs(0, 2),
		Long: `Apikey makes a key with 160 random bits. It is shown once; the registry keeps its
SHA-256. Several keys may be valid at a time, so that the partner can change
without a pause: make the second, have it installed, revoke the first.`,
		Example: `  sealane partner apikey acme PROD --sealing required --label "batch system"
  sealane partner apikey --revoke a-7k2m4q6z3x --reason "left in a mail"`,
	}
	f := c.Flags()
	f.StringVar(&label, "label", "", "what it is for")
	f.StringVar(&sealing, "sealing", "", "required or optional; must be said")
	f.StringVar(&revoke, "revoke", "", "identity of the key to revoke")
	c.RunE = flags.withSession(func(c *cobra.Command, d *registry.Session, args []string) error {
		if revoke != "" {
			if err := d.RevokeAPIKey(c.Context(), revoke, flags.reason); err != nil {
				return err
			}
			return flags.said(c, map[string]string{"revoked": revoke}, "API key %s is revoked", revoke)
		}
		if len(args) != 2 {
			return &exit{exitUsage, fmt.Errorf("name the partner and the environment")}
		}
		k, token, err := d.IssueAPIKey(c.Context(), args[0], args[1], label, sealane.Sealing(sealing), flags.reason)
		if err != nil {
			return err
		}
		return flags.said(c, map[string]any{"id": k.ID, "key": token, "sealing": k.Sealing}, "%s\n\nThis is the API key %s of %s in %s. It is not shown again: hand it over by a safe way.", token, k.ID, args[0], args[1])
	})
	return c
}
