package main

import (
	"crypto/x509"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/keydir"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/profile"
)

func newCert() *cobra.Command {
	c := &cobra.Command{Use: "cert", Short: "Make, check and show certificates"}
	c.AddCommand(newCertCreate(), newCertCheck(), newCertShow(), newCertConvert())
	return c
}

func newCertCheck() *cobra.Command {
	var profileName, keyID, env string
	var asJSON bool
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Hold a certificate against a partner's rules, with a verdict for each",
		Long: `Check reads a certificate in any of the formats (PEM, DER, PKCS #7, JWK, base64
without PEM lines), recognised by its content, and gives a verdict for each rule
of the profile, with what to do. It exits with 3 when one refuses.`,
		Example: `  sealane cert check --profile rdx bank.cer
  sealane cert check --profile rdx --key-id 1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG --env STAG bank.p7b`,
		Args: cobra.ExactArgs(1),
	}
	f := c.Flags()
	f.StringVar(&profileName, "profile", "", "dialect: riskos, rdx, or a profile file (required)")
	f.StringVar(&keyID, "key-id", "", "key ID (alias) to hold against the certificate too")
	f.StringVar(&env, "env", "", "environment of the key ID")
	f.BoolVar(&asJSON, "json", false, "write JSON")
	must(c.MarkFlagRequired("profile"))
	c.RunE = func(c *cobra.Command, args []string) error {
		p, err := profile.Load(profileName)
		if err != nil {
			return err
		}
		data, err := readInput(c, args[0], 1<<20)
		if err != nil {
			return err
		}
		file, err := keyfile.Parse(data)
		if err != nil {
			return refused(fmt.Errorf("%s: %w", args[0], err))
		}
		if len(file.Certificates) == 0 {
			return refused(fmt.Errorf("%s is a %s: there is no certificate to check", args[0], file.Format))
		}
		verdict := cert.Check(file.Certificates[0], p.Certificate, time.Now())
		if keyID != "" {
			verdict = append(verdict, keyIDRule(p.Certificate, keyID, env, file))
		}
		if asJSON {
			if err := writeJSON(c.OutOrStdout(), verdict); err != nil {
				return err
			}
		} else {
			printVerdict(c.OutOrStdout(), file, verdict)
		}
		if verdict.Refused() {
			return refused(nil)
		}
		return nil
	}
	return c
}

// keyIDRule is the verdict on a key ID and the certificate that it names.
func keyIDRule(d cert.Policy, keyID, env string, file *keyfile.File) cert.Finding {
	rule := cert.Finding{Code: "key-id", Name: "key ID (alias)", Level: cert.OK, Found: keyID, Wanted: "well formed, and true of the certificate"}
	if err := keydir.CheckKeyID(d, keyID, env, file.PublicKey); err != nil {
		rule.Level, rule.Remedy = cert.Refused, err.Error()
	}
	return rule
}

var marks = map[cert.Level]string{cert.OK: "ok", cert.Warning: "WARNING", cert.Refused: "REFUSED"}

func printVerdict(w io.Writer, file *keyfile.File, verdict cert.Verdict) {
	fmt.Fprintf(w, "%s, %s\n\n", file.Format, printable(file.Certificates[0].Subject.String()))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range verdict {
		fmt.Fprintf(t, "%s\t%s\t%s\n", marks[r.Level], r.Name, r.Found)
	}
	t.Flush()
	for _, r := range verdict {
		if r.Remedy != "" {
			fmt.Fprintf(w, "\n%s: %s\n  wanted: %s\n  do: %s\n", marks[r.Level], r.Name, r.Wanted, r.Remedy)
		}
	}
	switch {
	case verdict.Refused():
		fmt.Fprintln(w, "\nRefused.")
	case verdict.Warned():
		fmt.Fprintln(w, "\nAccepted, with warnings.")
	default:
		fmt.Fprintln(w, "\nAccepted.")
	}
}

func newCertShow() *cobra.Command {
	var asJSON, sha1 bool
	c := &cobra.Command{
		Use:   "show FILE",
		Short: "Show a certificate and every checksum that somebody may mean by its fingerprint",
		Args:  cobra.ExactArgs(1),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	c.Flags().BoolVar(&sha1, "sha1", false, "show SHA-1 too")
	c.RunE = func(c *cobra.Command, args []string) error {
		data, err := readInput(c, args[0], 1<<20)
		if err != nil {
			return err
		}
		file, err := keyfile.Parse(data)
		if err != nil {
			return refused(fmt.Errorf("%s: %w", args[0], err))
		}
		if len(file.Certificates) == 0 {
			return showBareKey(c.OutOrStdout(), file, asJSON)
		}
		leaf := file.Certificates[0]
		table := cert.Fingerprints(data, leaf)
		if !sha1 {
			for i := range table.Rows {
				table.Rows[i].SHA1 = cert.Digest{}
			}
		}
		if asJSON {
			return writeJSON(c.OutOrStdout(), struct {
				Format keyfile.Format `json:"format"`
				certFacts
				cert.FingerprintTable
			}{file.Format, factsOf(leaf), table})
		}
		printCertificate(c.OutOrStdout(), file, table)
		return nil
	}
	return c
}

func newCertConvert() *cobra.Command {
	var to, keyID string
	c := &cobra.Command{
		Use:   "convert FILE",
		Short: "Write a certificate in another format to standard output",
		Example: `  sealane cert convert --to pem provider.p7b > provider.pem
  sealane cert convert --to jwk --key-id provider-1 provider.cer`,
		Args: cobra.ExactArgs(1),
	}
	c.Flags().StringVar(&to, "to", "pem", "pem, der, p7b or jwk")
	c.Flags().StringVar(&keyID, "key-id", "", "key ID to write into a JWK (default its RFC 7638 thumbprint)")
	c.RunE = func(c *cobra.Command, args []string) error {
		file, err := readCertificate(c, args[0])
		if err != nil {
			return err
		}
		data, err := convert(file, to, keyID)
		if err != nil {
			return err
		}
		_, err = c.OutOrStdout().Write(data)
		return err
	}
	return c
}

func convert(file *keyfile.File, to, keyID string) ([]byte, error) {
	if to == "jwk" {
		if err := cert.CheckKey(file.PublicKey); err != nil {
			return nil, refused(err)
		}
		if keyID == "" {
			keyID = cert.ThumbprintJWK(file.PublicKey)
		}
		return keyfile.EncodeJWK(file.PublicKey, keyID, "")
	}
	if len(file.Certificates) == 0 {
		return nil, refused(fmt.Errorf("the file is a %s: there is no certificate to write", file.Format))
	}
	switch leaf := file.Certificates[0]; to {
	case "pem":
		return cert.EncodePEM(leaf), nil
	case "der":
		return leaf.Raw, nil
	case "p7b":
		return keyfile.EncodePKCS7(leaf)
	}
	return nil, &exit{exitUsage, fmt.Errorf("--to %q is not pem, der, p7b or jwk", to)}
}

// certFacts are what people compare.
type certFacts struct {
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	Serial    string    `json:"serial_hex"`
	SerialDec string    `json:"serial_decimal"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	Emails    []string  `json:"emails,omitempty"`
}

func factsOf(c *x509.Certificate) certFacts {
	return certFacts{c.Subject.String(), c.Issuer.String(), fmt.Sprintf("%x", c.SerialNumber), c.SerialNumber.String(),
		c.NotBefore.UTC(), c.NotAfter.UTC(), c.EmailAddresses}
}

func showBareKey(w io.Writer, file *keyfile.File, asJSON bool) error {
	bits, thumbprint := file.PublicKey.N.BitLen(), cert.ThumbprintJWK(file.PublicKey)
	if asJSON {
		return writeJSON(w, struct {
			Format     keyfile.Format `json:"format"`
			KeyID      string         `json:"key_id,omitempty"`
			Bits       int            `json:"bits"`
			Thumbprint string         `json:"thumbprint"`
		}{file.Format, file.KeyID, bits, thumbprint})
	}
	_, err := fmt.Fprintf(w, "%s, RSA %d bits, no certificate\nRFC 7638 thumbprint: %s\n", file.Format, bits, thumbprint)
	return err
}

func printCertificate(w io.Writer, file *keyfile.File, table cert.FingerprintTable) {
	facts := factsOf(file.Certificates[0])
	key := "not RSA"
	if file.PublicKey != nil {
		key = fmt.Sprintf("RSA %d bits", file.PublicKey.N.BitLen())
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{
		{"Format", string(file.Format)}, {"Subject", printable(facts.Subject)}, {"Issuer", printable(facts.Issuer)},
		{"Serial", printable(facts.Serial) + " (decimal " + printable(facts.SerialDec) + ")"}, {"Key", key},
		{"Valid", facts.NotBefore.Format(time.RFC3339) + " to " + facts.NotAfter.Format(time.RFC3339)},
		{"Email", printable(strings.Join(facts.Emails, ", "))},
	} {
		fmt.Fprintf(t, "%s\t%s\n", row[0], row[1])
	}
	t.Flush()
	for _, row := range table.Rows {
		fmt.Fprintf(w, "\nSHA-256 of %s\n  %s\n  %s\n  %s\n", row.Of, row.SHA256.Hex, row.SHA256.Colons, row.SHA256.Base64)
		if row.SHA1.Hex != "" {
			fmt.Fprintf(w, "SHA-1 of %s\n  %s\n  %s\n  %s\n", row.Of, row.SHA1.Hex, row.SHA1.Colons, row.SHA1.Base64)
		}
	}
	if table.Thumbprint != "" {
		fmt.Fprintf(w, "\nRFC 7638 thumbprint of the key (SHA-256)\n  %s\n", table.Thumbprint)
	}
}
