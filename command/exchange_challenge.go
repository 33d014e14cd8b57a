package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/internal/registry"
)

func exchangeChallenge(flags *registryFlags) *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "challenge CERTIFICATE",
		Short: "Write a message that only the certificate's owner can open",
		Long: `Challenge encrypts a random text to a certificate that is not approved yet. The partner
opens it with any JOSE tool (with Sealane: sealane exchange answer) and sends the text
back, for: sealane exchange prove. That proves that they have the private key.`,
		Args: cobra.ExactArgs(1),
	}
	c.Flags().StringVar(&out, "out", "", "file to write (default: standard output)")
	again := c.Flags().Bool("again", false, "replace an earlier challenge, whose answer will no longer count")
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		if err := checkNew(out); err != nil {
			return err
		}
		token, err := exchange.New(s).Challenge(c.Context(), args[0], *again)
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
		Use:   "answer FILE",
		Short: "Open a partner's challenge with your key pair",
		Long: `Answer opens what the partner's sealane exchange challenge has written, and prints its
text. Send the text back. Answer opens nothing but a challenge.`,
		Args: cobra.ExactArgs(1),
	}
	partner := c.Flags().String("partner", "", "who sent the challenge, if there are many key pairs")
	c.RunE = flags.withKeys(func(c *cobra.Command, s *registry.Session, args []string) error {
		token, err := readInput(c, args[0], maxSecret)
		if err != nil {
			return err
		}
		answer, err := exchange.New(s).Answer(c.Context(), token, *partner)
		if err != nil {
			return err
		}
		return flags.say(c, map[string]string{"answer": answer}, "%s", answer)
	})
	return c
}

func exchangeProve(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "prove CERTIFICATE ANSWER",
		Short: "Check the partner's answer to the challenge",
		Args:  cobra.ExactArgs(2),
	}
	const said = "The answer is right: the partner has the private key of %s."
	c.RunE = flags.withStep(said, func(c *cobra.Command, x exchange.Exchange, args []string) error {
		return x.Prove(c.Context(), exchange.Proof{Certificate: args[0], Answer: args[1]})
	})
	return c
}
