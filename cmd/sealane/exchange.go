package main

import (
	"fmt"
	"os"
	"path/filepath"
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
	c.AddCommand(exchangeReceive(o), exchangeConfirm(o), exchangeApprove(o), exchangeReject(o), exchangeActivate(o), exchangeRetire(o), exchangeCompromised(o),
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
		return exchange.At(d).ApproveAll(c.Context(), args, a, func(id string) error {
			return o.done(c, d, id, "Certificate %s is approved.", id)
		})
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
		if strings.HasPrefix(args[0], "k-") {
			if err := d.MovePair(c.Context(), args[0], registry.Retired, o.reason); err != nil {
				return err
			}
			return o.said(c, map[string]string{"retired": args[0]}, "Key pair %s is retired", args[0])
		}
		if err := exchange.At(d).Reject(c.Context(), args[0], o.reason); err != nil {
			return err
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

func exchangeAnswer(o *office) *cobra.Command {
	c := &cobra.Command{
		Use: "answer FILE", Short: "Open a partner's challenge with your key pair, for the text that proves it", Args: cobra.ExactArgs(1),
		Long: `Answer opens what a partner's sealane exchange challenge has written, and prints the
text in it. Send it back. Nothing but a challenge is opened.`,
	}
	partner := c.Flags().String("partner", "", "whose challenge it is, where there are many key pairs")
	c.RunE = o.atDesk(true, func(c *cobra.Command, d *registry.Desk, args []string) error {
		token, err := readInput(c, args[0], 64<<10)
		if err != nil {
			return err
		}
		answer, err := exchange.At(d).Answer(c.Context(), token, *partner, o.reason)
		if err != nil {
			return err
		}
		return o.said(c, map[string]string{"answer": answer}, "%s", answer)
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

func exchangeOffer(o *office) *cobra.Command {
	var to, out string
	c := &cobra.Command{
		Use: "offer KEYPAIR", Short: "Write your certificate, the covering letter, and the letter with the checksum", Args: cobra.ExactArgs(1),
		Long: `Offer writes two folders: 1-send, with your certificate in the formats that partners
take and a covering letter; and 2-send-separately, with the letter that holds the
SHA-256 checksums. Send them by two messages. No private key is in them.`,
	}
	c.Flags().StringVar(&to, "to", "", "the partner (required)")
	c.Flags().StringVar(&out, "out", "", "folder to write (required)")
	must(c.MarkFlagRequired("to"))
	must(c.MarkFlagRequired("out"))
	c.RunE = o.atDesk(false, func(c *cobra.Command, d *registry.Desk, args []string) error {
		parcel, err := exchange.At(d).Offer(c.Context(), args[0], to, o.reason)
		if err != nil {
			return err
		}
		if err := writeParcel(out, parcel); err != nil {
			return err
		}
		return o.said(c, map[string]string{"folder": out}, "%s and %s are written. Send them by two messages.\nNext: sealane exchange status %s",
			filepath.Join(out, "1-send"), filepath.Join(out, "2-send-separately"), to)
	})
	return c
}

// writeParcel writes the folders that are sent.
func writeParcel(dir string, p exchange.Parcel) error {
	files, err := p.Files()
	if err != nil {
		return err
	}
	covering, checksums, err := p.Letters()
	if err != nil {
		return err
	}
	for _, folder := range []string{"1-send", "2-send-separately"} {
		if err := ownFolder(filepath.Join(dir, folder), 0o755); err != nil {
			return err
		}
	}
	for name, data := range files {
		if err := writeNew(filepath.Join(dir, "1-send", name), data, 0o644); err != nil {
			return err
		}
	}
	if err := writeNew(filepath.Join(dir, "1-send", "letter.txt"), covering, 0o644); err != nil {
		return err
	}
	return writeNew(filepath.Join(dir, "2-send-separately", "letter.txt"), checksums, 0o644)
}

// ownFolder makes a folder; a link in its place may lead elsewhere, and is refused.
func ownFolder(dir string, mode os.FileMode) error {
	if err := os.MkdirAll(dir, mode); err != nil {
		return err
	}
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("%s is not a folder of its own (%v): choose another --out", dir, err)
	}
	return nil
}

func exchangeAlias(o *office) *cobra.Command {
	c := &cobra.Command{
		Use: "alias CERTIFICATE|KEYPAIR KEYID", Short: "Assign a key ID (alias), or record the one that the partner assigned", Args: cobra.ExactArgs(2),
		Long: `For a partner's certificate, alias assigns the key ID that your messages to them will
carry; its form is the profile's. For a key pair of yours it records the one that the
partner told you, as it is. A key ID is unique in its environment; a renewal of the
same size may have that of the certificate before.`,
		Example: `  sealane exchange alias k-7k2m4q6z3x 1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG`,
	}
	replace := c.Flags().String("replace", "", "the key ID that it has now, to replace it")
	c.RunE = o.atDesk(false, func(c *cobra.Command, d *registry.Desk, args []string) error {
		if err := exchange.At(d).Alias(c.Context(), args[0], args[1], *replace, o.reason); err != nil {
			return err
		}
		return o.said(c, map[string]string{"of": args[0], "key_id": args[1]}, "The key ID of %s is %s", args[0], args[1])
	})
	return c
}

func exchangeChallenge(o *office) *cobra.Command {
	var out string
	c := &cobra.Command{
		Use: "challenge CERTIFICATE", Short: "Write a message that only the certificate's owner can open", Args: cobra.ExactArgs(1),
		Long: `Challenge seals a random text to a certificate that is not approved yet. The partner
opens it with any JOSE tool (sealane exchange answer, where they have Sealane) and sends
the text back, for: sealane exchange prove. It proves that they have the private key.`,
	}
	c.Flags().StringVar(&out, "out", "", "file to write (default: standard output)")
	c.RunE = o.atDesk(false, func(c *cobra.Command, d *registry.Desk, args []string) error {
		token, err := exchange.At(d).Challenge(c.Context(), args[0], o.reason)
		if err != nil {
			return err
		}
		token = append(token, '\n')
		if out == "" {
			_, err = c.OutOrStdout().Write(token)
			return err
		}
		return writeNew(out, token, 0o644)
	})
	return c
}

func exchangeProve(o *office) *cobra.Command {
	c := &cobra.Command{Use: "prove CERTIFICATE ANSWER", Short: "Take the partner's answer to the challenge", Args: cobra.ExactArgs(2)}
	c.RunE = o.atDesk(false, func(c *cobra.Command, d *registry.Desk, args []string) error {
		if err := exchange.At(d).Prove(c.Context(), args[0], args[1], o.reason); err != nil {
			return err
		}
		return o.done(c, d, args[0], "The answer is right: the partner has the private key of %s.", args[0])
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
	var now registry.Certificate
	err := d.Store.View(c.Context(), func(tx registry.Tx) (err error) {
		now, err = tx.Certificate(id)
		return err
	})
	if err != nil {
		return err
	}
	next := exchange.Next(now)
	text := fmt.Sprintf(format, args...)
	return o.said(c, map[string]any{"certificate": id, "state": now.State, "said": text, "next": next}, "%s\nNext: %s", text, next)
}
