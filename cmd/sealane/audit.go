package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/registry"
)

func newAudit() *cobra.Command {
	c := &cobra.Command{Use: "audit", Short: "The record of every change: list, verify, export"}
	flags := addRegistryFlags(c)
	c.AddCommand(auditList(flags), auditVerify(flags), auditExport(flags), auditAnchor(flags))
	return c
}

func auditList(flags *registryFlags) *cobra.Command {
	var after int64
	var limit int
	c := &cobra.Command{Use: "list", Short: "List changes, the newest last", Args: cobra.NoArgs}
	c.Flags().Int64Var(&after, "after", -1, "those behind this number (default: the newest)")
	c.Flags().IntVar(&limit, "limit", 50, "how many at most")
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
			fmt.Fprintf(c.ErrOrStderr(), "sealane: there are %d older changes: sealane audit list --after 0 (or --limit %d)\n", from, head.Seq)
		case last < head.Seq:
			fmt.Fprintf(c.ErrOrStderr(), "sealane: there are %d newer changes: sealane audit list --after %d\n", head.Seq-last, last)
		}
		return nil
	})
	return c
}

func auditVerify(flags *registryFlags) *cobra.Command {
	var heads, file string
	c := &cobra.Command{
		Use: "verify", Short: "Look for edited, deleted and reordered records, against heads kept outside too", Args: cobra.NoArgs,
		Long: `Verify reads the whole record and finds any that was edited, deleted, inserted or
moved. Whoever has the database itself can rewrite the whole chain, or cut its end:
only the heads that were written elsewhere (--anchor) show that. Give their file
with --heads. Exit code 3 says that the record does not hold.`,
		Example: `  sealane audit verify --heads /var/log/sealane-heads.jsonl
  sealane audit verify --file export.jsonl --heads heads.jsonl`,
	}
	c.Flags().StringVar(&heads, "heads", "", "file of anchored heads, as --anchor file:PATH writes it")
	c.Flags().StringVar(&file, "file", "", "verify an exported record instead of the registry's")
	verify := func(c *cobra.Command, check func(anchors []audit.Head) (audit.Report, error)) error {
		var anchors []audit.Head
		if heads != "" {
			var remarks []string
			var err error
			if anchors, remarks, err = audit.ReadAnchors(heads); err != nil {
				return err
			}
			if len(anchors) == 0 {
				return refused(fmt.Errorf("%s holds no head: nothing outside vouches for the record", heads))
			}
			for _, remark := range remarks {
				fmt.Fprintln(c.ErrOrStderr(), "sealane:", remark)
			}
		}
		report, err := check(anchors)
		if err != nil {
			return err
		}
		if flags.json {
			err = json.NewEncoder(c.OutOrStdout()).Encode(report)
		} else {
			_, err = fmt.Fprintln(c.OutOrStdout(), report)
		}
		if err == nil && !report.Holds {
			err = refused(errors.New("the record does not hold"))
		}
		return err
	}
	ofRegistry := flags.withView(func(c *cobra.Command, v view, _ []string) error {
		return verify(c, func(anchors []audit.Head) (report audit.Report, err error) {
			err = v.View(c.Context(), func(tx registry.Tx) error {
				report, err = audit.Verify(c.Context(), tx, anchors)
				return err
			})
			return report, err
		})
	})
	c.RunE = func(c *cobra.Command, args []string) error {
		if file == "" {
			return ofRegistry(c, args)
		}
		return verify(c, func(anchors []audit.Head) (audit.Report, error) {
			f, err := os.Open(file)
			if err != nil {
				return audit.Report{}, err
			}
			defer f.Close()
			return audit.VerifyExport(f, anchors)
		})
	}
	return c
}

func auditExport(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{Use: "export", Short: "Write the whole record as JSON lines", Args: cobra.NoArgs}
	c.RunE = flags.withView(func(c *cobra.Command, v view, _ []string) error {
		return v.View(c.Context(), func(tx registry.Tx) error {
			return audit.Export(c.Context(), tx, c.OutOrStdout())
		})
	})
	return c
}

func auditAnchor(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{Use: "anchor", Short: "Write the record's head to its anchors, whether it is due or not; for a timer", Args: cobra.NoArgs}
	c.RunE = flags.withSession(func(c *cobra.Command, d *registry.Session, _ []string) error {
		if flags.anchorer == nil {
			return &exit{exitUsage, errors.New("name an anchor (--anchor, or $SEALANE_ANCHOR)")}
		}
		head, err := d.Anchor(c.Context(), flags.anchorer)
		if err = errors.Join(append(flags.unopened, err)...); err != nil {
			return &exit{exitFailed, err}
		}
		return flags.said(c, head, "The head is record %d, %x", head.Seq, head.Hash)
	})
	return c
}
