package command

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/internal/operation"
)

// sealaneFormat is the format of export that another Sealane receives.
const sealaneFormat = "sealane"

func newExport() *cobra.Command {
	var format, out string
	var p operation.PartnerFile
	c := &cobra.Command{
		Use:   "export IDENTITY",
		Short: "Write a certificate to a file, in one of several formats",
		Long: `Export writes a certificate, yours or a partner's. It has no private key; for that, see
sealane key export.

With --to sealane it writes your certificate, its key ID and your contact into one small
file for a partner who has Sealane too, signed by that certificate's key. The partner
reads it with sealane receive. The signature proves that nothing was changed on the way,
but not who you are: the checksum in a second message and the approval are still needed.`,
		Example: `  sealane export c-7k2m4q6z3x --to pem --out acme.pem
  sealane export k-7k2m4q6z3x --to sealane --partner acme --name "Our Bank" \
      --email keys@bank.example --out our-bank-prod.sealane`,
		Args: cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	f := c.Flags()
	f.StringVar(&format, "to", "pem", strings.Join(operation.CertificateFormats, ", ")+" or "+sealaneFormat)
	f.StringVar(&out, "out", "", "file to write; it must not exist (default: standard output)")
	f.StringVar(&p.Partner, "partner", "", "sealane: who gets the file")
	f.StringVar(&p.Name, "name", "", "sealane: your name, as the partner knows it")
	f.StringVar(&p.Email, "email", "", "sealane: your contact for this certificate")
	write := func(c *cobra.Command, file []byte) error {
		if out == "" {
			_, err := c.OutOrStdout().Write(file)
			return err
		}
		if err := newfile.Write(out, file, 0o644); err != nil {
			return err
		}
		if flags.json {
			return writeJSON(c.OutOrStdout(), map[string]string{"file": out})
		}
		return say(c, "%s is written.", out)
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := checkNew(out); err != nil {
			return err
		}
		if format == sealaneFormat {
			p.KeyPair = args[0]
			return exportForSealane(c, flags, p, out)
		}
		return flags.session(c, func(s *operation.Session) error {
			in := operation.CertificateFile{ID: args[0], Format: format}
			file, err := operation.ExportCertificate.Do(c.Context(), s, in)
			if err != nil {
				return err
			}
			return write(c, file)
		})
	}
	return c
}

// exportForSealane writes the file that another Sealane receives.
func exportForSealane(c *cobra.Command, flags *registryFlags, p operation.PartnerFile, out string) error {
	switch {
	case p.Partner == "" || p.Name == "":
		return usage("for a partner's Sealane, name the partner (--partner) and yourself (--name)")
	case out == "":
		return &exit{exitUsage, errors.New("name the file to write (--out)")}
	}
	p.Deliver = func(file []byte) error { return newfile.Write(out, append(file, '\n'), 0o644) }
	input := func(*cobra.Command, []string) (operation.PartnerFile, error) { return p, nil }
	return does(flags, operation.ExportPartnerFile, input, func(c *cobra.Command, s operation.Step) error {
		return writeStep(c, s, "%s is written. Send it, and send the certificate's SHA-256 by another way "+
			"(sealane offer writes that letter).", out)
	})(c, nil)
}
