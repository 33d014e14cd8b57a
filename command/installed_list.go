package command

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/termtext"
)

// maxConfirmations is how many partners a list has at most.
const maxConfirmations = 100_000

// confirmedBy reads a list of partners who have installed a pair: CSV with the partner, and perhaps who
// has said so.
func confirmedBy(c *cobra.Command, name string, of operation.Installation) ([]operation.Installation, error) {
	data, err := readInput(c, name, maxInput)
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(strings.NewReader(string(data)))
	r.FieldsPerRecord, r.TrimLeadingSpace, r.Comment = -1, true, '#'
	var all []operation.Installation
	seen := map[string]bool{}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		line, _ := r.FieldPos(0)
		switch {
		case err != nil:
			return nil, refused(fmt.Errorf("%s: %w", name, err))
		case len(row) > 2 || row[0] == "":
			return nil, refused(fmt.Errorf("%s: line %d: write the partner, and after a comma who has said so",
				name, line))
		case seen[row[0]]:
			return nil, refused(fmt.Errorf("%s: line %d: %s is in the list twice", name, line, row[0]))
		case len(all) == maxConfirmations:
			return nil, refused(fmt.Errorf("%s: more than %d partners", name, maxConfirmations))
		}
		seen[row[0]] = true
		one := of
		one.Partner = row[0]
		if len(row) == 2 && strings.TrimSpace(row[1]) != "" {
			one.Said = row[1]
		}
		all = append(all, one)
	}
}

// installedByAll records the word of each partner of a list. What is refused for one does not stop the
// others.
func installedByAll(flags *registryFlags, of *operation.Installation, list *string) func(*cobra.Command,
	[]string) error {
	return func(c *cobra.Command, args []string) error {
		of.ID.ID = args[0]
		all, err := confirmedBy(c, *list, *of)
		if err != nil {
			return err
		}
		return flags.session(c, func(s *operation.Session) error {
			var failed []error
			for _, one := range all {
				_, err := operation.Installed.Do(c.Context(), s, one)
				if c.Context().Err() != nil {
					return err
				}
				if err != nil {
					failed = append(failed, fmt.Errorf("%s: %w", one.Partner, err))
				}
			}
			done := len(all) - len(failed)
			if err := say(c, "%s is installed by %s of the list.", noun(of.ID.ID), termtext.Counted(done,
				"partner")); err != nil {
				return err
			}
			return errors.Join(failed...)
		})
	}
}
