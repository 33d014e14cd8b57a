package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

// partnerNamed is the input of a verb that takes one partner.
func partnerNamed(_ *cobra.Command, args []string) (operation.PartnerName, error) {
	return operation.PartnerName{Partner: args[0]}, nil
}

func partnerChange() *cobra.Command {
	var in operation.PartnerRename
	c := &cobra.Command{
		Use:   "change PARTNER",
		Short: "Change a partner's full name",
		Long: `Change changes the full name. The short name, the profile and your side stay: a partner
for whom one of them is wrong can be removed while it is unused (sealane partner
remove), and added again.`,
		Example: `  sealane partner change acme --name "Acme Bank plc"`,
		Args:    cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	c.Flags().StringVar(&in.Name, "name", "", "the partner's full name (required)")
	must(c.MarkFlagRequired("name"))
	input := func(_ *cobra.Command, args []string) (operation.PartnerRename, error) {
		in.Partner = args[0]
		return in, nil
	}
	c.RunE = does(flags, operation.RenamePartner, input, func(c *cobra.Command, p operation.Partner) error {
		return say(c, "Partner %s is now %s.", p.ID, cellText(p.Name))
	})
	return c
}

func partnerArchive() *cobra.Command {
	c := &cobra.Command{
		Use:   "archive PARTNER",
		Short: "Hide a partner whose lanes have ended",
		Long: `Archive hides a partner from lists and refuses new work for it, until it is brought back
(sealane partner restore). Its certificates and key pairs must be retired, rejected or
revoked, and its API keys revoked. Nothing is deleted.`,
		Example: `  sealane partner archive acme --reason "contract ended, CHG-4711"`,
		Args:    cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	asksWhy(c)
	c.RunE = does(flags, operation.ArchivePartner, partnerNamed, func(c *cobra.Command, p operation.Partner) error {
		return say(c, "Partner %s is archived. To bring it back: sealane partner restore %s", p.ID, p.ID)
	})
	return c
}

func partnerRestore() *cobra.Command {
	c := &cobra.Command{
		Use: "restore PARTNER", Short: "Bring an archived partner back", Args: cobra.ExactArgs(1),
	}
	c.RunE = does(registryVerb(c), operation.RestorePartner, partnerNamed,
		func(c *cobra.Command, p operation.Partner) error { return say(c, "Partner %s is back.", p.ID) })
	return c
}

func partnerRemove() *cobra.Command {
	c := &cobra.Command{
		Use:   "remove PARTNER [ENVIRONMENT]",
		Short: "Remove a partner or an environment that was never used",
		Long: `Remove removes a partner with its environments, or one environment, if it was added by
mistake: no certificate, key pair, offer or API key was ever stored for it. One that was
used can be archived (sealane partner archive).`,
		Example: `  sealane partner remove amce --reason "a typo"
  sealane partner remove acme STAG --reason "there is only PROD"`,
		Args: cobra.RangeArgs(1, 2),
	}
	flags := registryVerb(c)
	asksWhy(c)
	whole := does(flags, operation.RemovePartner, partnerNamed, func(c *cobra.Command, p operation.PartnerName) error {
		return say(c, "Partner %s is removed.", p.Partner)
	})
	lane := func(_ *cobra.Command, args []string) (operation.LaneName, error) {
		return operation.LaneName{Partner: args[0], Environment: args[1]}, nil
	}
	one := does(flags, operation.RemoveEnvironment, lane, func(c *cobra.Command, l operation.LaneName) error {
		return say(c, "Environment %s of %s is removed.", l.Environment, l.Partner)
	})
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 2 {
			return one(c, args)
		}
		return whole(c, args)
	}
	return c
}
