package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func newSent() *cobra.Command {
	c := &cobra.Command{
		Use:   "sent IDENTITY",
		Short: "Record that you have sent the mail about a new certificate",
		Long: `Sent records that the mail was sent which tells a partner that its new certificate
counts (sealane mail writes it). The old certificate can be retired only after that.`,
		Example: `  sealane sent n-4w7jr2kq5d`,
		Args:    cobra.ExactArgs(1),
	}
	c.RunE = does(registryVerb(c), operation.ConfirmationSent, renewalNamed,
		func(c *cobra.Command, n operation.ShownRenewal) error {
			return writeRenewalStep(c, n, "It is recorded that %s was told about %s (renewal %s).", n.Partner,
				n.Successor, n.ID)
		})
	return c
}
