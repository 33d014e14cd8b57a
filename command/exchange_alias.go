package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

func exchangeAlias(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "alias CERTIFICATE|KEYPAIR KEYID",
		Short: "Assign a key ID (alias), or record the one that the partner assigned",
		Long: `For a partner's certificate, alias assigns the key ID that your messages to the partner
will carry, in the profile's form. For a key pair of yours it records the one that the
partner told you. If that has not the profile's form, confirm it with --as-is.

A key ID is unique in its environment. A renewal of the same size may have that of the
certificate before.`,
		Example: `  sealane exchange alias k-7k2m4q6z3x 1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG`,
		Args:    cobra.ExactArgs(2),
	}
	replace := c.Flags().String("replace", "", "the present key ID, to replace it")
	asIs := c.Flags().Bool("as-is", false,
		"the partner has really written this key ID, in another form than the profile's")
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		to := exchange.KeyIDChange{ID: args[0], KeyID: args[1], Replace: *replace, AsIs: *asIs}
		if err := exchange.New(s).SetKeyID(c.Context(), to); err != nil {
			return err
		}
		value := map[string]string{"of": args[0], "key_id": args[1]}
		return flags.say(c, value, "The key ID of %s is %s", args[0], args[1])
	})
	return c
}
