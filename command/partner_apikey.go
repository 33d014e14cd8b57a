package command

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
)

func partnerAPIKey(flags *registryFlags) *cobra.Command {
	var label, sealing, revoke string
	c := &cobra.Command{
		Use:   "apikey PARTNER ENVIRONMENT",
		Short: "Make an API key for a partner that calls you, or revoke one",
		Long: `Apikey makes a key with 160 random bits. It is shown once; the registry stores its
SHA-256. Several keys may be valid at a time, so that the partner can change without
an interruption: make the second, have it installed, revoke the first.`,
		Example: `  sealane partner apikey acme PROD --sealing required --label "batch system"
  sealane partner apikey --revoke a-7k2m4q6z3x --reason "left in a mail"`,
		Args: cobra.RangeArgs(0, 2),
	}
	f := c.Flags()
	f.StringVar(&label, "label", "", "what the key is for")
	f.StringVar(&sealing, "sealing", "", "required or optional (required for a new key)")
	f.StringVar(&revoke, "revoke", "", "identity of the key to revoke")
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		if revoke != "" {
			if err := s.RevokeAPIKey(c.Context(), revoke); err != nil {
				return err
			}
			return flags.say(c, map[string]string{"revoked": revoke}, "API key %s is revoked", revoke)
		}
		if len(args) != 2 {
			return &exit{exitUsage, errors.New("name the partner and the environment")}
		}
		partner, environment := args[0], args[1]
		k, token, err := s.IssueAPIKey(c.Context(), registry.NewAPIKey{
			Partner: partner, Environment: environment, Label: label, Sealing: sealane.Sealing(sealing),
		})
		if err != nil {
			return err
		}
		return flags.say(c, map[string]any{"id": k.ID, "key": token, "sealing": k.Sealing},
			"%s\n\nThis is the API key %s of %s in %s. It is not shown again: transmit it securely.",
			token, k.ID, partner, environment)
	})
	return c
}
