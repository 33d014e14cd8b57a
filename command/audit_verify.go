package command

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/registry"
)

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
