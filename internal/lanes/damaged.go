package lanes

import "fmt"

// DamagedRow is the error for a row that cannot be read, or that contradicts itself. It
// holds no values of the row but its names.
type DamagedRow struct {
	Row   string // the row, such as `certificate "c-1"`
	Table string // the name of its table
	ID    string // what identifies it there, with slashes between; empty if that cannot be read
	Why   string

	Readable bool  // the row comes with the error: only what repeats a part of it is wrong
	Version  int64 // of the row; 0 if it cannot be read
}

// Error returns a sentence about the row.
func (d *DamagedRow) Error() string {
	return fmt.Sprintf("%s: the stored row is damaged: %s", d.Row, d.Why)
}
