package command

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/keyfile"
)

func newCertConvert() *cobra.Command {
	var to, keyID string
	c := &cobra.Command{
		Use:   "convert FILE",
		Short: "Write a certificate in another format to standard output",
		Example: `  sealane cert convert --to pem provider.p7b > provider.pem
  sealane cert convert --to jwk --key-id provider-1 provider.cer`,
		Args: cobra.ExactArgs(1),
	}
	c.Flags().StringVar(&to, "to", "pem", "pem, der, p7b or jwk")
	c.Flags().StringVar(&keyID, "key-id", "", "key ID to write into a JWK (default: the RFC 7638 thumbprint)")
	c.RunE = func(c *cobra.Command, args []string) error {
		file, err := readCertificate(c, args[0])
		if err != nil {
			return err
		}
		data, err := convert(file, to, keyID)
		if err != nil {
			return err
		}
		_, err = c.OutOrStdout().Write(data)
		return err
	}
	return c
}

// convert returns the certificate, or its public key, in the format to.
func convert(file *keyfile.File, to, keyID string) ([]byte, error) {
	if to == "jwk" {
		if err := cert.CheckKey(file.PublicKey); err != nil {
			return nil, refused(err)
		}
		return keyfile.EncodeJWK(file.PublicKey,
			keyfile.JWKParams{KeyID: cmp.Or(keyID, cert.ThumbprintJWK(file.PublicKey))})
	}
	if len(file.Certificates) == 0 {
		return nil, refused(fmt.Errorf("the file is a %s: there is no certificate to write", file.Format))
	}
	switch leaf := file.Certificates[0]; to {
	case "pem":
		return cert.EncodePEM(leaf), nil
	case "der":
		return leaf.Raw, nil
	case "p7b":
		return keyfile.EncodePKCS7(leaf)
	}
	return nil, &exit{exitUsage, fmt.Errorf("--to %q is not pem, der, p7b or jwk", to)}
}
