package command

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func newChecksum() *cobra.Command {
	c := &cobra.Command{
		Use:        "checksum CERTIFICATE SHA256…",
		Short:      "Compare the checksum of the partner's second message",
		SuggestFor: []string{"confirm", "match", "verify"},
		Long: `Checksum compares the SHA-256 of the partner's second message with those of the file as
it was received, of the certificate (DER), and of its PEM with either line ending, and
says which one it is. The checksum may have colons, blanks or neither, be base64, or be
the whole line of openssl or sha256sum. It must have come by another message than the
certificate.`,
		Example: `  sealane checksum c-7k2m4q6z3x 3A:1F:…:9C`,
		Args:    cobra.MinimumNArgs(2),
	}
	flags := registryVerb(c)
	input := func(_ *cobra.Command, args []string) (operation.Comparison, error) {
		return operation.Comparison{Certificate: args[0], Checksum: strings.Join(args[1:], " ")}, nil
	}
	c.RunE = does(flags, operation.Checksum, input, func(c *cobra.Command, m operation.Matched) error {
		return writeStep(c, m.Step, "The checksum matches: %s.", m.As)
	})
	return c
}
