package lanes

import "fmt"

// DamagedRow is the error of a row that can't be read, or that contradicts itself. It holds no
// value of the row but those that name it.
type DamagedRow struct {
	Row   string // the row, such as `certificate "c-1"`
	Table string // the name of its table
	ID    string // what identifies it there, with slashes between; empty where that can't be read
	Why   string
}

// Error returns a sentence about the row.
func (d *DamagedRow) Error() string {
	return fmt.Sprintf("%s: the stored row is damaged: %s", d.Row, d.Why)
}
