package operation

import (
	"errors"

	"github.com/sealane/sealane/internal/registry"
)

// Damage names the rows that a list lacks because they can't be read.
type Damage struct {
	Damaged []string `json:"damaged,omitempty"`
}

// lack notes the rows that a list lacks.
func (d *Damage) lack(rows registry.DamagedRows) {
	for _, row := range rows {
		d.Damaged = append(d.Damaged, row.Error())
	}
}

// lackOne notes the row that err is about if it can't be read, and returns any other error.
func (d *Damage) lackOne(err error) error {
	if rows, is := errors.AsType[registry.DamagedRows](err); is {
		d.lack(rows)
		return nil
	}
	if row, is := errors.AsType[*registry.DamagedRow](err); is {
		d.lack(registry.DamagedRows{row})
		return nil
	}
	return err
}

// lastOf returns the identity after which the next page begins: the last of a page's rows, which
// may be one that can't be read.
func lastOf[T any](rows []T, id func(T) string, damaged registry.DamagedRows) (last string) {
	if len(rows) > 0 {
		last = id(rows[len(rows)-1])
	}
	for _, row := range damaged {
		last = max(last, row.ID)
	}
	return last
}
