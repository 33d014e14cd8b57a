package command

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

// maxIncoming is the limit for a partner's file or saved mail, in bytes.
const maxIncoming = 16 << 20

func exchangeReceive(flags *registryFlags) *cobra.Command {
	var in exchange.Incoming
	var waive []string
	c := &cobra.Command{
		Use:   "receive PARTNER ENVIRONMENT FILE",
		Short: "Receive the certificate that a partner sent",
		Long: `Receive reads a certificate in any format (.pem .cer .crt .p7b, by its content), a
saved mail (.eml) with it attached, or the file that another Sealane exported. It
checks the certificate and reports what it finds. A certificate that a rule refuses is
not stored.

A rule may be waived (--waive RULE=REASON) if that can do no harm. The waiver must be
granted by a second person at approval, and stays visible.

A file with a private key is refused, and that key is blocked for good.`,
		Example: `  sealane exchange receive acme PROD acme-prod.cer
  sealane exchange receive acme PROD mail.eml \
      --waive validity-length="their CA issues for three years; CHG-4711"`,
		Args: cobra.ExactArgs(3),
	}
	c.Flags().StringVar(&in.KeyID, "key-id", "", "the key ID (alias) that the partner uses already; it is not changed")
	c.Flags().StringArrayVar(&waive, "waive", nil, "RULE=REASON: a rule to waive")
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		in.Partner, in.Environment, in.Waive = args[0], args[1], map[string]string{}
		in.Name = filepath.Base(args[2])
		for _, w := range waive {
			rule, reason, _ := strings.Cut(w, "=")
			in.Waive[rule] = reason
		}
		var err error
		if in.Data, err = readInput(c, args[2], maxIncoming); err != nil {
			return err
		}
		certificate, found, err := exchange.New(s).Receive(c.Context(), in)
		if err != nil {
			return err
		}
		next := exchange.Next(certificate)
		if flags.json {
			value := map[string]any{"certificate": certificate.ID, "findings": found, "next": next}
			return writeJSON(c.OutOrStdout(), value)
		}
		fmt.Fprintf(c.OutOrStdout(), "Certificate %s of %s in %s is received: %s, valid until %s.\n", certificate.ID,
			in.Partner, in.Environment, cellText(certificate.CommonName), cellText(certificate.NotAfter))
		for _, f := range found {
			fmt.Fprintf(c.OutOrStdout(), "  %s\n", cellText(f))
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "Next: %s\n", next)
		return err
	})
	return c
}
