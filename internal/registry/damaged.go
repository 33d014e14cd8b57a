package registry

import (
	"errors"
	"strings"

	"github.com/sealane/sealane/internal/lanes"
)

// DamagedRow is the error of a row that can't be read.
type DamagedRow = lanes.DamagedRow

// DamagedRows is the error of a list that lacks the rows which can't be read.
type DamagedRows []*DamagedRow

// Error lists the rows, one in a line.
func (d DamagedRows) Error() string {
	lines := make([]string, len(d))
	for i, row := range d {
		lines[i] = row.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the errors of the rows.
func (d DamagedRows) Unwrap() []error {
	all := make([]error, len(d))
	for i, row := range d {
		all[i] = row
	}
	return all
}

// Readable returns the rows of a list that can be read, and those that can't. Only lists for
// people to look at and decisions that a lost row can't loosen may do without a row.
func Readable[T any](rows []T, err error) ([]T, DamagedRows, error) {
	if damaged, is := errors.AsType[DamagedRows](err); is {
		return rows, damaged, nil
	}
	return rows, nil, err
}
