package main

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/kms"
)

func newKeyConvert() *cobra.Command {
	var to, out, keyID, certFile, outPassphrase string
	c := &cobra.Command{
		Use:   "convert KEY",
		Short: "Write a private key as PKCS #8, PKCS #12 or JWK",
		Long: `Convert reads a private key in any format (PKCS #8, encrypted PKCS #8, PKCS #1,
PKCS #12, JWK). It writes the key in another format to a new file, which only you can
read.`,
		Example: `  sealane key convert --to pkcs12 --cert bank.pem --out bank.p12 --out-passphrase-file pass bank.key
  sealane key convert --to jwk --key-id our-key --out our.jwk our.key`,
		Args: cobra.ExactArgs(1),
	}
	f := c.Flags()
	f.StringVar(&to, "to", "pkcs8", "pkcs8, pkcs12 or jwk")
	f.StringVar(&out, "out", "", "file to write; it must not exist (required)")
	f.StringVar(&keyID, "key-id", "", "key ID to write into a JWK")
	f.StringVar(&certFile, "cert", "", "certificate to put into a PKCS #12")
	f.StringVar(&outPassphrase, "out-passphrase-file", "", "file with the passphrase of the new file")
	passphrase := passphraseFlag(c)
	must(c.MarkFlagRequired("out"))
	c.RunE = func(c *cobra.Command, args []string) error {
		opened, err := kms.Open(c.Context(), args[0], kms.Options{Passphrase: askPassphrase(c, passphrase), Warn: warnTo(c)})
		if err != nil {
			return err
		}
		key, ok := opened.Private.(*rsa.PrivateKey)
		if !ok {
			return fmt.Errorf("key %s stays in its key store, and cannot be written to a file", args[0])
		}
		secret := ""
		if outPassphrase != "" {
			if secret, err = secretFile(c, outPassphrase); err != nil {
				return err
			}
		}
		var data []byte
		switch to {
		case "pkcs8":
			data, err = keyfile.EncodePrivate(key, []byte(secret))
		case "jwk":
			if secret != "" {
				return &exit{exitUsage, errors.New(
					"a JWK cannot be encrypted: leave --out-passphrase-file off, or choose another format")}
			}
			data, err = keyfile.EncodePrivateJWK(key, keyID, "")
		case "pkcs12":
			chain := opened.Certificates
			if certFile != "" {
				file, err := readCertificate(c, certFile)
				if err != nil {
					return err
				}
				chain = file.Certificates
			}
			data, err = encodePKCS12(key, chain, secret)
		default:
			return &exit{exitUsage, fmt.Errorf("--to %q is not pkcs8, pkcs12 or jwk", to)}
		}
		if err != nil {
			return err
		}
		defer clear(data)
		return newfile.Write(out, data, 0o600)
	}
	return c
}

func encodePKCS12(key *rsa.PrivateKey, chain []*x509.Certificate, passphrase string) ([]byte, error) {
	switch {
	case passphrase == "":
		return nil, &exit{exitUsage, errors.New("a PKCS #12 needs a passphrase: give --out-passphrase-file")}
	case len(chain) == 0:
		return nil, &exit{exitUsage, errors.New("a PKCS #12 needs a certificate: give --cert")}
	case !key.PublicKey.Equal(chain[0].PublicKey):
		return nil, refused(errors.New("the certificate does not belong to the key"))
	}
	return keyfile.EncodePKCS12(key, chain, []byte(passphrase))
}
