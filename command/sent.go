package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func newSent() *cobra.Command {
	c := &cobra.Command{
		Use:   "sent IDENTITY",
		Short: "Record that you have sent a mail yourself",
		Long: `Sent records that you have sent a mail of the outbox yourself (sealane notice preview writes
it), or the mail which tells a partner that its new certificate counts (sealane mail writes
it). The old certificate can be retired only after that.`,
		Example: `  sealane sent n-4w7jr2kq5d
  sealane sent m-7k2m4q6z3x`,
		Args: cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	ofRenewal := does(flags, operation.ConfirmationSent, renewalNamed,
		func(c *cobra.Command, n operation.ShownRenewal) error {
			return writeRenewalStep(c, n, "It is recorded that %s was told about %s (renewal %s).", n.Partner,
				n.Successor, n.ID)
		})
	named := func(_ *cobra.Command, args []string) (operation.ID, error) { return operation.ID{ID: args[0]}, nil }
	ofMail := does(flags, operation.MailSent, named, func(c *cobra.Command, m operation.Mail) error {
		return say(c, "It is recorded that mail %s was sent to %s.", m.ID, printable(m.To))
	})
	c.RunE = func(c *cobra.Command, args []string) error {
		if operation.IsMail(args[0]) {
			return ofMail(c, args)
		}
		return ofRenewal(c, args)
	}
	return c
}
