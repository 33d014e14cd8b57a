package command

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/keyfile"
)

// identityForm is that of a certificate or key pair of the registry.
var identityForm = regexp.MustCompile(`^[ck]-[a-z2-7]{10}$`)

func newCertShow() *cobra.Command {
	var asJSON, sha1 bool
	c := &cobra.Command{
		Use:   "show FILE",
		Short: "Show a certificate, and every checksum that people call its fingerprint",
		Args:  cobra.ExactArgs(1),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	c.Flags().BoolVar(&sha1, "sha1", false, "show SHA-1 too")
	c.RunE = func(c *cobra.Command, args []string) error {
		file, data, err := readKeyFile(c, args[0])
		if errors.Is(err, fs.ErrNotExist) && identityForm.MatchString(args[0]) {
			return fmt.Errorf("%w; for what the registry has: sealane show %s", err, args[0])
		} else if err != nil {
			return err
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

// certFacts are the parts of a certificate that people compare.
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
	return certFacts{
		cert.Name(c.RawSubject),
		cert.Name(c.RawIssuer),
		fmt.Sprintf("%x", c.SerialNumber),
		c.SerialNumber.String(),
		c.NotBefore.UTC(),
		c.NotAfter.UTC(),
		c.EmailAddresses,
	}
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
	_, err := fmt.Fprintf(w, "%s, RSA %d bits, no certificate\nRFC 7638 thumbprint: %s\n",
		file.Format, bits, thumbprint)
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
		{"Valid", timeText(facts.NotBefore) + " to " + timeText(facts.NotAfter)},
		{"Email", printable(strings.Join(facts.Emails, ", "))},
	} {
		fmt.Fprintf(t, "%s\t%s\n", row[0], row[1])
	}
	t.Flush()
	for _, c := range file.Unused {
		fmt.Fprintf(w, "\nNot part of its chain, and left out: %s\n", printable(cert.Name(c.RawSubject)))
	}
	for _, row := range table.Rows {
		fmt.Fprintln(w)
		printDigest(w, fmt.Sprint("SHA-256 of ", row.Of), row.SHA256)
		if row.SHA1.Hex != "" {
			printDigest(w, fmt.Sprint("SHA-1 of ", row.Of), row.SHA1)
		}
	}
	if table.Thumbprint != "" {
		fmt.Fprintf(w, "\nRFC 7638 thumbprint of the key (SHA-256)\n  %s\n", table.Thumbprint)
	}
}

func printDigest(w io.Writer, name string, d cert.Digest) {
	fmt.Fprintf(w, "%s\n  %s\n  %s\n  %s\n", name, d.Hex, d.Colons, d.Base64)
}
