package main

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/keyfile"
)

func keyImport(flags *registryFlags) *cobra.Command {
	var n registry.NewPair
	var certificate string
	c := &cobra.Command{
		Use: "import FILE", Short: "Take a key pair that was made elsewhere into the registry", Args: cobra.ExactArgs(1),
		Long: `Import reads a private key (PKCS #8, PKCS #1, PKCS #12 or JWK) and its certificate
(--certificate, or from the PKCS #12). The files are left as they are: destroy them
when you have seen that the import works.`,
		Example: `  sealane key import old.key --certificate old.pem --partner vcas --env PROD --key-id 1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-PROD`,
	}
	pairFlags(c, &n)
	c.Flags().StringVar(&certificate, "certificate", "", "the key's certificate, where the file has none")
	given := passphraseFlag(c)
	c.RunE = flags.withKeys(func(c *cobra.Command, d *registry.Session, args []string) error {
		if err := profileOf(c, d, &n); err != nil {
			return err
		}
		data, err := readInput(c, args[0], keyfile.MaxSize)
		if err != nil {
			return err
		}
		key, info, err := keyfile.ParsePrivateAsk(data, askPassphrase(c, given))
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
		k, made, err := d.ImportKeyPair(c.Context(), n, key, chain, flags.reason)
		if err != nil {
			return err
		}
		return flags.said(c, map[string]any{"key_pair": k, "certificate": made.ID}, "Key pair %s is imported; its certificate is valid until %s.\nIf the partner has it installed already: sealane exchange activate %s", k.ID, made.NotAfter.Format("2006-01-02"), k.ID)
	})
	return c
}
