package operation

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/sealane/sealane/internal/notify"
	"github.com/sealane/sealane/internal/registry"
)

// maxInCalendar limits a calendar.
const maxInCalendar = 20_000

// EndsCalendar returns the ends of those keys and certificates that are in use, or on their way, in the
// format of iCalendar. The event of a row has the same identity each time, and its sequence grows with each
// change of the row.
var EndsCalendar = reading("EndsCalendar",
	func(ctx context.Context, v *registry.Viewer, in InventoryQuery) ([]byte, error) {
		rows, err := Inventory.read(ctx, v, in)
		if err != nil {
			return nil, err
		}
		listed, err := inCalendar(rows)
		if err != nil {
			return nil, err
		}
		var events []notify.Event
		for some := range slices.Chunk(listed, 500) {
			err := v.View(ctx, func(tx registry.Reader) error {
				of, err := certificatesOf(tx, some)
				for _, r := range some {
					events = append(events, endOf(r, of[r.Certificate]))
				}
				return err
			})
			if err != nil {
				return nil, err
			}
		}
		return notify.Calendar("Ends of certificates", events), nil
	})

// inCalendar returns the rows of which a calendar has the end.
func inCalendar(rows iter.Seq2[InventoryRow, error]) (listed []InventoryRow, err error) {
	for r, err := range rows {
		switch {
		case err != nil:
			return nil, err
		case r.Damaged != "" || !r.State.Open() && !r.State.InUse():
			continue
		case len(listed) == maxInCalendar:
			return nil, registry.Refuse("more than %d keys and certificates are too many for a calendar: name a "+
				"partner, or how soon they end", maxInCalendar)
		}
		listed = append(listed, r)
	}
	return listed, nil
}

// certificatesOf returns the certificates of some rows by their identities.
func certificatesOf(tx registry.Reader, rows []InventoryRow) (map[string]registry.Certificate, error) {
	var ids []string
	for _, r := range rows {
		ids = append(ids, r.Certificate)
	}
	all, _, err := registry.Readable(tx.Certificates(registry.CertificateQuery{
		IDs: ids, Page: registry.Page{Limit: len(ids)},
	}))
	of := map[string]registry.Certificate{}
	for _, c := range all {
		of[c.ID] = c
	}
	return of, err
}

// endOf returns the event of the end of a key or certificate, or of the day before by which it must be replaced.
func endOf(r InventoryRow, c registry.Certificate) notify.Event {
	whose := "their"
	if r.Owner == registry.Ours {
		whose = "our"
	}
	e := notify.Event{
		UID: r.ID + "@sealane", At: r.NotAfter, Stamp: c.Changed, Sequence: c.Version,
		Description: fmt.Sprintf("%s, serial %s, %s", r.ID, r.Serial, r.State),
	}
	what := "ends"
	if by := c.EndOfUse(); c.ID != "" && by.Before(e.At) {
		e.At, what = by, "must be replaced, after two years of use"
		e.Description += "\nThe certificate ends on " + r.NotAfter.UTC().Format(time.DateOnly) + "."
	}
	e.Summary = fmt.Sprintf("%s %s: %s %s %s", r.Partner, r.Environment, whose, r.CommonName, what)
	return e
}
