package command

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

// renewalNamed is the input of a verb that takes a renewal, or a key that has a part in one.
func renewalNamed(_ *cobra.Command, args []string) (operation.RenewalName, error) {
	return operation.RenewalName{ID: args[0]}, nil
}

// writeRenewalStep reports that an act on a renewal succeeded, and what the next step is.
func writeRenewalStep(c *cobra.Command, n operation.ShownRenewal, format string, args ...any) error {
	if err := say(c, format, args...); err != nil {
		return err
	}
	return sayNext(c, n.Next)
}

// renewalDates are the deadlines of a renewal, and what stops it.
func renewalDates(n operation.RenewalStanding) []factLine {
	lines := []factLine{
		{"due", dateText(n.Due)}, {"answer wanted by", dateText(n.RespondBy)},
		{"overlap until", dateText(n.OverlapUntil)}, {"order", orderText(n.Order)}, {"mail", mailText(n.Mail)},
		{"ended", dateText(n.Closed)},
	}
	if n.Activated != 0 {
		lines[1].text = ""
	}
	if h := n.Hold; h != nil {
		lines = append(lines, factLine{"held", fmt.Sprintf("by %s since %s: %s", h.By, timeText(h.At), h.Reason)})
	}
	return lines
}

func orderText(o *operation.RenewalOrder) string {
	if o == nil {
		return ""
	}
	text := "as soon as it may be"
	if !o.At.IsZero() {
		text = timeText(o.At)
	}
	text += ", ordered by " + o.By
	if o.Released != "" {
		text += ", released by " + o.Released
	}
	if o.Change != "" {
		text += ", change " + o.Change
	}
	return text
}

func mailText(m *operation.RenewalMail) string {
	if m == nil {
		return ""
	}
	text := "planned on " + timeText(m.Planned)
	if len(m.To) > 0 {
		text += " for " + strings.Join(m.To, ", ")
	}
	if m.Ready {
		text += "; it says that the partner may replace its certificate"
	}
	if !m.Sent.IsZero() {
		text += "; sent on " + timeText(m.Sent) + " by " + m.SentBy
	}
	return text
}

func writeShownRenewal(w io.Writer, n operation.ShownRenewal) {
	fmt.Fprintf(w, "Renewal %s of %s: %s\n", n.ID, printable(n.Leg.String()), n.Step)
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(w, "  %-17s%s\n", name, wrap(printable(text), strings.Repeat(" ", 19)))
		}
	}
	line("replaces", n.Replaces)
	line("by", cmp.Or(n.Successor, "no successor yet"))
	line("part of", n.Campaign)
	for _, fact := range renewalDates(n.Standing) {
		line(fact.name, fact.text)
	}
	if n.Told != nil {
		line("key ID known", fmt.Sprintf("%s (recorded by %s on %s)", n.Told.Said, n.Told.By, timeText(n.Told.At)))
	}
	line("nodes without", strings.Join(n.Nodes, ", "))
	if p := n.Progress; p != nil {
		more := ""
		if p.MoreLate {
			more = " and more"
		}
		line("partners", fmt.Sprintf("%d have the certificate, %d of them use it", p.Offered, p.Installed))
		line("  no answer", strings.Join(p.Late, ", ")+more)
	}
	for _, k := range n.Keys {
		fmt.Fprintf(w, "%s: %s, RSA %d bits, until %s\n", noun(k.ID), k.State, k.Bits, dateText(k.NotAfter))
		line("key ID", k.KeyID)
		line("used for", useText(n.Owner == operation.Ours, k))
		line("last used", usedText(k))
	}
	for _, e := range n.Evidence {
		text := fmt.Sprintf("%s by %s, record %d", timeText(e.At), e.By, e.Record)
		if e.Text != "" {
			text += ": " + e.Text
		}
		line(string(e.Step), text)
	}
	fmt.Fprintf(w, "Next: %s\n", nextLines(n.Next, "  "))
}

// useText says what a key may do now.
func useText(ours bool, k operation.RenewalKey) string {
	seals, opens := "encrypting what we send", "verifying what they send"
	if ours {
		seals, opens = "signing what we send", "opening what they send"
	}
	switch {
	case k.Seals && k.Opens:
		return seals + ", and " + opens
	case k.Opens:
		return opens
	case k.Seals:
		return seals
	}
	return "nothing"
}

// usedText says when nodes have used a key last.
func usedText(k operation.RenewalKey) string {
	var last operation.LastUse
	for _, u := range k.Used {
		if u.Direction == "in" && u.Last.After(last.In) {
			last.In = u.Last
		}
		if u.Direction == "out" && u.Last.After(last.Out) {
			last.Out = u.Last
		}
	}
	return lastUseText(last)
}
