package command

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func noticeWhy() *cobra.Command {
	var day string
	var in operation.NoticeWhy
	c := &cobra.Command{
		Use:   "why IDENTITY|ADDRESS",
		Short: "Say why a notice was sent, or was not",
		Long: `Why says which notices there are about a renewal, certificate or key pair, or to a contact,
what became of each, which are due now or on another day, and why there is none.`,
		Example: `  sealane notice why c-4w7jr2kq5d
  sealane notice why c-4w7jr2kq5d --day 2027-01-15
  sealane notice why pki@bank.example`,
		Args: cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	c.Flags().StringVar(&day, "day", "", "look at the end of this `day`, in UTC (default now)")
	config := addNotify(c)
	c.Flags().StringVar(&in.Partner, "partner", "", "the partner, where several share the key pair")
	input := func(_ *cobra.Command, args []string) (operation.NoticeWhy, error) {
		in.Of, in.Config = args[0], *config
		if day != "" {
			at, err := time.Parse(time.DateOnly, day)
			if err != nil {
				return in, usage("--day: write the day as 2027-01-31")
			}
			in.At = at.AddDate(0, 0, 1).Add(-time.Second)
		}
		return in, nil
	}
	c.RunE = does(flags, operation.WhyNotice, input, writeWhy)
	return c
}

// writeWhy writes why there are notices, or none.
func writeWhy(c *cobra.Command, out operation.NoticeReason) error {
	lines := []string{}
	if out.Certificate != "" {
		lines = append(lines, fmt.Sprintf("certificate %s ends on %s: %d days left", out.Certificate,
			timeText(out.Ends), out.Left))
	}
	if out.Renewal != "" {
		lines = append(lines, fmt.Sprintf("renewal %s is %s", out.Renewal, out.Step))
	}
	if out.Days != nil {
		lines = append(lines, "notices are due so many days before the end: "+strings.Trim(fmt.Sprint(out.Days), "[]"))
	}
	lines = append(lines, "reason: "+string(out.Reason))
	if out.Ack != nil {
		lines = append(lines, fmt.Sprintf("acknowledged by %s until %s: %s", out.Ack.By, timeText(out.Ack.Until),
			out.Ack.Reason))
	}
	if !out.Next.IsZero() && out.Next.Year() < 3000 {
		lines = append(lines, "looked at next: "+timeText(out.Next))
	}
	for _, n := range out.Wanted {
		lines = append(lines, fmt.Sprintf("due: %s to %s, %s", n.Kind, n.To, noticeText(n)))
	}
	for _, n := range out.There {
		lines = append(lines, fmt.Sprintf("mail %s: %s to %s, %s", n.Mail, n.Kind, n.To, noticeText(n)))
	}
	for _, n := range out.Accepted {
		lines = append(lines, fmt.Sprintf("accepted on %s: %s to %s", timeText(n.At), n.Kind, n.To))
	}
	for _, line := range lines {
		if err := say(c, "%s", printable(line)); err != nil {
			return err
		}
	}
	return nil
}
