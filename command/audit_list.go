package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func auditList() *cobra.Command {
	var q operation.AuditQuery
	c := &cobra.Command{Use: "list", Short: "List changes, the newest last", Args: cobra.NoArgs}
	flags := registryVerb(c)
	c.Flags().Int64Var(&q.After, "after", -1, "begin after this number (default: the newest)")
	c.Flags().IntVar(&q.Limit, "limit", 50, "maximum number")
	input := func(*cobra.Command, []string) (operation.AuditQuery, error) { return q, nil }
	c.RunE = does(flags, operation.ListAudit, input, func(c *cobra.Command, page operation.AuditPage) error {
		t := newTable("NUMBER", "TIME", "WHO", "ACTION", "WHAT")
		for _, r := range page.Records {
			row := t.add(r.Seq, r.Time, r.Actor, r.Action, r.Subject)
			row.detail("reason", r.Reason)
		}
		if err := t.write(c.OutOrStdout()); err != nil || len(page.Records) == 0 {
			return err
		}
		switch last := page.Records[len(page.Records)-1].Seq; {
		case q.After < 0 && page.Earlier > 0:
			warn(c, "there are %d older changes: sealane audit list --after 0 (or --limit %d)",
				page.Earlier, last+page.Later)
		case page.Later > 0:
			warn(c, "there are %d newer changes: sealane audit list --after %d", page.Later, last)
		}
		return nil
	})
	return c
}
