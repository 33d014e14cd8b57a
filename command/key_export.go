package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/internal/operation"
)

func keyExport() *cobra.Command {
	var x operation.KeyExport
	var out string
	c := &cobra.Command{
		Use:   "export KEYPAIR",
		Short: "Write a private key from the registry to a file, encrypted; audited",
		Long: `Export writes a key pair's private key as encrypted PKCS #8, or with its certificate as
PKCS #12. The passphrase (--passphrase-file or $SEALANE_PASSPHRASE) must have at least
14 bytes. The reason goes into the audit log. For the certificate alone, see
sealane export.`,
		Example: `  sealane key export k-5n3w2p7r4t --to pkcs12 --out key.p12 --passphrase-file pass.txt \
      --reason "moves to the HSM, CHG-4711"`,
		Args: cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	asksWhy(c)
	c.Flags().StringVar(&x.Format, "to", "pkcs8", "pkcs8 or pkcs12")
	c.Flags().StringVar(&out, "out", "", "file to write; it must not exist (required)")
	must(c.MarkFlagRequired("out"))
	passphrase := passphraseFlag(c)
	input := func(c *cobra.Command, args []string) (_ operation.KeyExport, err error) {
		x.KeyPair = args[0]
		x.Deliver = func(file []byte) error { return newfile.Write(out, file, 0o600) }
		if x.Passphrase, err = passphrase(); err != nil {
			return x, err
		}
		return x, checkNew(out)
	}
	c.RunE = does(flags, operation.ExportKey, input, func(c *cobra.Command, _ operation.None) error {
		return say(c, "%s is written. It has a private key: keep it apart from its passphrase.", out)
	})
	return c
}
