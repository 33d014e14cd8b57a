package command

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/termtext"
)

func newShow() *cobra.Command {
	c := &cobra.Command{
		Use:   "show IDENTITY",
		Short: "Show everything about a certificate, key pair, renewal or request",
		Long: `Show prints what is known about a certificate or key pair: its names, dates and
checksums, who received, compared and approved it, the findings and waivers, the wrong
checksums, how often the nodes have used it, and, for comparison, the certificate that is
in use in the same lane.

Of a renewal (n-…) it prints the steps with who and when, the order, the hold and the
mail, what each of its two keys may do, and which nodes do not have it yet.`,
		Args: cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	show := does(flags, operation.Show, identity, func(c *cobra.Command, s operation.Shown) error {
		writeShown(c.OutOrStdout(), s)
		return nil
	})
	request := does(flags, operation.ShowRequest, requestNamed, func(c *cobra.Command, r operation.Request) error {
		writeRequest(c.OutOrStdout(), r)
		return nil
	})
	change := does(flags, operation.ShowRenewal, renewalNamed, func(c *cobra.Command, n operation.ShownRenewal) error {
		writeShownRenewal(c.OutOrStdout(), n)
		return nil
	})
	c.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case operation.IsRequest(args[0]):
			return request(c, args)
		case operation.IsRenewal(args[0]):
			return change(c, args)
		}
		return show(c, args)
	}
	return c
}

// requestNamed is the input of a verb that takes one request.
func requestNamed(_ *cobra.Command, args []string) (operation.RequestName, error) {
	return operation.RequestName{Request: args[0]}, nil
}

// identity is the input of a verb that takes one certificate or key pair.
func identity(_ *cobra.Command, args []string) (operation.ID, error) {
	return operation.ID{ID: args[0]}, nil
}

func writeShown(w io.Writer, s operation.Shown) {
	writeFacts(w, s)
	fmt.Fprintf(w, "Next: %s\n", nextLines(s.Next, "  "))
}

func writeFacts(w io.Writer, s operation.Shown) {
	fmt.Fprintf(w, "%s: %s\n", noun(s.ID), s.State)
	var before operation.CertificateFacts
	if s.Replaces != nil {
		before = *s.Replaces
		fmt.Fprintf(w, "In use now: certificate %s\n", before.ID)
	}
	old := factLines(before)
	for i, line := range factLines(s.Certificate) {
		if line.text == "" {
			continue
		}
		fmt.Fprintf(w, "  %-15s %s\n", line.name, printable(line.text))
		if was := old[i].text; s.Replaces != nil && was != line.text {
			fmt.Fprintf(w, "  %-15s %s\n", "  now", cellText(was))
		}
	}
	if k := s.KeyPair; k != nil {
		fmt.Fprintf(w, "  %-15s %s, %s on %s\n", "custodian", k.Custodian, k.Origin, timeText(k.Created))
		for _, line := range []factLine{
			{"exported", exportedText(s.Exported)}, {"offers", offersText(s.Offers)},
			{"  waiting for", strings.Join(s.Waiting, ", ")},
		} {
			if line.text != "" {
				fmt.Fprintf(w, "  %-15s %s\n", line.name, wrap(printable(line.text), strings.Repeat(" ", 18)))
			}
		}
	}
	if n := s.Renewal; n != nil {
		text := fmt.Sprintf("%s is %s: %s → %s", n.ID, n.Step, n.Replaces, cmp.Or(n.Successor, "no successor yet"))
		fmt.Fprintf(w, "  %-15s %s\n", "renewal", printable(text))
		for _, k := range n.Keys {
			if k.ID == s.ID {
				fmt.Fprintf(w, "  %-15s %s\n", "used for", useText(n.Owner == operation.Ours, k))
			}
		}
	}
	writeProvenance(w, s.Certificate)
	writeUses(w, s)
}

// writeUses writes how often a key was used, by node and direction.
func writeUses(w io.Writer, s operation.Shown) {
	for _, u := range s.Uses {
		whose := "of ours"
		if u.Direction == "in" {
			whose = "of the partner"
		}
		if u.Partners > 1 {
			whose += fmt.Sprintf(" (%d partners)", u.Partners)
		}
		text := fmt.Sprintf("on node %s for %s %s", u.Node, termtext.Counted(int(u.Count), "message"), whose)
		fmt.Fprintf(w, "  %-15s %s\n", "used", printable(text))
		fmt.Fprintf(w, "  %-15s first %s, last %s\n", "", timeText(u.First), timeText(u.Last))
	}
	if len(s.Uses) > 0 {
		fmt.Fprintf(w, "  %-15s %s\n", "", "(as the nodes say: uses are not audited)")
	}
}

// factLine is a fact that two certificates are compared by.
type factLine struct{ name, text string }

func factLines(c operation.CertificateFacts) []factLine {
	lines := []factLine{
		{"partner", c.Partner}, {"environment", c.Environment}, {"key ID", c.KeyID}, {"subject", c.Subject},
		{"issuer", c.Issuer}, {"contact", strings.Join(c.Emails, ", ")},
		{"serial number", c.Serial}, {"  decimal", c.SerialDecimal},
		{"valid from", timeText(c.NotBefore)}, {"valid until", timeText(c.NotAfter)},
		{"key", fmt.Sprintf("RSA, %d bits", c.Bits)}, {"SHA-256", fmt.Sprintf("%x", c.SHA256)},
		{"  public key", fmt.Sprintf("%x", c.SPKISHA256)},
	}
	return lines
}

// writeApproval writes who has approved a certificate, and on which evidence.
func writeApproval(w io.Writer, c operation.CertificateFacts) {
	writeBy(w, "approved", c.Provenance.Change, c.Provenance.ApprovedBy)
	writeBy(w, "  call-back", c.Provenance.CallBack, "")
}

// writeBy writes a line with a text, and by whom it is, if there is one of them.
func writeBy(w io.Writer, name, text, by string) {
	if by != "" {
		text = strings.TrimSuffix("by "+by+", "+text, ", ")
	}
	if text != "" {
		fmt.Fprintf(w, "  %-15s %s\n", name, printable(text))
	}
}

// writeProvenance writes who let a partner's certificate in, and on which evidence.
func writeProvenance(w io.Writer, c operation.CertificateFacts) {
	p := c.Provenance
	for _, line := range []struct{ name, text, by string }{
		{"received", p.Format, p.ReceivedBy}, {"  mail from", p.From, ""},
		{"matched", p.MatchedAs, p.MatchedBy}, {"  checksum", p.Checksum, ""}, {"possession", p.Possession, ""},
		{"rejected", p.Rejected, ""},
	} {
		writeBy(w, line.name, line.text, line.by)
	}
	writeApproval(w, c)
	for _, f := range p.Findings {
		fmt.Fprintf(w, "  %-15s %s\n", "finding", printable(f.String()))
	}
	for _, v := range p.Waivers {
		granted := "not granted yet"
		if v.Granted != "" {
			granted = "granted by " + v.Granted
		}
		fmt.Fprintf(w, "  %-15s %s\n", "waiver",
			printable(fmt.Sprintf("rule %s: %s (asked by %s, %s)", v.Rule, v.Reason, v.Asked, granted)))
	}
	for _, m := range p.Mismatches {
		fmt.Fprintf(w, "  %-15s %s\n", "MISMATCH",
			printable(fmt.Sprintf("%s, by %s: %s", timeText(m.At), m.By, m.What)))
	}
}
