package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func newAnswer() *cobra.Command {
	var in operation.ChallengeToOpen
	c := &cobra.Command{
		Use:   "answer FILE",
		Short: "Open a partner's challenge with your key pair",
		Long: `Answer opens the message that the partner's sealane challenge has written, and prints
its text. Send the text back. Answer opens nothing but a challenge.`,
		Args: cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	c.Flags().StringVar(&in.Partner, "partner", "", "who sent the challenge, if there are many key pairs")
	input := func(c *cobra.Command, args []string) (_ operation.ChallengeToOpen, err error) {
		in.Token, err = readInput(c, args[0], maxSecret)
		return in, err
	}
	c.RunE = does(flags, operation.Answer, input, func(c *cobra.Command, o operation.Opened) error {
		return say(c, "%s", o.Answer)
	})
	return c
}
