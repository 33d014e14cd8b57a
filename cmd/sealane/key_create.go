package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/registry"
)

func keyCreate(flags *registryFlags) *cobra.Command {
	var n registry.NewPair
	c := &cobra.Command{
		Use: "create", Short: "Make a key pair of yours in the registry, with its certificate", Args: cobra.NoArgs,
		Long: `Create makes an RSA key pair and a self-signed certificate by the profile's rules. The
private key stays in the registry, under the root key. The pair opens messages at
once; it signs when the partner has installed its certificate (exchange activate).

There is one pair per account and environment, used for nothing else.`,
		Example: `  sealane key create --partner vcas --env STAG --common-name rdx.bank.example --org "Example Bank" --unit Payments --email keys@bank.example`,
	}
	pairFlags(c, &n)
	f := c.Flags()
	f.IntVar(&n.Bits, "bits", 0, "RSA size: 2048, 3072 or 4096 (default the profile's)")
	f.StringVar(&n.Subject.CommonName, "common-name", "", "common name (required)")
	f.StringVar(&n.Subject.Organization, "org", "", "organization (O)")
	f.StringVar(&n.Subject.Unit, "unit", "", "organizational unit (OU)")
	f.StringVar(&n.Subject.Email, "email", "", "contact for renewals, a mailbox that several people read")
	f.StringVar(&n.Subject.Country, "country", "", "two-letter country code")
	must(c.MarkFlagRequired("common-name"))
	c.RunE = flags.withKeys(func(c *cobra.Command, d *registry.Session, _ []string) error {
		if err := profileOf(c, d, &n); err != nil {
			return err
		}
		k, made, err := d.CreateKeyPair(c.Context(), n, flags.reason)
		if err != nil {
			return err
		}
		return flags.said(c, map[string]any{"key_pair": k, "certificate": made.ID}, "Key pair %s (RSA %d, %s) is made; its certificate is valid until %s.\nNext: sealane exchange offer %s --to %s --out FOLDER",
			k.ID, k.Bits, k.Environment, made.NotAfter.Format("2006-01-02"), k.ID, orWord(n.Partner, "PARTNER"))
	})
	return c
}

func pairFlags(c *cobra.Command, n *registry.NewPair) {
	f := c.Flags()
	f.StringVar(&n.Profile, "profile", "", "dialect (required where no partner is named)")
	f.StringVar(&n.Partner, "partner", "", "for this partner alone; else one pair for all partners of the profile")
	f.StringVar(&n.Environment, "env", "", "environment (required)")
	f.StringVar(&n.KeyID, "key-id", "", "key ID (alias), where it is known already")
	f.BoolVar(&n.Renewal, "renewal", false, "it follows a pair that is in use")
	must(c.MarkFlagRequired("env"))
}

// profileOf fills in the profile of the partner.
func profileOf(c *cobra.Command, d *registry.Session, n *registry.NewPair) error {
	if n.Partner == "" {
		if n.Profile == "" {
			return &exit{exitUsage, errors.New("name the partner (--partner), or the profile for all of its partners (--profile)")}
		}
		return nil
	}
	return d.Store.View(c.Context(), func(tx registry.Tx) error {
		p, err := tx.Partner(n.Partner)
		if err != nil {
			return fmt.Errorf("partner %q: %w", n.Partner, err)
		}
		n.Profile = p.Profile
		return nil
	})
}
