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
