package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/registry"
)

func auditList(flags *registryFlags) *cobra.Command {
	var after int64
	var limit int
	c := &cobra.Command{Use: "list", Short: "List changes, the newest last", Args: cobra.NoArgs}
	c.Flags().Int64Var(&after, "after", -1, "begin after this number (default: the newest)")
	c.Flags().IntVar(&limit, "limit", 50, "maximum number")
	c.RunE = flags.withView(func(c *cobra.Command, v view, _ []string) error {
		var records []audit.Record
		var head audit.Head
		from := after
		err := v.View(c.Context(), func(tx registry.Tx) (err error) {
			if head, err = tx.AuditHead(); err != nil {
				return err
			}
			if after < 0 {
				from = max(0, head.Seq-int64(limit))
			}
			records, err = tx.AuditRecords(from, limit)
			return err
		})
		if err != nil {
			return err
		}
		err = flags.show(c, records, "NUMBER,TIME (UTC),WHO,ACTION,WHAT,REASON", func(add func(...any)) {
			for _, r := range records {
				add(r.Seq, r.Time, r.Actor, r.Action, r.Subject, r.Reason)
			}
		})
		if err != nil || len(records) == 0 {
			return err
		}
		switch last := records[len(records)-1].Seq; {
		case after < 0 && from > 0:
			warn(c, "there are %d older changes: sealane audit list --after 0 (or --limit %d)", from, head.Seq)
		case last < head.Seq:
			warn(c, "there are %d newer changes: sealane audit list --after %d", head.Seq-last, last)
		}
		return nil
	})
	return c
}
