package command

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/internal/operation"
)

func newMail() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "mail IDENTITY",
		Short: "Write the mail that tells a partner that its new certificate counts",
		Long: `Mail writes the mail that was planned in a renewal, as a file that mail programs open
(.eml). Either the new certificate is used everywhere, and the partner may end the old
key; or the partner holds one certificate at a time, and may replace it from now on. The
mail is the same each time, and nothing is sent: send it, then record that (sealane
sent).`,
		Example: `  sealane mail n-4w7jr2kq5d --out acme.eml`,
		Args:    cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	c.Flags().StringVar(&out, "out", "", "file to write; it must not exist (default: standard output)")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := checkNew(out); err != nil {
			return err
		}
		write := func(c *cobra.Command, m operation.RenewalLetter) error { return writeMail(c, m, out) }
		return does(flags, operation.ConfirmationMail, renewalNamed, write)(c, args)
	}
	return c
}

// writeMail writes a mail to a file, and says what is to be done with it.
func writeMail(c *cobra.Command, m operation.RenewalLetter, out string) error {
	if out == "" {
		_, err := c.OutOrStdout().Write(m.Data)
		return err
	}
	if err := newfile.Write(out, m.Data, 0o644); err != nil {
		return err
	}
	to := "the partner: no contact has an address"
	if len(m.To) > 0 {
		to = strings.Join(m.To, ", ")
	}
	return say(c, "%s is written. Send it to %s.\nNext: record that it was sent\n  sealane sent %s", out,
		printable(to), m.Renewal)
}
