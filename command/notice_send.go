package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/termtext"
)

func noticeSend() *cobra.Command {
	var partner string
	c := &cobra.Command{
		Use:   "send LETTER IDENTITY",
		Short: "Put a letter about a certificate into the outbox",
		Long: `Send puts a letter about a certificate into the outbox, once for each of the partner's
primary contacts. The schedule sends it. The letters are:

  offer     your certificate, as text
  checksum  its checksum; a second message, so that nobody can forge both in one
  alias     the key ID (alias) that the partner's certificate has with you
  rejected  why the partner's certificate is not used

The letters "ready" and "installed" about a new certificate are put there by the schedule.`,
		Example: `  sealane notice send offer k-7k2m4q6z3x
  sealane notice send checksum k-7k2m4q6z3x
  sealane notice send rejected c-4w7jr2kq5d`,
		Args: cobra.ExactArgs(2),
	}
	flags := registryVerb(c)
	c.Flags().StringVar(&partner, "partner", "", "the partner, where several share the key pair")
	input := func(_ *cobra.Command, args []string) (operation.NoticeLetter, error) {
		return operation.NoticeLetter{Kind: operation.NoticeKind(args[0]), ID: args[1], Partner: partner}, nil
	}
	c.RunE = does(flags, operation.PlanLetter, input, func(c *cobra.Command, out operation.PlannedLetters) error {
		if err := say(c, "%s in the outbox.", termtext.Counted(len(out.Mails), "letter")); err != nil {
			return err
		}
		for _, m := range out.Mails {
			if err := say(c, "  %s to %s", m.ID, printable(m.To)); err != nil {
				return err
			}
		}
		return say(c, "Next: the schedule sends them; look at them first\n  sealane notice preview %s",
			out.Mails[0].ID)
	})
	return c
}
