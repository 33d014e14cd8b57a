package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

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
