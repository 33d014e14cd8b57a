package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/readlimit"
	"github.com/sealane/sealane/internal/secretfile"
)

func auditVerify() *cobra.Command {
	var heads, file, checkpoint string
	var rows bool
	c := &cobra.Command{
		Use:   "verify",
		Short: "Look for edited, deleted and reordered records, and for rows that differ from them",
		Long: `Verify reads the whole record and finds any that was edited, deleted, inserted or moved.
Somebody who controls the database can rewrite the whole chain, or cut off its end. Only
the heads that were written elsewhere (sealane audit anchors) show that: name their file
with --heads. The exit code is 3 if the record does not hold.

With --rows it also compares every row of the registry with its last record, and every
record with the rows: what was changed in the database itself is found.

With --checkpoint FILE it begins after the record up to which an earlier run with that
file has verified, and writes the new end into it, for a timer.`,
		Example: `  sealane audit verify --rows --heads /var/log/sealane-heads.jsonl
  sealane audit verify --checkpoint verified.json
  sealane audit verify --file export.jsonl --heads heads.jsonl`,
		Args: cobra.NoArgs,
	}
	flags := registryVerb(c)
	c.Flags().StringVar(&heads, "heads", "", "file of anchored heads, as an anchor file:PATH writes it")
	c.Flags().StringVar(&file, "file", "", "verify an exported record instead of the registry's")
	c.Flags().StringVar(&checkpoint, "checkpoint", "", "file with the end of the last verification")
	c.Flags().BoolVar(&rows, "rows", false, "compare the rows with their records too")
	c.RunE = func(c *cobra.Command, _ []string) error {
		against, err := readHeads(c, heads)
		if err != nil {
			return err
		}
		if file != "" {
			return verifyFile(c, flags, file, against)
		}
		if checkpoint != "" {
			if against.Since, err = readCheckpoint(checkpoint); err != nil {
				return err
			}
		}
		return flags.session(c, func(s *operation.Session) error {
			report, err := operation.VerifyAudit.Do(c.Context(), s, against)
			if err != nil {
				return err
			}
			err = flags.writeReport(c, report)
			if err == nil && checkpoint != "" {
				err = writeCheckpoint(checkpoint, report.Head)
			}
			if rows {
				err = errors.Join(err, verifyRows(c, flags, s))
			}
			return err
		})
	}
	return c
}

// verifyRows compares the rows with their records.
func verifyRows(c *cobra.Command, flags *registryFlags, s *operation.Session) error {
	report, err := operation.VerifyRows.Do(c.Context(), s, operation.None{})
	switch {
	case err != nil:
		return err
	case flags.json:
		err = writeJSON(c.OutOrStdout(), report)
	default:
		_, err = fmt.Fprint(c.OutOrStdout(), printableText(report.String()))
	}
	if err == nil && !report.Holds {
		err = refused(errors.New("the rows are not as they were recorded: look into each; " +
			"sealane audit accept ROW --findings " + report.Checksum + " records it as it is"))
	}
	return err
}

// readCheckpoint reads the end of the last verification. There is none before the first.
func readCheckpoint(file string) (*operation.Head, error) {
	data, err := readlimit.File(file, maxSecret)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	head := new(operation.Head)
	if err := json.Unmarshal(data, head); err != nil {
		return nil, fmt.Errorf("%s is not the end of a verification: %w", file, err)
	}
	return head, nil
}

func writeCheckpoint(file string, head operation.Head) error {
	data, err := json.Marshal(head)
	if err != nil {
		return err
	}
	return secretfile.Replace(file, append(data, '\n'))
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
