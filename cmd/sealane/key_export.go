package main

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/internal/registry"
)

func keyExport(flags *registryFlags) *cobra.Command {
	var format, out string
	c := &cobra.Command{
		Use: "export KEYPAIR", Short: "Write a private key out of the registry, encrypted; audited", Args: cobra.ExactArgs(1),
		Long: `Export writes a key pair's private key as encrypted PKCS #8, or with its certificate as
PKCS #12. The passphrase (--passphrase-file or $SEALANE_PASSPHRASE) must have at least
12 characters, and the reason goes into the audit log.`,
	}
	c.Flags().StringVar(&format, "to", "pkcs8", "pkcs8 or pkcs12")
	c.Flags().StringVar(&out, "out", "", "file to write (required)")
	must(c.MarkFlagRequired("out"))
	given := passphraseFlag(c)
	c.RunE = flags.withKeys(func(c *cobra.Command, d *registry.Session, args []string) error {
		passphrase, err := given()
		if err == nil {
			err = checkNew(out)
		}
		if err != nil {
			return err
		}
		file, err := d.ExportKeyPair(c.Context(), args[0], format, passphrase, flags.reason)
		if err != nil {
			return err
		}
		if err := newfile.Write(out, file, 0o600); err != nil {
			return err
		}
		return flags.said(c, map[string]string{"file": out}, "%s is written. It holds a private key: keep it, and its passphrase, apart.", out)
	})
	return c
}
