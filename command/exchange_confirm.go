package command

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

func exchangeConfirm(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "confirm CERTIFICATE CHECKSUM…",
		Short: "Compare the SHA-256 of the partner's second message",
		Long: `Confirm compares the checksum with those of the file as it was received, of the
certificate (DER), and of its PEM with either line ending, and says which one it is.
The checksum may have colons, blanks or neither, be base64, or be the whole line of
openssl or sha256sum. It must have come by another message than the certificate.`,
		Args: cobra.MinimumNArgs(2),
	}
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		of := exchange.Comparison{Certificate: args[0], Checksum: strings.Join(args[1:], " ")}
		matched, err := exchange.New(s).MatchChecksum(c.Context(), of)
		if err != nil {
			return err
		}
		return flags.sayNext(c, s, args[0], "The checksum matches: %s.", matched)
	})
	return c
}
