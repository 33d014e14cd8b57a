package main

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/sealhttp"
)

func newSeal() *cobra.Command {
	c := &cobra.Command{
		Use:   "seal [FILE]",
		Short: "Sign and encrypt a payload for a partner",
		Long: `Seal reads a payload from FILE or standard input (up to 64 MiB) and writes the
sealed token. The payload is sealed byte for byte as it is.`,
		Example: `  sealane seal --profile riskos --key our.key --to provider.pem evaluation.json
  sealane seal --profile rdx --to issuer.pem --to-key-id 1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG risk.json
  echo '{"id":"1"}' | sealane seal --profile riskos --key our.key --to provider.pem --body`,
		Args: cobra.MaximumNArgs(1),
	}
	flags := addLaneFlags(c, "to", "the partner's certificate, in any format")
	side := c.Flags().String("side", "client", "which side you are: client sends requests, server sends answers")
	body := c.Flags().Bool("body", false, "write the whole HTTP body of the profile, not the bare token")
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
