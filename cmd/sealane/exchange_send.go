package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

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
partner told you, as it is (--as-is, where it has not the profile's form). A key ID is unique in its environment; a renewal of the
same size may have that of the certificate before.`,
		Example: `  sealane exchange alias k-7k2m4q6z3x 1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG`,
	}
	replace := c.Flags().String("replace", "", "the key ID that it has now, to replace it")
	asIs := c.Flags().Bool("as-is", false, "the partner's key ID is not in the profile's form, and is what they wrote")
	c.RunE = o.atDesk(false, func(c *cobra.Command, d *registry.Desk, args []string) error {
		name := exchange.At(d).Alias
		if *asIs {
			name = exchange.At(d).AliasAsIs
		}
		if err := name(c.Context(), args[0], args[1], *replace, o.reason); err != nil {
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
	again := c.Flags().Bool("again", false, "make another, though one is out: its answer counts no more")
	c.RunE = o.atDesk(false, func(c *cobra.Command, d *registry.Desk, args []string) error {
		if err := mustBeNew(out); err != nil {
			return err
		}
		token, err := exchange.At(d).Challenge(c.Context(), args[0], *again, o.reason)
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
