package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

// maxArrival bounds a partner's file or saved mail.
const maxArrival = 16 << 20

func exchangeReceive(flags *registryFlags) *cobra.Command {
	var in exchange.Incoming
	var waive []string
	c := &cobra.Command{
		Use: "receive PARTNER ENVIRONMENT FILE", Short: "Take in the certificate that a partner sent", Args: cobra.ExactArgs(3),
		Long: `Receive reads a certificate in any format (.pem .cer .crt .p7b, by its content), a
saved mail (.eml) with it attached, or the file that another Sealane exported. What
speaks against it is said; what refuses it keeps it out, and nothing is stored.

A rule may be waived (--waive RULE=REASON), where that can do no harm: the waiver
needs a second person at approval, and stays visible.

A file with a private key is refused, and that key can never come in any more.`,
		Example: `  sealane exchange receive acme PROD acme-prod.cer
  sealane exchange receive acme PROD mail.eml --waive validity-length="their CA gives three years; CHG-4711"`,
	}
	c.Flags().StringVar(&in.KeyID, "key-id", "", "the key ID (alias) that the partner uses already; kept as it is")
	c.Flags().StringArrayVar(&waive, "waive", nil, "RULE=REASON: a rule that should not count")
	c.RunE = flags.withSession(func(c *cobra.Command, d *registry.Session, args []string) error {
		in.Partner, in.Environment, in.Reason, in.Waive = args[0], args[1], flags.reason, map[string]string{}
		for _, w := range waive {
			rule, reason, _ := strings.Cut(w, "=")
			in.Waive[rule] = reason
		}
		var err error
		if in.Data, err = readInput(c, args[2], maxArrival); err != nil {
			return err
		}
		certificate, found, err := exchange.New(d).Receive(c.Context(), in)
		if err != nil {
			return err
		}
		if flags.json {
			return flags.show(c, map[string]any{"certificate": certificate.ID, "findings": found, "next": exchange.Next(certificate)}, "", nil)
		}
		fmt.Fprintf(c.OutOrStdout(), "Certificate %s of %s in %s is received: %s, valid until %s.\n", certificate.ID, in.Partner, in.Environment, cellText(certificate.CommonName), cellText(certificate.NotAfter))
		for _, f := range found {
			fmt.Fprintf(c.OutOrStdout(), "  %s\n", cellText(f))
		}
		fmt.Fprintf(c.OutOrStdout(), "Next: %s\n", exchange.Next(certificate))
		return nil
	})
	return c
}

func exchangeConfirm(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use: "confirm CERTIFICATE CHECKSUM…", Short: "Compare the SHA-256 of the partner's second message", Args: cobra.MinimumNArgs(2),
		Long: `Confirm compares the checksum with the file as it was received, with the
certificate (DER), and with its PEM in both line ends, and says which it is. Any form
will do: with colons, blanks or none, base64, or the whole line of openssl or
sha256sum. The checksum must have come by another message than the certificate.`,
	}
	c.RunE = flags.withSession(func(c *cobra.Command, d *registry.Session, args []string) error {
		matched, err := exchange.New(d).MatchChecksum(c.Context(), args[0], strings.Join(args[1:], " "), flags.reason)
		if err != nil {
			return err
		}
		return flags.done(c, d, args[0], "The checksum matches: %s.", matched)
	})
	return c
}

func exchangeApprove(flags *registryFlags) *cobra.Command {
	var a exchange.Approval
	c := &cobra.Command{
		Use: "approve CERTIFICATE…", Short: "Let matched certificates in (a second person, for production)", Args: cobra.MinimumNArgs(1),
		Long: `Approve lets matched certificates in. For production it takes somebody who neither received nor
matched them, the reference of the change, and either a call-back to a number that was
known before (--call-back) or the partner's answer to a challenge. A call-back speaks for
certificates of one partner.`,
		Example: `  sealane exchange approve c-7k2m4q6z3x --change CHG-4711 --call-back "Eva Lind, +46 8 123 45 67 from the contract, read the checksum to me"`,
	}
	f := c.Flags()
	f.StringVar(&a.Change, "change", "", "reference of the change")
	f.StringVar(&a.CallBack, "call-back", "", "who was called back, at which number, and what they said")
	f.StringArrayVar(&a.Grant, "grant", nil, "rule whose waiver you grant")
	c.RunE = flags.withSession(func(c *cobra.Command, d *registry.Session, args []string) error {
		a.Reason = flags.reason
		var all []standing
		err := exchange.New(d).ApproveAll(c.Context(), args, a, func(id string) error {
			now, err := stands(c, d, id, fmt.Sprintf("Certificate %s is approved.", id))
			if all = append(all, now); err != nil || flags.json {
				return err
			}
			return now.say(c)
		})
		if flags.json && len(all) > 0 {
			err = errors.Join(err, flags.show(c, all, "", nil))
		}
		return err
	})
	return c
}

func exchangeReject(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use: "reject CERTIFICATE|KEYPAIR", Short: "End the exchange of a certificate, for a reason", Args: cobra.ExactArgs(1),
		Long: `Reject ends the exchange of a partner's certificate at any step before it is in use. For
a key pair of yours that is on offer it takes the offer back: the pair is retired.`,
	}
	c.RunE = flags.withSession(func(c *cobra.Command, d *registry.Session, args []string) error {
		if err := exchange.New(d).Reject(c.Context(), args[0], flags.reason); err != nil {
			return err
		}
		if strings.HasPrefix(args[0], "k-") {
			return flags.said(c, map[string]string{"retired": args[0]}, "Key pair %s is retired", args[0])
		}
		return flags.done(c, d, args[0], "Certificate %s is rejected.", args[0])
	})
	return c
}
