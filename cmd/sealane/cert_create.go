package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/profile"
)

func newCertCreate() *cobra.Command {
	var s certSet
	var profileName, env string
	var bits int
	c := &cobra.Command{
		Use:   "create",
		Short: "Make a key pair and a certificate by a partner's rules, ready to send",
		Long: `Create makes an RSA key pair and a self-signed certificate by the profile's
rules, and writes three folders into the one named by --out:

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
	f.StringVar(&profileName, "profile", "", "dialect: riskos, rdx, or a profile file (required)")
	f.StringVar(&env, "env", "", "environment for which the pair is made (required)")
	f.IntVar(&bits, "bits", 0, "RSA size: 2048, 3072 or 4096 (default the profile's)")
	f.StringVar(&s.request.CommonName, "common-name", "", "common name (required)")
	f.StringVar(&s.request.Organization, "org", "", "organization (O)")
	f.StringVar(&s.request.Unit, "unit", "", "organizational unit (OU)")
	f.StringVar(&s.request.Email, "email", "", "contact for renewals, a mailbox that several people read")
	f.StringVar(&s.request.Country, "country", "", "two-letter country code")
	f.StringVar(&s.keyID, "key-id", "", "key ID (alias), where it is known already")
	f.StringVar(&s.dir, "out", "", "folder to write (required)")
	passphrase := passphraseFlag(c)
	for _, name := range []string{"profile", "env", "common-name", "out"} {
		must(c.MarkFlagRequired(name))
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		p, err := profile.Load(profileName)
		if err != nil {
			return err
		}
		if s.passphrase, err = passphrase(); err != nil {
			return err
		}
		if bits == 0 {
			bits = p.Keys.Bits
		}
		s.profile, s.environment, s.request.NotBefore = p, env, time.Now()
		if err := s.create(bits); err != nil {
			return err
		}
		s.report(c.OutOrStdout())
		return nil
	}
	return c
}
