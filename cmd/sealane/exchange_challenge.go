package main

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/internal/registry"
)

func exchangeChallenge(flags *registryFlags) *cobra.Command {
	var out string
	c := &cobra.Command{
		Use: "challenge CERTIFICATE", Short: "Write a message that only the certificate's owner can open", Args: cobra.ExactArgs(1),
		Long: `Challenge seals a random text to a certificate that is not approved yet. The partner
opens it with any JOSE tool (sealane exchange answer, where they have Sealane) and sends
the text back, for: sealane exchange prove. It proves that they have the private key.`,
	}
	c.Flags().StringVar(&out, "out", "", "file to write (default: standard output)")
	again := c.Flags().Bool("again", false, "make another, though one is out: its answer counts no more")
	c.RunE = flags.withSession(func(c *cobra.Command, d *registry.Session, args []string) error {
		if err := checkNew(out); err != nil {
			return err
		}
		token, err := exchange.New(d).Challenge(c.Context(), args[0], *again, flags.reason)
		if err != nil {
			return err
		}
		token = append(token, '\n')
		if out == "" {
			_, err = c.OutOrStdout().Write(token)
			return err
		}
		return newfile.Write(out, token, 0o644)
	})
	return c
}

func exchangeAnswer(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use: "answer FILE", Short: "Open a partner's challenge with your key pair, for the text that proves it", Args: cobra.ExactArgs(1),
		Long: `Answer opens what a partner's sealane exchange challenge has written, and prints the
text in it. Send it back. Nothing but a challenge is opened.`,
	}
	partner := c.Flags().String("partner", "", "whose challenge it is, where there are many key pairs")
	c.RunE = flags.withKeys(func(c *cobra.Command, d *registry.Session, args []string) error {
		token, err := readInput(c, args[0], 64<<10)
		if err != nil {
			return err
		}
		answer, err := exchange.New(d).Answer(c.Context(), token, *partner, flags.reason)
		if err != nil {
			return err
		}
		return flags.said(c, map[string]string{"answer": answer}, "%s", answer)
	})
	return c
}

func exchangeProve(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{Use: "prove CERTIFICATE ANSWER", Short: "Take the partner's answer to the challenge", Args: cobra.ExactArgs(2)}
	c.RunE = flags.withSession(func(c *cobra.Command, d *registry.Session, args []string) error {
		if err := exchange.New(d).Prove(c.Context(), args[0], args[1], flags.reason); err != nil {
			return err
		}
		return flags.done(c, d, args[0], "The answer is right: the partner has the private key of %s.", args[0])
	})
	return c
}
