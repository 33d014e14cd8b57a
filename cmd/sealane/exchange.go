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

func newExchange() *cobra.Command {
	c := &cobra.Command{
		Use: "exchange", Short: "Exchange certificates with a partner, step by step",
		Long: `A certificate of the partner's: receive, confirm (the checksum of their second
message), approve (a second person), activate. One of yours: sealane key create,
offer, alias (the key ID that they assign), activate (when they have installed it).
At any time: sealane exchange status PARTNER says what comes next.`,
	}
	o := officeFlags(c)
	c.AddCommand(exchangeReceive(o), exchangeConfirm(o), exchangeApprove(o), exchangeReject(o), exchangeStage(o), exchangeActivate(o), exchangeRetire(o), exchangeCompromised(o),
		exchangeOffer(o), exchangeAlias(o), exchangeChallenge(o), exchangeProve(o), exchangeAnswer(o), exchangeStatus(o))
	return c
}

func exchangeReceive(o *office) *cobra.Command {
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
	c.RunE = o.atDesk(false, func(c *cobra.Command, d *registry.Desk, args []string) error {
		in.Partner, in.Environment, in.Reason, in.Waive = args[0], args[1], o.reason, map[string]string{}
		for _, w := range waive {
			rule, reason, _ := strings.Cut(w, "=")
			in.Waive[rule] = reason
		}
		var err error
		if in.Data, err = readInput(c, args[2], maxArrival); err != nil {
			return err
		}
		certificate, found, err := exchange.At(d).Receive(c.Context(), in)
		if err != nil {
			return err
		}
		if o.json {
			return o.show(c, map[string]any{"certificate": certificate.ID, "findings": found, "next": exchange.Next(certificate)}, "", nil)
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

func exchangeConfirm(o *office) *cobra.Command {
	c := &cobra.Command{
		Use: "confirm CERTIFICATE CHECKSUM…", Short: "Compare the SHA-256 of the partner's second message", Args: cobra.MinimumNArgs(2),
		Long: `Confirm compares the checksum with the file as it was received, with the
certificate (DER), and with its PEM in both line ends, and says which it is. Any form
will do: with colons, blanks or none, base64, or the whole line of openssl or
sha256sum. The checksum must have come by another message than the certificate.`,
	}
	c.RunE = o.atDesk(false, func(c *cobra.Command, d *registry.Desk, args []string) error {
		matched, err := exchange.At(d).Confirm(c.Context(), args[0], strings.Join(args[1:], " "), o.reason)
		if err != nil {
			return err
		}
		return o.done(c, d, args[0], "The checksum matches: %s.", matched)
	})
	return c
}

func exchangeApprove(o *office) *cobra.Command {
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
	c.RunE = o.atDesk(false, func(c *cobra.Command, d *registry.Desk, args []string) error {
		a.Reason = o.reason
		var all []standing
		err := exchange.At(d).ApproveAll(c.Context(), args, a, func(id string) error {
			now, err := stands(c, d, id, fmt.Sprintf("Certificate %s is approved.", id))
			if all = append(all, now); err != nil || o.json {
				return err
			}
			return now.say(c)
		})
		if o.json && len(all) > 0 {
			err = errors.Join(err, o.show(c, all, "", nil))
		}
		return err
	})
	return c
}

func exchangeReject(o *office) *cobra.Command {
	c := &cobra.Command{
		Use: "reject CERTIFICATE|KEYPAIR", Short: "End the exchange of a certificate, for a reason", Args: cobra.ExactArgs(1),
		Long: `Reject ends the exchange of a partner's certificate at any step before it is in use. For
a key pair of yours that is on offer it takes the offer back: the pair is retired.`,
	}
	c.RunE = o.atDesk(false, func(c *cobra.Command, d *registry.Desk, args []string) error {
		if err := exchange.At(d).Reject(c.Context(), args[0], o.reason); err != nil {
			return err
		}
		if strings.HasPrefix(args[0], "k-") {
			return o.said(c, map[string]string{"retired": args[0]}, "Key pair %s is retired", args[0])
		}
		return o.done(c, d, args[0], "Certificate %s is rejected.", args[0])
	})
	return c
}

func exchangeRetire(o *office) *cobra.Command {
	c := &cobra.Command{
		Use: "retire CERTIFICATE", Short: "End the use of a partner's certificate that another has followed, that has expired, or that was the last", Args: cobra.ExactArgs(1),
		Long: `Retire ends the use of a partner's certificate that another has followed, or that has
expired. One that is active ends only with --last: after that nothing can be sealed to
the partner, or verified, in that environment.`,
	}
	last := c.Flags().Bool("last", false, "none is to follow: end the lane with this partner")
	c.RunE = o.atDesk(false, func(c *cobra.Command, d *registry.Desk, args []string) error {
		if err := exchange.At(d).Retire(c.Context(), args[0], o.reason, *last); err != nil {
			return err
		}
		return o.done(c, d, args[0], "Certificate %s is out of use.", args[0])
	})
	return c
}

func exchangeCompromised(o *office) *cobra.Command {
	c := &cobra.Command{Use: "compromised CERTIFICATE", Short: "Take a partner's certificate out of use at once, and block its key", Args: cobra.ExactArgs(1)}
	c.RunE = o.atDesk(false, func(c *cobra.Command, d *registry.Desk, args []string) error {
		if err := exchange.At(d).Compromised(c.Context(), args[0], o.reason); err != nil {
			return err
		}
		return o.done(c, d, args[0], "Certificate %s is out of use, and its key is blocked.", args[0])
	})
	return c
}

func exchangeActivate(o *office) *cobra.Command {
	c := &cobra.Command{
		Use: "activate CERTIFICATE|KEYPAIR", Short: "Put an approved certificate, or a key pair that the partner has installed, to use", Args: cobra.ExactArgs(1),
		Long: `Activate puts a partner's approved certificate to use. For a key pair of yours it says
that the partner has installed its certificate. What was active before goes on
opening and verifying (retiring).`,
	}
	partner := c.Flags().String("partner", "", "who has installed it, for a key pair that is for all partners of a profile")
	c.RunE = o.atDesk(false, func(c *cobra.Command, d *registry.Desk, args []string) error {
		if strings.HasPrefix(args[0], "k-") {
			if err := exchange.At(d).Confirmed(c.Context(), args[0], *partner, o.reason); err != nil {
				return err
			}
			return o.said(c, map[string]string{"active": args[0]}, "Key pair %s is active", args[0])
		}
		if err := exchange.At(d).Activate(c.Context(), args[0], o.reason); err != nil {
			return err
		}
		return o.done(c, d, args[0], "Certificate %s is active.", args[0])
	})
	return c
}

func exchangeStage(o *office) *cobra.Command {
	c := &cobra.Command{
		Use: "stage CERTIFICATE", Short: "Let an approved certificate verify already, and go on encrypting to the one before it", Args: cobra.ExactArgs(1),
		Long: `Stage is for a renewal whose day is not known: what the partner signs with the new key
is verified from now on, and messages are encrypted to the old one until exchange activate.`,
	}
	c.RunE = o.atDesk(false, func(c *cobra.Command, d *registry.Desk, args []string) error {
		if err := exchange.At(d).Stage(c.Context(), args[0], o.reason); err != nil {
			return err
		}
		return o.done(c, d, args[0], "Certificate %s is staged.", args[0])
	})
	return c
}

func exchangeStatus(o *office) *cobra.Command {
	c := &cobra.Command{Use: "status PARTNER [ENVIRONMENT]", Short: "Show where each certificate stands, what comes next, and who is waited for", Args: cobra.RangeArgs(1, 2)}
	c.RunE = o.looking(func(c *cobra.Command, d *registry.Desk, args []string) error {
		environment := ""
		if len(args) == 2 {
			environment = args[1]
		}
		steps, err := exchange.Status(c.Context(), d.Registry, args[0], environment)
		if err != nil {
			return err
		}
		return writeSteps(o, c, steps)
	})
	return c
}

func writeSteps(o *office, c *cobra.Command, steps []exchange.Step) error {
	if len(steps) == 0 && !o.json {
		_, err := fmt.Fprintln(c.OutOrStdout(), "No certificate yet. Make yours: sealane key create --help. Take theirs in: sealane exchange receive --help")
		return err
	}
	return o.show(c, steps, "IDENTITY,WHOSE,ENVIRONMENT,STATE,KEY ID (ALIAS),UNTIL,WAITING FOR,NEXT", func(add func(...any)) {
		for _, s := range steps {
			id := s.Certificate
			if s.KeyPair != "" {
				id = s.KeyPair
			}
			add(id, s.Owner, s.Environment, s.State, s.KeyID, s.NotAfter.Format("2006-01-02"), s.WaitingFor, s.Next)
		}
	})
}

// done says that a step is done, and what comes next.
func (o *office) done(c *cobra.Command, d *registry.Desk, id, format string, args ...any) error {
	now, err := stands(c, d, id, fmt.Sprintf(format, args...))
	if err != nil {
		return err
	}
	if o.json {
		return o.show(c, now, "", nil)
	}
	return now.say(c)
}

// standing is where a certificate stands after a step.
type standing struct {
	Certificate string         `json:"certificate"`
	State       registry.State `json:"state"`
	Said        string         `json:"said"`
	Next        string         `json:"next"`
}

func stands(c *cobra.Command, d *registry.Desk, id, said string) (standing, error) {
	var now registry.Certificate
	err := d.Store.View(c.Context(), func(tx registry.Tx) (err error) {
		now, err = tx.Certificate(id)
		return err
	})
	return standing{id, now.State, said, exchange.Next(now)}, err
}

func (s standing) say(c *cobra.Command) error {
	_, err := fmt.Fprintf(c.OutOrStdout(), "%s\nNext: %s\n", s.Said, s.Next)
	return err
}
