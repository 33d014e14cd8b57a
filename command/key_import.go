package command

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/keyfile"
)

func keyImport(flags *registryFlags) *cobra.Command {
	var n registry.NewPair
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
	addPairFlags(c, &n)
	c.Flags().StringVar(&certificate, "certificate", "", "the key's certificate, if FILE has none")
	passphrase := passphraseFlag(c)
	c.RunE = flags.withKeys(func(c *cobra.Command, s *registry.Session, args []string) error {
		if err := setProfile(c, s, &n); err != nil {
			return err
		}
		data, err := readInput(c, args[0], keyfile.MaxSize)
		if err != nil {
			return err
		}
		defer clear(data)
		key, info, err := keyfile.ParsePrivateAsk(data, askPassphrase(c, passphrase))
		if err != nil {
			return err
		}
		chain := info.Certificates
		if certificate != "" {
			file, err := readCertificate(c, certificate)
			if err != nil {
				return err
			}
			chain = file.Certificates
		}
		if n.KeyID == "" {
			n.KeyID = info.KeyID
		}
		k, made, err := s.ImportKeyPair(c.Context(), n, key, chain)
		if err != nil {
			return err
		}
		return flags.say(c, map[string]any{"key_pair": k, "certificate": made.ID},
			"Key pair %s is imported; its certificate is valid until %s.\n"+
				"If the partner has it installed already: sealane exchange activate %s",
			k.ID, made.NotAfter.Format(time.DateOnly), k.ID)
	})
	return c
}
