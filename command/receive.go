package command

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

// maxIncoming is the limit for a partner's file or saved mail, in bytes.
const maxIncoming = 16 << 20

func newReceive() *cobra.Command {
	var in operation.Incoming
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

A file with a private key is refused, and that key is blocked permanently.`,
		Example: `  sealane receive acme PROD acme-prod.cer
  sealane receive acme PROD mail.eml \
      --waive validity-length="their CA issues for three years; CHG-4711"`,
		Args: cobra.ExactArgs(3),
	}
	flags := registryVerb(c)
	c.Flags().StringVar(&in.KeyID, "key-id", "", "the key ID (alias) that the partner uses already; it is not changed")
	c.Flags().StringArrayVar(&waive, "waive", nil, "RULE=REASON: a rule to waive")
	input := func(c *cobra.Command, args []string) (_ operation.Incoming, err error) {
		in.Partner, in.Environment, in.Waive = args[0], args[1], map[string]string{}
		for _, w := range waive {
			rule, reason, _ := strings.Cut(w, "=")
			in.Waive[rule] = reason
		}
		in.Name = filepath.Base(args[2])
		in.Data, err = readInput(c, args[2], maxIncoming)
		return in, err
	}
	c.RunE = does(flags, operation.Receive, input, func(c *cobra.Command, r operation.Received) error {
		err := say(c, "Certificate %s of %s in %s is received: %s, valid until %s.", r.ID, in.Partner, in.Environment,
			cellText(r.CommonName), dateText(r.NotAfter))
		if err == nil && r.Replaces != "" {
			err = say(c, "It will replace certificate %s (renewal %s).", r.Replaces, r.Renewal)
		}
		for _, f := range r.Findings {
			if err == nil {
				err = say(c, "  %s", printable(f.String()))
			}
		}
		if err != nil {
			return err
		}
		return sayNext(c, r.Next)
	})
	return c
}
