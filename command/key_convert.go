package command

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

// keyConvertFlags are the flags of key convert.
type keyConvertFlags struct {
	c                           *cobra.Command
	to, out                     string
	keyID, certFile, secretFile string
	passphrase                  func() ([]byte, error) // of the key that is read
}

func newKeyConvert() *cobra.Command {
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
	flags := &keyConvertFlags{c: c, passphrase: passphraseFlag(c)}
	f := c.Flags()
	f.StringVar(&flags.to, "to", "pkcs8", "pkcs8, pkcs12 or jwk")
	f.StringVar(&flags.out, "out", "", "file to write; it must not exist (required)")
	f.StringVar(&flags.keyID, "key-id", "", "key ID to write into a JWK")
	f.StringVar(&flags.certFile, "cert", "", "certificate to put into a PKCS #12")
	f.StringVar(&flags.secretFile, "out-passphrase-file", "", "file with the passphrase of the new file")
	must(c.MarkFlagRequired("out"))
	c.RunE = flags.run
	return c
}

func (f *keyConvertFlags) run(c *cobra.Command, args []string) error {
	options := kms.Options{Passphrase: askPassphrase(c, f.passphrase), Warn: warnTo(c)}
	opened, err := kms.Open(c.Context(), args[0], options)
	if err != nil {
		return err
	}
	key, ok := opened.Private.(*rsa.PrivateKey)
	if !ok {
		return fmt.Errorf("key %s stays in its key store, and cannot be written to a file", kms.Name(args[0]))
	}
	secret := ""
	if f.secretFile != "" {
		if secret, err = secretFile(c, f.secretFile); err != nil {
			return err
		}
	}
	data, err := f.encode(key, opened.Certificates, secret)
	if err != nil {
		return err
	}
	defer clear(data)
	return newfile.Write(f.out, data, 0o600)
}

// encode returns the key in the format --to.
func (f *keyConvertFlags) encode(key *rsa.PrivateKey, chain []*x509.Certificate, passphrase string) ([]byte, error) {
	switch f.to {
	case "pkcs8":
		return keyfile.EncodePrivate(key, []byte(passphrase))
	case "jwk":
		if passphrase != "" {
			return nil, &exit{exitUsage, errors.New(
				"a JWK cannot be encrypted: leave --out-passphrase-file off, or choose another format")}
		}
		return keyfile.EncodePrivateJWK(key, keyfile.JWKParams{KeyID: f.keyID})
	case "pkcs12":
		return f.encodePKCS12(key, chain, passphrase)
	}
	return nil, &exit{exitUsage, fmt.Errorf("--to %q is not pkcs8, pkcs12 or jwk", f.to)}
}

func (f *keyConvertFlags) encodePKCS12(
	key *rsa.PrivateKey, chain []*x509.Certificate, passphrase string,
) ([]byte, error) {
	if f.certFile != "" {
		file, err := readCertificate(f.c, f.certFile)
		if err != nil {
			return nil, err
		}
		chain = file.Certificates
	}
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
