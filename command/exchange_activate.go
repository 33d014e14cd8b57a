package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

func exchangeActivate(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "activate CERTIFICATE|KEYPAIR",
		Short: "Use an approved certificate, or a key pair that the partner has installed",
		Long: `Activate makes a partner's approved certificate the one in use. For a key pair of
yours it records that the partner has installed its certificate. What was active
before goes on opening and verifying (retiring).`,
		Args: cobra.ExactArgs(1),
	}
	partner := c.Flags().String("partner", "",
		"who has installed it, for a key pair that is for all partners of a profile")
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		if isKeyPair(args[0]) {
			at := exchange.Target{KeyPair: args[0], Partner: *partner}
			if err := exchange.New(s).MarkInstalled(c.Context(), at); err != nil {
				return err
			}
			return flags.say(c, map[string]string{"active": args[0]}, "Key pair %s is active", args[0])
		}
		if err := exchange.New(s).Activate(c.Context(), args[0]); err != nil {
			return err
		}
		return flags.sayNext(c, s, args[0], "Certificate %s is active.", args[0])
	})
	return c
}
