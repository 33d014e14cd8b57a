package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/internal/registry"
)

func partnerExport(flags *registryFlags) *cobra.Command {
	var name, email, out string
	c := &cobra.Command{
		Use:   "export PARTNER KEYPAIR",
		Short: "Write a small signed file with your certificate, for the partner's Sealane",
		Long: `Export writes your certificate, its key ID and your contact into one file, signed by
that certificate's key. The partner reads it with: sealane exchange receive.

The signature proves that nothing was changed on the way, but not who you are: the
checksum in a second message and the approval are needed all the same.`,
		Example: `  sealane partner export acme k-7k2m4q6z3x --name "Our Bank" --email keys@bank.example \
      --out our-bank-prod.sealane`,
		Args: cobra.ExactArgs(2),
	}
	f := c.Flags()
	f.StringVar(&name, "name", "", "your name, as the partner knows it (required)")
	f.StringVar(&email, "email", "", "your contact for this certificate")
	f.StringVar(&out, "out", "", "file to write; it must not exist (required)")
	must(c.MarkFlagRequired("name"))
	must(c.MarkFlagRequired("out"))
	c.RunE = flags.withKeys(func(c *cobra.Command, s *registry.Session, args []string) error {
		partner, pair := args[0], args[1]
		var contacts []registry.Contact
		if email != "" {
			contacts = []registry.Contact{{Role: registry.Primary, Name: name, Email: email}}
		}
		file, err := exchange.New(s).Export(c.Context(), exchange.PartnerFileOptions{
			Target: exchange.Target{KeyPair: pair, Partner: partner}, Name: name, Contacts: contacts,
		})
		if err != nil {
			return err
		}
		if err := newfile.Write(out, append(file, '\n'), 0o644); err != nil {
			return err
		}
		return flags.say(c, map[string]string{"file": out},
			"%s is written. Send it, and send the certificate's SHA-256 by another way "+
				"(sealane exchange offer writes that letter).", out)
	})
	return c
}
