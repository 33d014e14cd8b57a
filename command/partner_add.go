package command

import (
	"errors"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/profile"
)

func partnerAdd() *cobra.Command {
	var p operation.NewPartner
	var side, first string
	c := &cobra.Command{
		Use:   "add PARTNER",
		Short: "Add a partner, with a first environment",
		Long: `Add adds a partner under a short name, which the other commands use.

--side is YOUR side: egress (or client) if you call the partner (a RiskOS customer;
VCAS), ingress (or server) if the partner calls you (a RiskOS provider; an RDX issuer).
--sealing is required with --env: required refuses unencrypted messages, optional lets
them pass. If anything is refused, nothing is added.`,
		Example: `  sealane partner add socure --name "Socure" --profile riskos --side egress \
      --env SANDBOX --sealing required
  sealane partner add vcas --name "VCAS" --profile rdx --side ingress \
      --env STAG --sealing required --caller mutual-tls`,
		Args: cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	f := c.Flags()
	f.StringVar(&p.Name, "name", "", "the partner's full name (required)")
	f.StringVar(&p.Partner.Profile, "profile", "", profileHelp)
	f.StringVar(&side, "side", "", "your side: egress or ingress (client or server) (required)")
	f.StringVar(&first, "env", "", "a first environment, such as PROD")
	environment := environmentFlags(c)
	for _, name := range []string{"name", "profile", "side"} {
		must(c.MarkFlagRequired(name))
	}
	input := func(c *cobra.Command, args []string) (_ operation.NewPartner, err error) {
		p.ID = args[0]
		if err := p.Side.UnmarshalText([]byte(side)); err != nil {
			return p, &exit{exitUsage, err}
		}
		if first != "" {
			p.Environment = environment.change(p.ID, first)
		}
		p.ProfileSource, err = ownProfile(c, p.Partner.Profile)
		return p, err
	}
	add := does(flags, operation.AddPartner, input, func(c *cobra.Command, d operation.PartnerDetails) error {
		if first == "" {
			return say(c, "Partner %s is added.\nNext: sealane partner env %[1]s ENVIRONMENT --sealing required", d.ID)
		}
		return say(c, "Partner %s is added, with environment %s.\nNext: sealane status %s %s", d.ID, first, d.ID,
			first)
	})
	c.RunE = func(c *cobra.Command, args []string) error {
		err := add(c, args)
		if errors.Is(err, operation.ErrExists) {
			warn(c, "to add an environment to it: sealane partner env %s ENVIRONMENT …", printable(args[0]))
		}
		return err
	}
	return c
}

// ownProfile returns the text of a profile that is a file, or nothing if it is a name. The
// registry says whether it knows the name.
func ownProfile(c *cobra.Command, name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() || slices.Contains(profile.Names(), name) {
		return nil, nil
	}
	return readInput(c, name, maxProfile)
}
