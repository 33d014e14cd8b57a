package command

import (
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/profile"
)

func partnerAdd(flags *registryFlags) *cobra.Command {
	var p registry.Partner
	var side, first string
	c := &cobra.Command{
		Use:   "add PARTNER",
		Short: "Add a partner, with a first environment",
		Long: `Add adds a partner under a short name, which the other commands use.

--side is YOUR side: client if you call the partner (a RiskOS customer; VCAS), server
if the partner calls you (a RiskOS provider; an RDX issuer). --sealing is required with
--env: required refuses unencrypted messages, optional lets them pass.`,
		Example: `  sealane partner add socure --name "Socure" --profile riskos --side client \
      --env SANDBOX --sealing required
  sealane partner add vcas --name "VCAS" --profile rdx --side server \
      --env STAG --sealing required --caller mutual-tls`,
		Args: cobra.ExactArgs(1),
	}
	f := c.Flags()
	f.StringVar(&p.Name, "name", "", "the partner's full name (required)")
	f.StringVar(&p.Profile, "profile", "", profileHelp)
	f.StringVar(&side, "side", "", "your side: client or server (required)")
	f.StringVar(&first, "env", "", "a first environment, such as STAG or PROD")
	environment := addEnvironmentFlags(c)
	for _, name := range []string{"name", "profile", "side"} {
		must(c.MarkFlagRequired(name))
	}
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		p.ID = args[0]
		if err := p.Side.UnmarshalText([]byte(side)); err != nil {
			return &exit{exitUsage, err}
		}
		err := s.View(c.Context(), func(tx registry.Tx) error {
			_, err := tx.Partner(p.ID)
			return err
		})
		if err == nil {
			return fmt.Errorf("partner %s: %w", p.ID, registry.ErrExists)
		}
		if err := addOwnProfile(c, s, &p); err != nil {
			return err
		}
		if err := s.AddPartner(c.Context(), p); err != nil {
			return err
		}
		if first == "" {
			return flags.say(c, p,
				"Partner %s is added. Next: sealane partner env %s STAG --sealing required", p.ID, p.ID)
		}
		if err := s.AddEnvironment(c.Context(), environment.row(p.ID, first)); err != nil {
			return fmt.Errorf("partner %s is added, but not its environment: %w\n"+
				"To add it: sealane partner env %s %s …", p.ID, err, p.ID, first)
		}
		return flags.say(c, p, "Partner %s is added, with environment %s. "+
			"To see what is missing: sealane preflight %s %s", p.ID, first, p.ID, first)
	})
	return c
}

// addOwnProfile puts a profile that is a file into the registry, so that its rules
// can't change without a record.
func addOwnProfile(c *cobra.Command, s *registry.Session, p *registry.Partner) error {
	info, err := os.Stat(p.Profile)
	if err != nil || !info.Mode().IsRegular() || slices.Contains(profile.Names(), p.Profile) {
		return nil // AddPartner says what is wrong with it
	}
	source, err := readInput(c, p.Profile, maxProfile)
	if err != nil {
		return err
	}
	name, err := s.AddProfile(c.Context(), source)
	if err != nil {
		return fmt.Errorf("%s: %w", p.Profile, err)
	}
	p.Profile = name
	return nil
}
