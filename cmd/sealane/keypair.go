package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/registry"
)

// keyCommands are those of key pairs in the registry.
func keyCommands() []*cobra.Command {
	var list []*cobra.Command
	for _, make := range []func(*office) *cobra.Command{keyCreate, keyImport, keyExport, keyList, keyRetire, keyDestroy, keyCompromised, keyBlock} {
		// Each has its own flags: the group has commands without a registry, too.
		group := &cobra.Command{}
		o := officeFlags(group)
		c := make(o)
		c.Flags().AddFlagSet(group.PersistentFlags())
		list = append(list, c)
	}
	return list
}

func pairFlags(c *cobra.Command, n *registry.NewPair) {
	f := c.Flags()
	f.StringVar(&n.Profile, "profile", "", "dialect (required where no partner is named)")
	f.StringVar(&n.Partner, "partner", "", "for this partner alone; else one pair for all partners of the profile")
	f.StringVar(&n.Environment, "env", "", "environment (required)")
	f.StringVar(&n.KeyID, "key-id", "", "key ID (alias), where it is known already")
	f.BoolVar(&n.Renewal, "renewal", false, "it follows a pair that is in use")
	must(c.MarkFlagRequired("env"))
}

// profileOf fills in the profile of the partner.
func profileOf(c *cobra.Command, d *registry.Desk, n *registry.NewPair) error {
	if n.Partner == "" {
		if n.Profile == "" {
			return &exit{exitUsage, errors.New("name the partner (--partner), or the profile for all of its partners (--profile)")}
		}
		return nil
	}
	return d.Store.View(c.Context(), func(tx registry.Tx) error {
		p, err := tx.Partner(n.Partner)
		if err != nil {
			return fmt.Errorf("partner %q: %w", n.Partner, err)
		}
		n.Profile = p.Profile
		return nil
	})
}

func keyCreate(o *office) *cobra.Command {
	var n registry.NewPair
	c := &cobra.Command{
		Use: "create", Short: "Make a key pair of yours in the registry, with its certificate", Args: cobra.NoArgs,
		Long: `Create makes an RSA key pair and a self-signed certificate by the profile's rules. The
private key stays in the registry, under the root key. The pair opens messages at
once; it signs when the partner has installed its certificate (exchange activate).

There is one pair per account and environment, used for nothing else.`,
		Example: `  sealane key create --partner vcas --env STAG --common-name rdx.bank.example --org "Example Bank" --unit Payments --email keys@bank.example`,
	}
	pairFlags(c, &n)
	f := c.Flags()
	f.IntVar(&n.Bits, "bits", 0, "RSA size: 2048, 3072 or 4096 (default the profile's)")
	f.StringVar(&n.Subject.CommonName, "common-name", "", "common name (required)")
	f.StringVar(&n.Subject.Organization, "org", "", "organization (O)")
	f.StringVar(&n.Subject.Unit, "unit", "", "organizational unit (OU)")
	f.StringVar(&n.Subject.Email, "email", "", "contact for renewals, a mailbox that several people read")
	f.StringVar(&n.Subject.Country, "country", "", "two-letter country code")
	must(c.MarkFlagRequired("common-name"))
	c.RunE = o.atDesk(true, func(c *cobra.Command, d *registry.Desk, _ []string) error {
		if err := profileOf(c, d, &n); err != nil {
			return err
		}
		k, made, err := d.CreateKeyPair(c.Context(), n, o.reason)
		if err != nil {
			return err
		}
		return o.said(c, map[string]any{"key_pair": k, "certificate": made.ID}, "Key pair %s (RSA %d, %s) is made; its certificate is valid until %s.\nNext: sealane exchange offer %s --to %s --out FOLDER",
			k.ID, k.Bits, k.Environment, made.NotAfter.Format("2006-01-02"), k.ID, orWord(n.Partner, "PARTNER"))
	})
	return c
}

func orWord(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

func keyImport(o *office) *cobra.Command {
	var n registry.NewPair
	var certificate string
	c := &cobra.Command{
		Use: "import FILE", Short: "Take a key pair that was made elsewhere into the registry", Args: cobra.ExactArgs(1),
		Long: `Import reads a private key (PKCS #8, PKCS #1, PKCS #12 or JWK) and its certificate
(--certificate, or from the PKCS #12). The files are left as they are: destroy them
when you have seen that the import works.`,
		Example: `  sealane key import old.key --certificate old.pem --partner vcas --env PROD --key-id 1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-PROD`,
	}
	pairFlags(c, &n)
	c.Flags().StringVar(&certificate, "certificate", "", "the key's certificate, where the file has none")
	given := passphraseFlag(c)
	c.RunE = o.atDesk(true, func(c *cobra.Command, d *registry.Desk, args []string) error {
		if err := profileOf(c, d, &n); err != nil {
			return err
		}
		data, err := readInput(c, args[0], 1<<20)
		if err != nil {
			return err
		}
		key, info, err := cert.ReadPrivate(data, nil)
		if errors.Is(err, cert.ErrPassphraseNeeded) {
			passphrase, perr := askPassphrase(c, given)()
			if perr != nil {
				return perr
			}
			key, info, err = cert.ReadPrivate(data, passphrase)
		}
		if err != nil {
			return err
		}
		chain := info.Certificates
		if certificate != "" {
			file, err := readCertificate(c, certificate)
			if err != nil {
				return err
			}
			chain = file.Certificates
		}
		if n.KeyID == "" {
			n.KeyID = info.KeyID
		}
		k, made, err := d.ImportKeyPair(c.Context(), n, key, chain, o.reason)
		if err != nil {
			return err
		}
		return o.said(c, map[string]any{"key_pair": k, "certificate": made.ID}, "Key pair %s is imported; its certificate is valid until %s.\nIf the partner has it installed already: sealane exchange activate %s", k.ID, made.NotAfter.Format("2006-01-02"), k.ID)
	})
	return c
}

func keyExport(o *office) *cobra.Command {
	var format, out string
	c := &cobra.Command{
		Use: "export KEYPAIR", Short: "Write a private key out of the registry, encrypted; audited", Args: cobra.ExactArgs(1),
		Long: `Export writes a key pair's private key as encrypted PKCS #8, or with its certificate as
PKCS #12. The passphrase (--passphrase-file or $SEALANE_PASSPHRASE) must have at least
12 characters, and the reason goes into the audit log.`,
	}
	c.Flags().StringVar(&format, "to", "pkcs8", "pkcs8 or pkcs12")
	c.Flags().StringVar(&out, "out", "", "file to write (required)")
	must(c.MarkFlagRequired("out"))
	given := passphraseFlag(c)
	c.RunE = o.atDesk(true, func(c *cobra.Command, d *registry.Desk, args []string) error {
		passphrase, err := given()
		if err == nil {
			err = mustBeNew(out)
		}
		if err != nil {
			return err
		}
		file, err := d.ExportKeyPair(c.Context(), args[0], format, passphrase, o.reason)
		if err != nil {
			return err
		}
		if err := writeNew(out, file, 0o600); err != nil {
			return err
		}
		return o.said(c, map[string]string{"file": out}, "%s is written. It holds a private key: keep it, and its passphrase, apart.", out)
	})
	return c
}

func keyList(o *office) *cobra.Command {
	var q registry.KeyPairQuery
	c := &cobra.Command{Use: "list", Short: "List your key pairs in the registry", Args: cobra.NoArgs}
	f := c.Flags()
	f.StringVar(&q.Partner, "partner", "", "of this partner")
	f.StringVar(&q.Profile, "profile", "", "of this profile")
	f.StringVar(&q.Environment, "env", "", "of this environment")
	f.IntVar(&q.Limit, "limit", 100, "how many at most")
	f.StringVar(&q.After, "after", "", "those behind this one, for the next page")
	c.RunE = o.looking(func(c *cobra.Command, d *registry.Desk, _ []string) error {
		var pairs []registry.KeyPair
		err := d.Store.View(c.Context(), func(tx registry.Tx) (err error) {
			pairs, err = tx.KeyPairs(q)
			return err
		})
		if err != nil {
			return err
		}
		return o.show(c, pairs, "KEY PAIR,PROFILE,PARTNER,ENVIRONMENT,STATE,BITS,KEY ID (ALIAS),CUSTODIAN,SINCE", func(add func(...any)) {
			for _, k := range pairs {
				add(k.ID, k.Profile, orWord(k.Partner, "(all)"), k.Environment, k.State, k.Bits, k.KeyID, k.Custodian, k.Changed)
			}
		})
	})
	return c
}

// keyMove makes a command that changes the state of a key pair.
func keyMove(o *office, use, short, long string, to registry.State) *cobra.Command {
	c := &cobra.Command{Use: use + " KEYPAIR", Short: short, Long: long, Args: cobra.ExactArgs(1)}
	last := false
	if to == registry.Retired {
		c.Flags().BoolVar(&last, "last", false, "none is to follow, though it is in use: end the lane")
	}
	c.RunE = o.atDesk(false, func(c *cobra.Command, d *registry.Desk, args []string) error {
		if err := d.MovePair(c.Context(), args[0], to, last, o.reason); err != nil {
			return err
		}
		return o.said(c, map[string]string{"key_pair": args[0], "state": string(to)}, "Key pair %s is %s", args[0], to)
	})
	return c
}

func keyRetire(o *office) *cobra.Command {
	return keyMove(o, "retire", "Stop opening messages with a key pair",
		`Retire ends the use of a key pair: one that another has followed, one that is not in use
yet, or the last (--last), after which messages to it are opened no more. A pair for all
partners of a profile ends when each of them has confirmed another.`, registry.Retired)
}

func keyDestroy(o *office) *cobra.Command {
	return keyMove(o, "destroy", "Delete the private key of a retired key pair for good", "", registry.Destroyed)
}

func keyCompromised(o *office) *cobra.Command {
	return keyMove(o, "compromised", "Take a key pair out of use at once, and block its key",
		"Compromised ends all use of a key pair in one step, without an overlap, and blocks its\npublic key for good. Tell the partner.", registry.Compromised)
}

func keyBlock(o *office) *cobra.Command {
	c := &cobra.Command{
		Use: "block [FILE|SHA256…]", Short: "Block keys that may never come in, such as another product's",
		Long: `Block takes certificates or public keys in files, or SHA-256 checksums of public keys
(SubjectPublicKeyInfo), of certificates (DER) or of their files, and keeps them out of the
registry for good. What is in use with one is out of use at once, and named. Give the
reason: whose they are. A list (--list) has a checksum a line, as sha256sum and
openssl write it, too; lines that begin with # are comments. Of a file with a private
key, its public key is blocked.`,
		Example: `  sealane key block idplus.pem --reason "key of ID+, not of RiskOS"
  sealane key block --list idplus-keys.txt --reason "keys of ID+"`,
	}
	list := c.Flags().String("list", "", "file with one checksum a line, such as an export of another product's keys")
	c.RunE = o.atDesk(false, func(c *cobra.Command, d *registry.Desk, args []string) error {
		var sums [][]byte
		for _, arg := range args {
			sum, err := spkiSum(c, arg)
			if err != nil {
				return err
			}
			sums = append(sums, sum)
		}
		if *list != "" {
			listed, err := readSums(c, *list)
			if err != nil {
				return err
			}
			sums = append(sums, listed...)
		}
		slices.SortFunc(sums, bytes.Compare)
		sums = slices.CompactFunc(sums, bytes.Equal)
		ended, err := d.BlockKeys(c.Context(), sums, o.reason)
		if err != nil {
			return err
		}
		said := "Nothing here had one of them."
		if len(ended) > 0 {
			said = "Out of use at once: " + strings.Join(ended, ", ") + "."
		}
		return o.said(c, map[string]any{"blocked": len(sums), "ended": ended}, "%d public keys are blocked. %s", len(sums), said)
	})
	return c
}

// spkiSum gives the checksum of a public key that is named by it, or by a file.
func spkiSum(c *cobra.Command, arg string) ([]byte, error) {
	if sum := sumOf(arg); sum != nil {
		return sum, nil
	}
	file, err := readCertificate(c, arg)
	var leak *cert.PrivateKeyError
	switch {
	case err == nil:
		return registry.SPKISum(file.PublicKey)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w; and it is no SHA-256 checksum (64 hexadecimal digits)", err)
	case !errors.As(err, &leak):
		return nil, err
	case leak.PublicKeySHA256 == "":
		return nil, fmt.Errorf("%w\nTo block it, name its certificate, or the SHA-256 of its public key", err)
	}
	fmt.Fprintf(c.ErrOrStderr(), "sealane: %s holds a private key; what is blocked is its public key, %s\n", printable(arg), leak.PublicKeySHA256)
	return hex.DecodeString(leak.PublicKeySHA256)
}
