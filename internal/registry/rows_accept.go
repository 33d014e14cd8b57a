package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// maxAccepted is how many rows one record accepts.
const maxAccepted = 1000

// AcceptRows records rows as they are now, which VerifyRows has found otherwise: after somebody
// has looked into each, or after an upgrade from a version whose records did not have the rows.
// It takes the place of no correction: a row that was changed unlawfully must be changed back.
// It refuses a row that is not as the finding has it any more, and one that can't be read. A row of
// which only columns are wrong that are computed from it is stored again. If there are other
// approvers, one of them must agree.
//
// checksum is that of the report in which the rows were found; it is recorded.
func (s *Session) AcceptRows(ctx context.Context, found []RowFinding, checksum string) error {
	if len(found) == 0 || len(found) > maxAccepted {
		return Refuse("%d rows are named; one record accepts 1 to %d", len(found), maxAccepted)
	}
	entry := Entry{Action: ActionRowsAccept, Subject: found[0].Row}
	if n := len(found); n > 1 {
		entry.Subject = fmt.Sprintf("%s and %d more", entry.Subject, n-1)
	}
	return s.Change(ctx, entry, func(tx Tx, entry *Entry) error {
		rows, err := acceptable(tx, found)
		entry.After = map[string]any{rowsMember: rows, "findings": checksum}
		return err
	})
}

// acceptable returns the rows that findings name, as they are; one that is not there is null.
func acceptable(tx Tx, found []RowFinding) (map[rowName]json.RawMessage, error) {
	rows, wanted, again := map[rowName]json.RawMessage{}, map[rowName]string{}, []any{}
	for _, f := range found {
		if f.Row == "" || f.Fault == RowDamaged && f.Sum == "" {
			return nil, Refuse("%s: it can't be accepted; restore the row, or put it in order", f.Text)
		}
		wanted[rowName(f.Row)], rows[rowName(f.Row)] = f.Sum, nil
	}
	for row, err := range tx.Rows() {
		damaged, is := errors.AsType[*DamagedRow](err)
		if is && !damaged.Readable {
			continue
		}
		if err != nil && !is {
			return nil, err
		}
		name, form, _, err := recordedRow(row)
		if err != nil {
			return nil, err
		}
		if _, named := wanted[name]; named {
			if rows[name] = form; is {
				again = append(again, row)
			}
		}
	}
	for name, sum := range wanted {
		if sumOf(rows[name]) != sum {
			return nil, fmt.Errorf("%s: %w", name, ErrConflict)
		}
	}
	for _, row := range again {
		if err := putAgain(tx, row); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// putAgain stores a row of a table with columns that are computed from it.
func putAgain(tx Tx, row any) error {
	switch v := row.(type) {
	case Partner:
		return tx.PutPartner(&v)
	case Environment:
		return tx.PutEnvironment(&v)
	case APIKey:
		return tx.PutAPIKey(&v)
	case Certificate:
		return tx.PutCertificate(&v)
	}
	return fmt.Errorf("a %T has no columns that are computed from it", row)
}
