package command

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func auditReport() *cobra.Command {
	var q operation.AuditReportQuery
	var since string
	c := &cobra.Command{
		Use:   "report PARTNER",
		Short: "Write for an auditor who approved what on which evidence, and when",
		Long: `Report writes each certificate and key of both sides, with where it came from, who compared
its checksum and how, who approved it, and since when it is in use; each renewal with its
evidence; and then every recorded change of the partner with what it says, the oldest
first. It names the record with which the log ended, so that the report can be compared
with the log (sealane audit verify). It has no secret.`,
		Example: `  sealane audit report acme > acme.txt
  sealane audit report acme --env PROD --since 2026-01-01 --json`,
		Args: cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	f := c.Flags()
	f.StringVar(&q.Environment, "env", "", "only what is in this environment")
	f.StringVar(&since, "since", "", "only changes from this day or time on")
	f.Int64Var(&q.After, "after", 0, "only changes after this number, for the next part")
	input := func(_ *cobra.Command, args []string) (_ operation.AuditReportQuery, err error) {
		q.Partner = args[0]
		q.Since, err = dayOrTime("since", since, false)
		return q, err
	}
	c.RunE = does(flags, operation.ReportAudit, input, writeAuditReport)
	return c
}

func writeAuditReport(c *cobra.Command, r operation.AuditReport) error {
	warnDamaged(c, r.Damaged)
	w := reportWriter{c: c}
	w.line("Audit report of partner %s (%s), profile %s", r.Partner, r.Name, r.Profile)
	w.line("Environment: %s", cmp.Or(r.Environment, "all"))
	w.line("Changes since: %s", cmp.Or(dateText(r.Since), "the beginning"))
	w.line("Made on %s, of the audit log up to record %d", timeText(r.At), r.Record)
	w.line("with hash %s", r.Hash)

	w.line("\nKEYS AND CERTIFICATES (%d)", len(r.Keys))
	for _, k := range r.Keys {
		w.key(k)
	}
	w.line("\nRENEWALS (%d)", len(r.Renewals))
	for _, n := range r.Renewals {
		w.line("\n%s of %s in %s: %s → %s, %s", n.ID, n.Owner, n.Environment, n.Replaces,
			cmp.Or(n.Successor, "no successor yet"), n.Step)
		for _, e := range n.Evidence {
			text := fmt.Sprintf("%s by %s, record %d %s", e.Step, e.By, e.Record, e.Text)
			w.fact(auditTime(e.At), strings.TrimSpace(text))
		}
		for _, m := range n.Notices {
			w.fact(auditTime(m.At), fmt.Sprintf("%s to %s, %d days before the end, accepted in mail %s", m.Kind, m.To,
				m.Days, m.Mail))
		}
		if a := n.Ack; a != nil {
			w.fact(auditTime(a.At), fmt.Sprintf("notices acknowledged by %s until %s: %s", a.By,
				auditTime(a.Until), a.Reason))
		}
	}
	w.line("\nCHANGES (%d)", len(r.Events))
	for _, e := range r.Events {
		w.line("\n%d  %s  %s  %s", e.Record, auditTime(e.Time), e.Who, e.Action)
		w.fact("of", strings.TrimSpace(e.Subject+" "+e.Environment))
		w.fact("reason", e.Reason)
		for _, fact := range e.Facts {
			name, text, _ := strings.Cut(fact, ": ")
			w.fact(name, text)
		}
	}
	if w.err == nil && r.More > 0 {
		warn(c, "there are more changes: add --after %d", r.More)
	}
	return w.err
}

// auditTime is a time to the second, for comparison with the log.
func auditTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// reportWriter writes lines until one can't be written.
type reportWriter struct {
	c   *cobra.Command
	err error
}

func (w *reportWriter) line(format string, args ...any) {
	for i, arg := range args {
		if text, is := arg.(string); is {
			args[i] = printable(text)
		}
	}
	if w.err == nil {
		w.err = say(w.c, format, args...)
	}
}

// fact writes what is known, if there is something.
func (w *reportWriter) fact(name, text string) {
	if text != "" && w.err == nil {
		w.err = say(w.c, "    %s", wrap(printable(name)+": "+printable(text), "      "))
	}
}

func (w *reportWriter) at(name string, at time.Time) {
	if !at.IsZero() {
		w.fact(name, auditTime(at))
	}
}

// key writes a certificate as it is now.
func (w *reportWriter) key(k operation.AuditedKey) {
	id := k.ID
	if k.KeyPair != "" {
		id = k.KeyPair + " (certificate " + k.ID + ")"
	}
	w.line("\n%s, %s, %s: %s", id, string(k.Owner), k.Environment, string(k.State))
	w.fact("common name", k.CommonName)
	w.fact("issuer", k.Issuer)
	w.fact("serial number", k.Serial)
	w.fact("SHA-256", fmt.Sprintf("%x", k.SHA256))
	w.fact("key", fmt.Sprintf("RSA %d bits", k.Bits))
	w.fact("key ID", k.KeyID)
	w.fact("valid", auditTime(k.NotBefore)+" to "+auditTime(k.NotAfter))
	w.at("use must end", k.EndOfUse())
	w.at("stored", k.Created)
	w.at("active since", k.Activated)
	w.at("in this state since", k.Changed)
	if k.Custodian != "" {
		w.fact("origin", k.Origin+" by "+k.Custodian)
	}
	if k.Shared {
		w.fact("shared", "with other partners of the profile")
	}
	if o := k.Offer; o != nil {
		w.at("offered", o.At)
		w.at("installed by the partner", o.Installed)
		w.fact("their word", o.Said)
		w.at("active for the partner since", o.Confirmed)
	}
	p := k.Provenance
	w.fact("file", strings.TrimSpace(p.Name+" "+p.Format))
	if len(p.FileSHA256) > 0 {
		w.fact("SHA-256 of the file", fmt.Sprintf("%x", p.FileSHA256))
	}
	w.fact("sender", p.From)
	w.fact("received by", p.ReceivedBy)
	w.fact("checksum confirmed by", p.MatchedBy)
	w.at("checksum confirmed on", p.Matched)
	w.fact("checksum of the second message", p.Checksum)
	w.fact("it is", p.MatchedAs)
	w.fact("possession of the private key", p.Possession)
	w.fact("approved by", p.ApprovedBy)
	w.fact("change", p.Change)
	w.fact("call-back", p.CallBack)
	w.fact("rejected because", p.Rejected)
	for _, one := range p.Waivers {
		w.fact("waiver", fmt.Sprintf("rule %s: %s; asked by %s, %s, on %s", one.Rule, one.Reason, one.Asked,
			cmp.Or(one.Granted, "not granted"), auditTime(one.At)))
	}
	for _, one := range p.Mismatches {
		w.fact("mismatch", fmt.Sprintf("%s by %s: %s", auditTime(one.At), one.By, one.What))
	}
	if k.Alarm != nil {
		w.fact("alarm", fmt.Sprintf("%s by %s: %s", auditTime(k.Alarm.At), k.Alarm.By, k.Alarm.What))
	}
}
