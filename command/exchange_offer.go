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
