package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/sealhttp"
)

func newSeal() *cobra.Command {
	c := &cobra.Command{
		Use:   "seal [FILE]",
		Short: "Sign and encrypt a payload for a partner",
		Long: `Seal reads a payload of up to 64 MiB from FILE or standard input, and writes the
sealed token. The payload's bytes are not changed.`,
		Example: `  sealane seal --profile riskos --key our.key --to provider.pem evaluation.json
  sealane seal --profile rdx --to issuer.pem \
      --to-key-id 1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG risk.json
  echo '{"id":"1"}' | sealane seal --profile riskos --key our.key --to provider.pem --body`,
		Args: cobra.MaximumNArgs(1),
	}
	flags := addLaneFlags(c, "to", "the partner's certificate, in any format")
	flags.opensNothing = true
	side := c.Flags().String("side", "client", "your side: client sends requests, server sends answers")
	body := c.Flags().Bool("body", false, "write the HTTP body, as the profile has it, and not only the token")
	c.RunE = func(c *cobra.Command, args []string) error {
		lane, err := flags.laneOf(c.Context(), *side)
		if err != nil {
			return err
		}
		payload, err := readInput(c, first(args), maxInput)
		if err != nil {
			return err
		}
		token, err := lane.Seal(c.Context(), payload)
		if err != nil {
			return judged(err)
		}
		if *body {
			token = sealhttp.WrapToken(token, lane.Outbound())
		}
		_, err = c.OutOrStdout().Write(append(token, '\n'))
		return err
	}
	return c
}
