package command

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/registry"
)

func keyCreate(flags *registryFlags) *cobra.Command {
	var n registry.NewPair
	c := &cobra.Command{
		Use:   "create",
		Short: "Make a key pair of yours in the registry, with its certificate",
		Long: `Create makes an RSA key pair and a self-signed certificate by the profile's rules. The
private key stays in the registry, encrypted under the root key. The pair opens
messages at once. It signs when the partner has installed its certificate (sealane
exchange activate).

Make one pair for each account and environment, and use it for nothing else.`,
		Example: `  sealane key create --partner vcas --env STAG --common-name rdx.bank.example \
      --org "Example Bank" --unit Payments --email keys@bank.example`,
		Args: cobra.NoArgs,
	}
	addPairFlags(c, &n)
	c.Flags().IntVar(&n.Bits, "bits", 0, "RSA size: 2048, 3072 or 4096 (default: the profile's)")
	addSubjectFlags(c, &n.Subject)
	c.RunE = flags.withKeys(func(c *cobra.Command, s *registry.Session, _ []string) error {
		if err := setProfile(c, s, &n); err != nil {
			return err
		}
		k, made, err := s.CreateKeyPair(c.Context(), n)
		if err != nil {
			return err
		}
		return flags.say(c, map[string]any{"key_pair": k, "certificate": made.ID},
			"Key pair %s (RSA %d, %s) is made; its certificate is valid until %s.\n"+
				"Next: sealane exchange offer %s --to %s --out FOLDER",
			k.ID, k.Bits, k.Environment, made.NotAfter.Format(time.DateOnly), k.ID, cmp.Or(n.Partner, "PARTNER"))
	})
	return c
}

// addPairFlags adds the flags for a new key pair.
func addPairFlags(c *cobra.Command, n *registry.NewPair) {
	f := c.Flags()
	f.StringVar(&n.Profile, "profile", "", "profile (required if no partner is named)")
	f.StringVar(&n.Partner, "partner", "", "for this partner only (default: for all partners of the profile)")
	f.StringVar(&n.Environment, "env", "", "environment (required)")
	f.StringVar(&n.KeyID, "key-id", "", "key ID (alias), if it is known already")
	f.BoolVar(&n.Renewal, "renewal", false, "it replaces a pair that is in use")
	must(c.MarkFlagRequired("env"))
}

// setProfile sets the profile to that of the partner, if one is named.
func setProfile(c *cobra.Command, s *registry.Session, n *registry.NewPair) error {
	switch {
	case n.Partner != "":
	case n.Profile != "":
		return nil
	default:
		return &exit{exitUsage, errors.New(
			"name the partner (--partner), or the profile for all of its partners (--profile)")}
	}
	return s.View(c.Context(), func(tx registry.Tx) error {
		p, err := tx.Partner(n.Partner)
		if err != nil {
			return fmt.Errorf("partner %q: %w", n.Partner, err)
		}
		n.Profile = p.Profile
		return nil
	})
}
