package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/keyfile"
)

func keyImport() *cobra.Command {
	var n operation.ImportedPair
	var certificate string
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Import a key pair that was made elsewhere into the registry",
		Long: `Import reads a private key (PKCS #8, PKCS #1, PKCS #12 or JWK) and its certificate
(from --certificate, or from the PKCS #12). It does not change the files: destroy them
when you have seen that the import works.`,
		Example: `  sealane key import old.key --certificate old.pem --partner vcas --env PROD \
      --key-id 1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-PROD`,
		Args: cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	pairFlags(c, &n.NewPair)
	c.Flags().StringVar(&certificate, "certificate", "", "the key's certificate, if FILE has none")
	c.Flags().StringSliceVar(&n.Installed, "installed", nil,
		"partners who have its certificate already, for a pair that they share (comma-separated)")
	passphrase := passphraseFlag(c)
	input := func(c *cobra.Command, args []string) (operation.ImportedPair, error) {
		if err := checkPairFlags(n.NewPair); err != nil {
			return n, err
		}
		data, err := readInput(c, args[0], keyfile.MaxSize)
		if err != nil {
			return n, err
		}
		defer clear(data)
		key, info, err := keyfile.ParsePrivateAsk(data, askPassphrase(c, passphrase))
		if err != nil {
			return n, refused(err)
		}
		n.Key, n.Chain = key, info.Certificates
		if certificate != "" {
			file, err := readCertificate(c, certificate)
			if err != nil {
				return n, err
			}
			n.Chain = file.Certificates
		}
		if n.KeyID == "" {
			n.KeyID = info.KeyID
		}
		return n, nil
	}
	c.RunE = does(flags, operation.ImportKey, input, func(c *cobra.Command, made operation.MadePair) error {
		return say(c, "Key pair %s is imported; its certificate is valid until %s.\n"+
			"If a partner has it installed already: sealane installed %s",
			made.KeyPair.ID, dateText(made.Certificate.NotAfter), made.KeyPair.ID)
	})
	return c
}
