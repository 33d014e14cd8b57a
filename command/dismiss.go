package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func newDismiss() *cobra.Command {
	c := &cobra.Command{
		Use:   "dismiss IDENTITY",
		Short: "Record that an alarm about a key in use is unfounded",
		Long: `Dismiss ends the alarm about a partner's certificate, or about a key pair of yours, that
sealane status shows. Somebody sent a private key that is, or may be, the one of that
certificate. Call the owner first. If the key may be known to others, revoke it instead.

A key that was blocked by the alarm stays blocked for certificates that come in.`,
		Example: `  sealane dismiss c-7k2m4q6z3x --reason "Eva Lind at Acme: they did not send that mail"`,
		Args:    cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	asksWhy(c)
	c.RunE = does(flags, operation.Dismiss, identity, func(c *cobra.Command, s operation.Step) error {
		return writeStep(c, s, "The alarm about %s is dismissed.", s.ID)
	})
	return c
}
