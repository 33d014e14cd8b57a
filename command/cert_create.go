package command

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/keydir"
	"github.com/sealane/sealane/profile"
)

func newCertCreate() *cobra.Command {
	var s keydir.Spec
	var profileName string
	c := &cobra.Command{
		Use:   "create",
		Short: "Make a key pair and a certificate by a partner's rules, ready to send",
		Long: `Create makes an RSA key pair and a self-signed certificate by the profile's rules. It
writes three folders into the folder --out:

  private/             the private key (PKCS #8). It never leaves this machine.
  1-send/              the certificate in four formats, and a covering letter
  2-send-separately/   the letter with the SHA-256 checksums, for a second message

With a passphrase (--passphrase-file or $SEALANE_PASSPHRASE) the key is encrypted.
Nothing is ever overwritten.`,
		Example: `  sealane cert create --profile rdx --common-name rdx.bank.example --org "Example Bank" \
      --unit Payments --email keys@bank.example --env STAG --out rdx-stag`,
		Args: cobra.NoArgs,
	}
	f := c.Flags()
	f.StringVar(&profileName, "profile", "", profileHelp)
	f.StringVar(&s.Environment, "env", "", "environment of the pair (required)")
	f.IntVar(&s.Bits, "bits", 0, "RSA size: 2048, 3072 or 4096 (default: the profile's)")
	f.StringVar(&s.KeyID, "key-id", "", "key ID (alias), if it is known already")
	subjectFlags(c, &s.Request)
	f.StringVar(&s.Folder, "out", "", "folder to write (required)")
	f.StringVar(&s.To, "to", "", "the partner's name: the letters show it")
	f.StringVar(&s.From.Name, "from", "", "your name: the letters show it")
	f.StringVar(&s.From.Telephone, "telephone", "", telephoneHelp)
	passphrase := passphraseFlag(c)
	for _, name := range []string{"profile", "env", "out", "common-name"} {
		must(c.MarkFlagRequired(name))
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		p, err := profile.Load(profileName)
		if err != nil {
			return err
		}
		if s.Passphrase, err = passphrase(); err != nil {
			return err
		}
		s.Profile, s.Request.NotBefore = p, time.Now()
		made, err := keydir.Create(&s)
		if missing, ok := errors.AsType[*keydir.MissingError](err); ok {
			flag := map[string]string{"organization": "org", "unit": "unit", "email": "email"}[missing.Field]
			return &exit{exitUsage, fmt.Errorf("%w: give --%s", missing, flag)}
		}
		if err != nil {
			return err
		}
		reportCreated(c.OutOrStdout(), &s, made)
		return nil
	}
	return c
}

// subjectFlags adds the flags for a certificate's subject.
func subjectFlags(c *cobra.Command, r *cert.Template) {
	f := c.Flags()
	f.StringVar(&r.CommonName, "common-name", "", "common name (CN)")
	f.StringVar(&r.Organization, "org", "", "organization (O)")
	f.StringVar(&r.Unit, "unit", "", "organizational unit (OU)")
	f.StringVar(&r.Email, "email", "", "contact for renewals: a mailbox that several people read")
	f.StringVar(&r.Country, "country", "", "two-letter country code (C)")
}

func reportCreated(w io.Writer, s *keydir.Spec, made *x509.Certificate) {
	encrypted := "; it is NOT encrypted (give a passphrase to encrypt it)"
	if len(s.Passphrase) > 0 {
		encrypted = ", encrypted"
	}
	fmt.Fprintf(w, "Made an RSA %d key pair and a certificate valid until %s.\n\n",
		made.PublicKey.(*rsa.PublicKey).N.BitLen(), dateText(made.NotAfter))
	fmt.Fprintf(w, "  %s\n      the private key. It stays here%s.\n", s.KeyFile(), encrypted)
	fmt.Fprintf(w, "  %s\n      send these to the partner, with the letter.\n",
		filepath.Join(s.Folder, keydir.SendFolder))
	fmt.Fprintf(w, "  %s\n      send this letter by another message, so that the partner can check the first.\n",
		filepath.Join(s.Folder, keydir.SendSeparatelyFolder))
}
