package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/internal/registry"
)

func keyExport(flags *registryFlags) *cobra.Command {
	var format, out string
	c := &cobra.Command{
		Use:   "export KEYPAIR",
		Short: "Write a private key from the registry to a file, encrypted; audited",
		Long: `Export writes a key pair's private key as encrypted PKCS #8, or with its certificate as
PKCS #12. The passphrase (--passphrase-file or $SEALANE_PASSPHRASE) must have at least
12 characters. The reason goes into the audit log.`,
		Args: cobra.ExactArgs(1),
	}
	c.Flags().StringVar(&format, "to", "pkcs8", "pkcs8 or pkcs12")
	c.Flags().StringVar(&out, "out", "", "file to write; it must not exist (required)")
	must(c.MarkFlagRequired("out"))
	passphrase := passphraseFlag(c)
	c.RunE = flags.withKeys(func(c *cobra.Command, s *registry.Session, args []string) error {
		given, err := passphrase()
		if err != nil {
			return err
		}
		if err := checkNew(out); err != nil {
			return err
		}
		x := registry.KeyPairExport{KeyPair: args[0], Format: format, Passphrase: given}
		file, err := s.ExportKeyPair(c.Context(), x)
		if err != nil {
			return err
		}
		if err := newfile.Write(out, file, 0o600); err != nil {
			return err
		}
		return flags.say(c, map[string]string{"file": out},
			"%s is written. It holds a private key: keep it apart from its passphrase.", out)
	})
	return c
}
