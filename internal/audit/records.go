package audit

import (
	"context"
	"fmt"
	"iter"
	"math"
)

// Records returns the records of a log in order, from the first on. It reads them in
// batches. The sequence ends after an error.
func Records(ctx context.Context, log Reader) iter.Seq2[Record, error] {
	return recordsAfter(ctx, log, math.MinInt64) // below 1, the lowest valid number
}

// recordsAfter returns the records after a number.
func recordsAfter(ctx context.Context, log Reader, after int64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for {
			records, err := log.AuditRecords(after, batch)
			if err == nil {
				err = ctx.Err()
			}
			last := after
			for i := 0; err == nil && i < len(records); i++ {
				last = max(last, records[i].Seq)
				if !yield(records[i], nil) {
					return
				}
			}
			switch {
			case err != nil:
			case len(records) == 0, last == math.MaxInt64: // there is no number behind it
				return
			case last == after:
				err = fmt.Errorf("records behind %d were asked for; none of the %d given is", after, len(records))
			}
			if err != nil {
				yield(Record{}, err)
				return
			}
			after = last
		}
	}
}

// each calls f with every record, until it returns an error.
func each(ctx context.Context, log Reader, f func(Record) error) error {
	for r, err := range Records(ctx, log) {
		if err != nil {
			return err
		}
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}
