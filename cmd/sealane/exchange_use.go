package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

func exchangeStage(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use: "stage CERTIFICATE", Short: "Let an approved certificate verify already, and go on encrypting to the one before it", Args: cobra.ExactArgs(1),
		Long: `Stage is for a renewal whose day is not known: what the partner signs with the new key
is verified from now on, and messages are encrypted to the old one until exchange activate.`,
	}
	c.RunE = flags.withSession(func(c *cobra.Command, d *registry.Session, args []string) error {
		if err := exchange.New(d).Stage(c.Context(), args[0], flags.reason); err != nil {
			return err
		}
		return flags.done(c, d, args[0], "Certificate %s is staged.", args[0])
	})
	return c
}

func exchangeActivate(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use: "activate CERTIFICATE|KEYPAIR", Short: "Put an approved certificate, or a key pair that the partner has installed, to use", Args: cobra.ExactArgs(1),
		Long: `Activate puts a partner's approved certificate to use. For a key pair of yours it says
that the partner has installed its certificate. What was active before goes on
opening and verifying (retiring).`,
	}
	partner := c.Flags().String("partner", "", "who has installed it, for a key pair that is for all partners of a profile")
	c.RunE = flags.withSession(func(c *cobra.Command, d *registry.Session, args []string) error {
		if strings.HasPrefix(args[0], "k-") {
			if err := exchange.New(d).MarkInstalled(c.Context(), args[0], *partner, flags.reason); err != nil {
				return err
			}
			return flags.said(c, map[string]string{"active": args[0]}, "Key pair %s is active", args[0])
		}
		if err := exchange.New(d).Activate(c.Context(), args[0], flags.reason); err != nil {
			return err
		}
		return flags.done(c, d, args[0], "Certificate %s is active.", args[0])
	})
	return c
}

func exchangeRetire(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use: "retire CERTIFICATE", Short: "End the use of a partner's certificate that another has followed, that has expired, or that was the last", Args: cobra.ExactArgs(1),
		Long: `Retire ends the use of a partner's certificate that another has followed, or that has
expired. One that is active ends only with --last: after that nothing can be sealed to
the partner, or verified, in that environment.`,
	}
	last := c.Flags().Bool("last", false, "none is to follow: end the lane with this partner")
	c.RunE = flags.withSession(func(c *cobra.Command, d *registry.Session, args []string) error {
		if err := exchange.New(d).Retire(c.Context(), args[0], flags.reason, *last); err != nil {
			return err
		}
		return flags.done(c, d, args[0], "Certificate %s is out of use.", args[0])
	})
	return c
}

func exchangeCompromised(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{Use: "compromised CERTIFICATE", Short: "Take a partner's certificate out of use at once, and block its key", Args: cobra.ExactArgs(1)}
	c.RunE = flags.withSession(func(c *cobra.Command, d *registry.Session, args []string) error {
		if err := exchange.New(d).Compromised(c.Context(), args[0], flags.reason); err != nil {
			return err
		}
		return flags.done(c, d, args[0], "Certificate %s is out of use, and its key is blocked.", args[0])
	})
	return c
}
