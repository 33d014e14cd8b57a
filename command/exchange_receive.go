package command

import (
	"errors"
	"fmt"
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

func exchangeConfirm(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "confirm CERTIFICATE CHECKSUM…",
		Short: "Compare the SHA-256 of the partner's second message",
		Long: `Confirm compares the checksum with those of the file as it was received, of the
certificate (DER), and of its PEM with either line ending, and says which one it is.
The checksum may have colons, blanks or neither, be base64, or be the whole line of
openssl or sha256sum. It must have come by another message than the certificate.`,
		Args: cobra.MinimumNArgs(2),
	}
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		of := exchange.Comparison{Certificate: args[0], Checksum: strings.Join(args[1:], " ")}
		matched, err := exchange.New(s).MatchChecksum(c.Context(), of)
		if err != nil {
			return err
		}
		return flags.sayNext(c, s, args[0], "The checksum matches: %s.", matched)
	})
	return c
}

func exchangeApprove(flags *registryFlags) *cobra.Command {
	var a exchange.Approval
	c := &cobra.Command{
		Use:   "approve CERTIFICATE…",
		Short: "Approve matched certificates (a second person, for production)",
		Long: `Approve accepts matched certificates. For production, the approver must have neither
received nor matched them, and must name the change (--change). It also takes a
call-back to a number that was known before (--call-back), or the partner's answer to a
challenge. One call-back counts for the certificates of one partner.`,
		Example: `  sealane exchange approve c-7k2m4q6z3x --change CHG-4711 \
      --call-back "Eva Lind, +46 8 123 45 67 from the contract, read the checksum to me"`,
		Args: cobra.MinimumNArgs(1),
	}
	f := c.Flags()
	f.StringVar(&a.Change, "change", "", "reference of the change")
	f.StringVar(&a.CallBack, "call-back", "", "who was called back, at which number, and what they said")
	f.StringArrayVar(&a.Grant, "grant", nil, "rule whose waiver you grant")
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		var all []progress
		err := approveAll(c, s, args, a, func(p progress) error {
			if all = append(all, p); flags.json {
				return nil
			}
			return p.write(c.OutOrStdout())
		})
		if flags.json && len(all) > 0 {
			err = errors.Join(err, writeJSON(c.OutOrStdout(), all))
		}
		return err
	})
	return c
}

// approveAll approves certificates, and calls each with the state of every one that is approved.
func approveAll(
	c *cobra.Command, s *registry.Session, ids []string, a exchange.Approval, each func(progress) error,
) error {
	for id, err := range exchange.New(s).ApproveAll(c.Context(), ids, a) {
		if err != nil {
			return err
		}
		p, err := progressOf(c, s, id, fmt.Sprintf("Certificate %s is approved.", id))
		if err != nil {
			return err
		}
		if err := each(p); err != nil {
			return err
		}
	}
	return nil
}

func exchangeReject(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "reject CERTIFICATE|KEYPAIR",
		Short: "End the exchange of a certificate, for a reason",
		Long: `Reject ends the exchange of a partner's certificate, at any step before it is in use.
For a key pair of yours that is on offer it withdraws the offer: the pair is retired.`,
		Args: cobra.ExactArgs(1),
	}
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		if err := exchange.New(s).Reject(c.Context(), args[0]); err != nil {
			return err
		}
		if isKeyPair(args[0]) {
			return flags.say(c, map[string]string{"retired": args[0]}, "Key pair %s is retired", args[0])
		}
		return flags.sayNext(c, s, args[0], "Certificate %s is rejected.", args[0])
	})
	return c
}

// isKeyPair tells the identity of a key pair from that of a certificate.
func isKeyPair(id string) bool { return strings.HasPrefix(id, "k-") }
