package command

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

func exchangeReject(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "reject CERTIFICATE|KEYPAIR",
		Short: "End the exchange of a certificate, for a reason",
		Long: `Reject ends the exchange of a partner's certificate, at any step before it is in use.
For a key pair of yours that is on offer it withdraws the offer: the pair is retired.`,
		Args: cobra.ExactArgs(1),
	}
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		if err := exchange.New(s).Reject(c.Context(), args[0]); err != nil {
			return err
		}
		if isKeyPair(args[0]) {
			return flags.say(c, map[string]string{"retired": args[0]}, "Key pair %s is retired", args[0])
		}
		return flags.sayNext(c, s, args[0], "Certificate %s is rejected.", args[0])
	})
	return c
}

// isKeyPair tells the identity of a key pair from that of a certificate.
func isKeyPair(id string) bool { return strings.HasPrefix(id, "k-") }
