package command

import (
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

func auditVerify(flags *registryFlags) *cobra.Command {
	var heads, file string
	c := &cobra.Command{
		Use:   "verify",
		Short: "Look for edited, deleted and reordered records, and compare with heads kept elsewhere",
		Long: `Verify reads the whole record and finds any that was edited, deleted, inserted or moved.
Somebody who controls the database can rewrite the whole chain, or cut off its end. Only
the heads that were written elsewhere (--anchor) show that: name their file with
--heads. The exit code is 3 if the record does not hold.`,
		Example: `  sealane audit verify --heads /var/log/sealane-heads.jsonl
  sealane audit verify --file export.jsonl --heads heads.jsonl`,
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&heads, "heads", "", "file of anchored heads, as --anchor file:PATH writes it")
	c.Flags().StringVar(&file, "file", "", "verify an exported record instead of the registry's")
	verifyRegistry := flags.withView(func(c *cobra.Command, v view, _ []string) error {
		anchors, err := readHeads(c, heads)
		if err != nil {
			return err
		}
		var report audit.Report
		err = v.View(c.Context(), func(tx registry.Tx) error {
			report, err = audit.Verify(c.Context(), tx, anchors)
			return err
		})
		if err != nil {
			return err
		}
		return flags.writeReport(c, report)
	})
	c.RunE = func(c *cobra.Command, args []string) error {
		if file == "" {
			return verifyRegistry(c, args)
		}
		anchors, err := readHeads(c, heads)
		if err != nil {
			return err
		}
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		report, err := audit.VerifyExport(f, anchors)
		if err != nil {
			return err
		}
		return flags.writeReport(c, report)
	}
	return c
}

// readHeads reads a file of anchored heads, if one is named.
func readHeads(c *cobra.Command, name string) ([]audit.Head, error) {
	if name == "" {
		return nil, nil
	}
	heads, remarks, err := audit.ReadAnchors(name)
	if err != nil {
		return nil, err
	}
	if len(heads) == 0 {
		return nil, refused(fmt.Errorf("%s holds no head, so nothing confirms the record from outside", name))
	}
	for _, remark := range remarks {
		warn(c, "%s", remark)
	}
	return heads, nil
}

// writeReport writes what verify has found. It returns an error if the record does not
// hold.
func (f *registryFlags) writeReport(c *cobra.Command, report audit.Report) (err error) {
	if f.json {
		err = encodeJSON(c.OutOrStdout(), report, "")
	} else {
		_, err = fmt.Fprintln(c.OutOrStdout(), report)
	}
	if err == nil && !report.Holds {
		err = refused(errors.New("the record does not hold"))
	}
	return err
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
	c := &cobra.Command{
		Use:   "anchor",
		Short: "Write the record's head to its anchors, also to those that have it; for a timer",
		Args:  cobra.NoArgs,
	}
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, _ []string) error {
		if flags.anchorer == nil {
			return &exit{exitUsage, errors.New("name an anchor (--anchor, or $SEALANE_ANCHOR)")}
		}
		head, err := s.Registry.Anchor(c.Context(), flags.anchorer)
		if err = errors.Join(append(flags.unopened, err)...); err != nil {
			return &exit{exitFailed, err}
		}
		return flags.say(c, head, "The head is record %d, %x", head.Seq, head.Hash)
	})
	return c
}
