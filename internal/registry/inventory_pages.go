package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"iter"
	"slices"
	"sync"
)

// inventoryLimit is how many rows of the inventory are read at once.
const inventoryLimit = 1000

// Inventory returns a row for every certificate that a query selects; those of ours have the key
// pair that they belong to. They are in the order in which they were stored first, or in that of
// their identities where the query is for a part of them: a database finds those by an index, and
// reads all of them in the order of its file, which is twice as fast.
//
// It reads some pages ahead, each as it is at one moment, while the sequence is ranged over, and
// holds nothing up meanwhile. A row that can't be read says so. After an error the sequence ends.
func (r *Registry) Inventory(ctx context.Context, q CertificateQuery) iter.Seq2[InventoryRow, error] {
	return func(yield func(InventoryRow, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		i := &inventory{registry: r, query: q, pages: make(chan chan inventoryPage, 1)}
		defer i.reading.Wait()
		defer cancel()
		i.reading.Go(func() { i.read(ctx) })
		for next := range i.pages {
			page := <-next
			for _, row := range page.rows {
				if !yield(row, nil) {
					return
				}
			}
			if page.err != nil {
				yield(InventoryRow{}, page.err)
				return
			}
		}
	}
}

// inventory is one pass over the inventory.
type inventory struct {
	registry *Registry
	query    CertificateQuery        // of which pages are read
	purposes sync.Map                // of profiles, by their names
	pages    chan chan inventoryPage // in their order; each sends once
	reading  sync.WaitGroup
}

type inventoryPage struct {
	rows []InventoryRow
	err  error
}

// read starts the reading of page after page, until there are no more or the context ends.
func (i *inventory) read(ctx context.Context) {
	defer close(i.pages)
	for after := (Arrival{}); ; {
		q := i.query
		q.Limit = inventoryLimit
		if wholeInventory(q) {
			q.Arrived = &Stretch{After: after}
		} else {
			q.After = after.ID
		}
		last, damaged, err := i.end(ctx, q)
		if last.ID == "" && err == nil && len(damaged) == 0 {
			return
		}
		result := make(chan inventoryPage, 1)
		select {
		case i.pages <- result:
		case <-ctx.Done():
			return
		}
		if last.ID == "" || err != nil {
			result <- inventoryPage{damagedRows(damaged), err}
			return
		}
		if q.Brief = true; q.Arrived != nil {
			q.Arrived.Until = last
		} else {
			q.Until = last.ID
		}
		i.reading.Go(func() {
			rows, err := i.page(ctx, q)
			result <- inventoryPage{rows, err}
		})
		after = last
	}
}

// wholeInventory reports whether a query is for all certificates, or for all of one owner.
func wholeInventory(q CertificateQuery) bool {
	return q.Partner == "" && q.Environment == "" && len(q.States) == 0 && q.NotAfterBefore.IsZero()
}

// end returns the place of the last certificate of a page; its ID is empty if there is none. Then the
// others are damaged.
func (i *inventory) end(ctx context.Context, q CertificateQuery) (last Arrival, damaged DamagedRows, err error) {
	err = i.registry.Store.View(ctx, func(tx Reader) error {
		last, err = tx.CertificatesEnd(q)
		_, damaged, err = Readable([]Arrival(nil), err)
		return err
	})
	return last, damaged, err
}

// page returns the rows of one page.
func (i *inventory) page(ctx context.Context, q CertificateQuery) (rows []InventoryRow, err error) {
	err = i.registry.Store.View(ctx, func(tx Reader) error {
		page, damaged, err := Readable(tx.Certificates(q))
		if err != nil {
			return err
		}
		rows = slices.Grow(damagedRows(damaged), len(page))
		for _, c := range page {
			if sum := sha256.Sum256(c.SPKI); !bytes.Equal(sum[:], c.SPKISHA256) {
				rows = append(rows, damagedInventory(c.ID, &DamagedRow{Row: "certificate " + c.ID,
					Table: "certificate", ID: c.ID, Why: "its public key is not the one of its checksum"}))
				continue
			}
			row, err := inventoryRow(tx, c, &i.purposes)
			if _, is := errors.AsType[*DamagedRow](err); is || errors.Is(err, ErrNotFound) {
				row, err = damagedInventory(c.ID, err), nil // its key pair or its profile
			}
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		return nil
	})
	return rows, err
}

func damagedRows(damaged DamagedRows) (rows []InventoryRow) {
	for _, row := range damaged {
		rows = append(rows, damagedInventory(row.ID, row))
	}
	return rows
}

// damagedInventory returns the row of what can't be read.
func damagedInventory(id string, err error) InventoryRow {
	return InventoryRow{ID: id, Kind: "certificate", Certificate: id, Damaged: err.Error()}
}
