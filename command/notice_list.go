package command

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func noticeList() *cobra.Command {
	var q operation.NoticeQuery
	var days int
	c := &cobra.Command{
		Use:   "list",
		Short: "List the mails that wait, and those of the last days",
		Long: `List shows the mails of the outbox with the notices in each: to whom, about which
certificate, and what the mail server said.`,
		Example: `  sealane notice list --open
  sealane notice list --partner acme --days 90`,
		Args: cobra.NoArgs,
	}
	flags := registryVerb(c)
	f := c.Flags()
	f.BoolVar(&q.Open, "open", false, "only those that wait")
	f.StringVar(&q.Partner, "partner", "", "only those to this partner")
	f.StringVar(&q.To, "to", "", "only those to this address")
	f.IntVar(&days, "days", 0, "only those that ended within this number of `days`")
	f.IntVar(&q.Limit, "limit", 100, "maximum number")
	f.StringVar(&q.After, "after", "", "begin after this mail, for the next page")
	c.MarkFlagsMutuallyExclusive("open", "days")
	input := func(*cobra.Command, []string) (operation.NoticeQuery, error) {
		if days > 0 {
			q.Since = now().AddDate(0, 0, -days)
		}
		return q, nil
	}
	c.RunE = does(flags, operation.ListNotices, input, func(c *cobra.Command, list operation.NoticeList) error {
		warnDamaged(c, list.Damaged)
		for _, count := range list.Counts {
			since := timeText(count.Oldest)
			if err := say(c, "%d %s, the oldest since %s", count.Count, count.State, since); err != nil {
				return err
			}
		}
		if len(list.Mails) == 0 {
			return say(c, "No mail.")
		}
		t := newTable("MAIL", "KIND", "PARTNER", "STATE", "SINCE")
		for _, m := range list.Mails {
			since := m.Ended
			if since.IsZero() {
				since = m.Planned
			}
			row := t.add(m.ID, m.Kind, cmp.Or(m.Partner, "our own"), m.State, timeText(since))
			row.detail("to", m.To)
			row.detail("subject", m.Subject)
			if by := operation.SentBy(m.Mail); by != "" {
				row.detail("by", by+", by hand")
			}
			row.detail("server", answerText(m.Mail))
			for _, n := range m.Notices {
				row.detail(n.Certificate, noticeText(n))
			}
		}
		if err := t.write(c.OutOrStdout()); err != nil {
			return err
		}
		if list.More != "" {
			warn(c, "there are more mails: sealane notice list --after %s", list.More)
		}
		return nil
	})
	return c
}

// now is the present time of the command line.
func now() time.Time {
	if clock != nil {
		return clock()
	}
	return time.Now()
}

// answerText returns what the mail server said last.
func answerText(m operation.Mail) string {
	text := m.Words
	if operation.SentBy(m) != "" {
		text = ""
	}
	if m.Code != 0 {
		text = strconv.Itoa(m.Code) + " " + text
	}
	if m.Bounced != "" {
		text += " (came back: " + m.Bounced + ")"
	}
	return strings.TrimSpace(text)
}

// noticeText returns a notice as one line.
func noticeText(n operation.Notice) string {
	text := fmt.Sprintf("%s, %d days before the end", n.Environment, n.Days)
	switch {
	case n.Days == 0:
		text = n.Environment + ", on the day of the end"
	case n.Days < 0:
		text = fmt.Sprintf("%s, %d days after the end", n.Environment, -n.Days)
	}
	if n.Outcome != "" {
		text += ": " + string(n.Outcome)
	}
	if n.Why != "" {
		text += " (" + n.Why + ")"
	}
	return text
}
