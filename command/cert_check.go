package command

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/keydir"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/profile"
)

func newCertCheck() *cobra.Command {
	var profileName, keyID, env string
	var asJSON bool
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Check a certificate against each of a partner's rules",
		Long: `Check reads a certificate in any format (PEM, DER, PKCS #7, JWK, base64 without PEM
lines), which it recognizes by its content. For each rule of the profile it writes
whether the certificate follows it, and what to do if not. The exit code is 3 if a
rule refuses the certificate.`,
		Example: `  sealane cert check --profile rdx bank.cer
  sealane cert check --profile rdx --env STAG \
      --key-id 1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG bank.p7b`,
		Args: cobra.ExactArgs(1),
	}
	f := c.Flags()
	f.StringVar(&profileName, "profile", "", profileHelp)
	f.StringVar(&keyID, "key-id", "", "key ID (alias) to compare with the certificate")
	f.StringVar(&env, "env", "", "environment of the key ID")
	f.BoolVar(&asJSON, "json", false, "write JSON")
	must(c.MarkFlagRequired("profile"))
	c.RunE = func(c *cobra.Command, args []string) error {
		p, err := profile.Load(profileName)
		if err != nil {
			return err
		}
		file, _, err := readKeyFile(c, args[0])
		if err != nil {
			return err
		}
		if len(file.Certificates) == 0 {
			return refused(fmt.Errorf("%s is a %s: there is no certificate to check", args[0], file.Format))
		}
		verdict := cert.Check(file.Certificates[0], p.Certificate, time.Now())
		if keyID != "" {
			verdict = append(verdict, keyIDRule(p.Certificate, keyID, env, file))
		}
		if asJSON {
			err = writeJSON(c.OutOrStdout(), verdict)
		} else {
			printVerdict(c.OutOrStdout(), file, verdict)
		}
		if err == nil && verdict.Refused() {
			err = refused(nil)
		}
		return err
	}
	return c
}

// keyIDRule compares a key ID with the certificate that it names.
func keyIDRule(d cert.Policy, keyID, env string, file *keyfile.File) cert.Finding {
	rule := cert.Finding{
		Code: "key-id", Name: "key ID (alias)", Level: cert.OK, Found: keyID,
		Wanted: "well formed, and of the certificate's size and environment",
	}
	if err := keydir.CheckKeyID(d, keyID, env, file.PublicKey); err != nil {
		rule.Level, rule.Remedy = cert.Refused, err.Error()
	}
	return rule
}

var levels = map[cert.Level]string{cert.OK: "ok", cert.Warning: "WARNING", cert.Refused: "REFUSED"}

func printVerdict(w io.Writer, file *keyfile.File, verdict cert.Verdict) {
	fmt.Fprintf(w, "%s, %s\n\n", file.Format, printable(cert.Name(file.Certificates[0].RawSubject)))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range verdict {
		fmt.Fprintf(t, "%s\t%s\t%s\n", levels[r.Level], r.Name, r.Found)
	}
	t.Flush()
	for _, r := range verdict {
		if r.Remedy != "" {
			fmt.Fprintf(w, "\n%s: %s\n  wanted: %s\n  do: %s\n", levels[r.Level], r.Name, r.Wanted, r.Remedy)
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
