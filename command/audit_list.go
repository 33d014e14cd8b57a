package command

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func auditList() *cobra.Command {
	var q operation.AuditQuery
	var since, until, newest string
	c := &cobra.Command{
		Use:   "list",
		Short: "List changes, the newest last",
		Long: `List shows the newest changes that match. --identity is that of a certificate, key pair,
API key, partner or person. --since and --until are days (2026-11-21) or times
(2026-11-21T08:00:00Z); a day of --until counts whole.`,
		Example: `  sealane audit list --partner acme --action exchange.approve
  sealane audit list --identity c-7k2m4q6z3x
  sealane audit list --who ben --since 2026-11-01 --until 2026-11-30`,
		Args: cobra.NoArgs,
	}
	flags := registryVerb(c)
	f := c.Flags()
	f.StringVar(&q.Partner, "partner", "", "only changes of this partner")
	f.StringVar(&q.Environment, "env", "", "only changes of this environment")
	f.StringVar(&q.Who, "who", "", "only changes by this person or program")
	f.StringVar((*string)(&q.Action), "action", "", "only changes of this kind, such as exchange.approve")
	f.StringVar(&q.Identity, "identity", "", "only changes of this certificate, key pair, API key, partner or person")
	f.StringVar(&since, "since", "", "only changes from this day or time on")
	f.StringVar(&until, "until", "", "only changes until this day or time")
	f.Int64Var(&q.After, "after", 0, "only changes after this number, beginning with the oldest")
	f.Int64Var(&q.Before, "before", 0, "only changes before this number")
	f.IntVar(&q.Limit, "limit", 50, "maximum number")
	f.StringVar(&newest, "newest", "last", "where the newest change is in the list: first or last")
	input := func(c *cobra.Command, _ []string) (_ operation.AuditQuery, err error) {
		if q.Since, err = dayOrTime("since", since, false); err != nil {
			return q, err
		}
		if q.Until, err = dayOrTime("until", until, true); err != nil {
			return q, err
		}
		if newest != "first" && newest != "last" {
			return q, usage("--newest is first or last")
		}
		q.Oldest = c.Flags().Changed("after")
		return q, nil
	}
	c.RunE = does(flags, operation.ListAudit, input, func(c *cobra.Command, page operation.AuditPage) error {
		return writeAudit(c, page, newest == "first")
	})
	return c
}

// dayOrTime returns the time that a flag names; of a day, its beginning or its end, in UTC.
func dayOrTime(flag, text string, end bool) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		if end {
			day = day.AddDate(0, 0, 1)
		}
		return day, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, usage(fmt.Sprintf("--%s is a day (2026-11-21) or a time (2026-11-21T08:00:00Z)", flag))
	}
	return at, nil
}

func writeAudit(c *cobra.Command, page operation.AuditPage, newestFirst bool) error {
	t := newTable("NUMBER", "TIME", "WHO", "ACTION", "WHAT")
	for i := range page.Records {
		r := page.Records[i]
		if newestFirst {
			r = page.Records[len(page.Records)-1-i]
		}
		row := t.add(r.Seq, r.Time, r.Actor, r.Action, r.Subject)
		if r.Partner != "" && !slices.Contains(strings.Split(r.Subject, "/")[1:], r.Partner) {
			row.detail("partner", strings.TrimSpace(r.Partner+" "+r.Environment))
		}
		row.detail("reason", r.Reason)
		row.detail("change", r.Change)
		row.detail("call-back", r.CallBack)
	}
	warnDamaged(c, page.Damaged)
	if err := t.write(c.OutOrStdout()); err != nil || len(page.Records) == 0 {
		return err
	}
	if page.Earlier {
		warn(c, "there are older changes: add --before %d", page.Records[0].Seq)
	}
	if page.Later {
		warn(c, "there are newer changes: add --after %d", page.Records[len(page.Records)-1].Seq)
	}
	return nil
}
