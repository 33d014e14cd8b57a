package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

func exchangeStage(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "stage CERTIFICATE",
		Short: "Let an approved certificate verify, but go on encrypting to the one before it",
		Long: `Stage is for a renewal without a fixed day: what the partner signs with the new key is
verified from now on, but messages are encrypted to the old one until sealane exchange
activate.`,
		Args: cobra.ExactArgs(1),
	}
	const said = "Certificate %s is staged."
	c.RunE = flags.withStep(said, func(c *cobra.Command, x exchange.Exchange, args []string) error {
		return x.Stage(c.Context(), args[0])
	})
	return c
}

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

func exchangeRetire(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "retire CERTIFICATE",
		Short: "End the use of a partner's certificate that is replaced, expired, or the last",
		Long: `Retire ends the use of a partner's certificate that another has replaced, or that has
expired. An active one ends only with --last: after that nothing can be sealed to the
partner, or verified, in that environment.`,
		Args: cobra.ExactArgs(1),
	}
	last := c.Flags().Bool("last", false, "no other is to follow: end the lane with this partner")
	const said = "Certificate %s is out of use."
	c.RunE = flags.withStep(said, func(c *cobra.Command, x exchange.Exchange, args []string) error {
		return x.Retire(c.Context(), args[0], *last)
	})
	return c
}

func exchangeCompromised(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "compromised CERTIFICATE",
		Short: "End the use of a partner's certificate at once, and block its key",
		Args:  cobra.ExactArgs(1),
	}
	const said = "Certificate %s is out of use, and its key is blocked."
	c.RunE = flags.withStep(said, func(c *cobra.Command, x exchange.Exchange, args []string) error {
		return x.Compromised(c.Context(), args[0])
	})
	return c
}
