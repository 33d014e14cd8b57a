package command

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func auditVerify() *cobra.Command {
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
	flags := registryVerb(c)
	c.Flags().StringVar(&heads, "heads", "", "file of anchored heads, as --anchor file:PATH writes it")
	c.Flags().StringVar(&file, "file", "", "verify an exported record instead of the registry's")
	c.RunE = func(c *cobra.Command, _ []string) error {
		against, err := readHeads(c, heads)
		if err != nil {
			return err
		}
		if file != "" {
			return verifyFile(c, flags, file, against)
		}
		return flags.session(c, func(s *operation.Session) error {
			report, err := operation.VerifyAudit.Do(c.Context(), s, against)
			if err != nil {
				return err
			}
			return flags.writeReport(c, report)
		})
	}
	return c
}

// verifyFile verifies an exported record.
func verifyFile(c *cobra.Command, flags *registryFlags, file string, against operation.Heads) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	report, err := operation.VerifyExport(f, against)
	if err != nil {
		return err
	}
	return flags.writeReport(c, report)
}

// readHeads reads a file of anchored heads, if one is named.
func readHeads(c *cobra.Command, name string) (operation.Heads, error) {
	if name == "" {
		return operation.Heads{}, nil
	}
	heads, remarks, err := operation.ReadHeads(name)
	for _, remark := range remarks {
		warn(c, "%s", remark)
	}
	return heads, err
}

// writeReport writes the result of verify. It returns an error if the record does not hold.
func (f *registryFlags) writeReport(c *cobra.Command, report operation.Report) (err error) {
	if f.json {
		err = writeJSON(c.OutOrStdout(), report)
	} else {
		_, err = fmt.Fprintln(c.OutOrStdout(), report)
	}
	if err == nil && !report.Holds {
		err = refused(errors.New("the record does not hold"))
	}
	return err
}
