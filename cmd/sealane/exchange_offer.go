package main

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
		Use: "offer KEYPAIR", Short: "Write your certificate, the covering letter, and the letter with the checksum", Args: cobra.ExactArgs(1),
		Long: `Offer writes two folders: 1-send, with your certificate in the formats that partners
take and a covering letter; and 2-send-separately, with the letter that holds the
SHA-256 checksums. Send them by two messages. No private key is in them.`,
	}
	c.Flags().StringVar(&to, "to", "", "the partner (required)")
	c.Flags().StringVar(&out, "out", "", "folder to write (required)")
	must(c.MarkFlagRequired("to"))
	must(c.MarkFlagRequired("out"))
	c.RunE = flags.withSession(func(c *cobra.Command, d *registry.Session, args []string) error {
		parcel, err := exchange.New(d).Offer(c.Context(), args[0], to, flags.reason)
		if err != nil {
			return err
		}
		if err := keydir.WriteOffer(out, parcel); err != nil {
			return err
		}
		return flags.said(c, map[string]string{"folder": out}, "%s and %s are written. Send them by two messages.\nNext: sealane exchange status %s",
			filepath.Join(out, keydir.SendFolder), filepath.Join(out, keydir.SendSeparatelyFolder), to)
	})
	return c
}

func exchangeAlias(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use: "alias CERTIFICATE|KEYPAIR KEYID", Short: "Assign a key ID (alias), or record the one that the partner assigned", Args: cobra.ExactArgs(2),
		Long: `For a partner's certificate, alias assigns the key ID that your messages to them will
carry; its form is the profile's. For a key pair of yours it records the one that the
partner told you, as it is (--as-is, where it has not the profile's form). A key ID is unique in its environment; a renewal of the
same size may have that of the certificate before.`,
		Example: `  sealane exchange alias k-7k2m4q6z3x 1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG`,
	}
	replace := c.Flags().String("replace", "", "the key ID that it has now, to replace it")
	asIs := c.Flags().Bool("as-is", false, "the partner's key ID is not in the profile's form, and is what they wrote")
	c.RunE = flags.withSession(func(c *cobra.Command, d *registry.Session, args []string) error {
		name := exchange.New(d).Alias
		if *asIs {
			name = exchange.New(d).AliasAsIs
		}
		if err := name(c.Context(), args[0], args[1], *replace, flags.reason); err != nil {
			return err
		}
		return flags.said(c, map[string]string{"of": args[0], "key_id": args[1]}, "The key ID of %s is %s", args[0], args[1])
	})
	return c
}
