package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/internal/operation"
)

func newChallenge() *cobra.Command {
	var out string
	var in operation.ChallengeRequest
	c := &cobra.Command{
		Use:   "challenge CERTIFICATE",
		Short: "Write a message that only the certificate's owner can open",
		Long: `Challenge encrypts a random text to a certificate that is not approved yet. The partner
opens it with any JOSE tool (with Sealane: sealane answer) and sends the text back, for:
sealane prove. That proves that they have the private key.`,
		Args: cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	c.Flags().StringVar(&out, "out", "", "file to write (default: standard output)")
	c.Flags().BoolVar(&in.Again, "again", false, "replace an earlier challenge, whose answer will no longer count")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := checkNew(out); err != nil {
			return err
		}
		in.Certificate = args[0]
		return flags.session(c, func(s *operation.Session) error {
			token, err := operation.Challenge.Do(c.Context(), s, in)
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
	}
	return c
}
