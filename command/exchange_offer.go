package command

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/keydir"
	"github.com/sealane/sealane/internal/registry"
)

func exchangeOffer(flags *registryFlags) *cobra.Command {
	var to, out string
	c := &cobra.Command{
		Use:   "offer KEYPAIR",
		Short: "Write your certificate, the covering letter, and the letter with the checksum",
		Long: `Offer writes two folders: 1-send, with your certificate in the formats that partners
take and a covering letter; and 2-send-separately, with the letter that has the SHA-256
checksums. Send them by two messages. There is no private key in them.`,
		Args: cobra.ExactArgs(1),
	}
	c.Flags().StringVar(&to, "to", "", "the partner (required)")
	c.Flags().StringVar(&out, "out", "", "folder to write (required)")
	must(c.MarkFlagRequired("to"))
	must(c.MarkFlagRequired("out"))
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		offer, err := exchange.New(s).Offer(c.Context(), exchange.Target{KeyPair: args[0], Partner: to})
		if err != nil {
			return err
		}
		if err := keydir.WriteOffer(out, offer); err != nil {
			return err
		}
		return flags.say(c, map[string]string{"folder": out},
			"%s and %s are written. Send them by two messages.\nNext: sealane exchange status %s",
			filepath.Join(out, keydir.SendFolder), filepath.Join(out, keydir.SendSeparatelyFolder), to)
	})
	return c
}

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
