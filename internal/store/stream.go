package store

import "iter"

// stream returns the rows of a statement, with one at a time in memory. It yields the error
// of a row that cannot be read, and continues; it yields any other error, and ends.
func stream[T any](
	t *tx, what, statement string, read func(scan) (T, error), args ...any,
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		stopped := false
		err := t.rows(what, statement, args, func(row scan) error {
			one, err := read(row)
			if err != nil {
				err = t.unreadable(what, err)
				if t.broken != nil {
					return err
				}
			}
			if !yield(one, err) {
				stopped = true
				return errEnough
			}
			return nil
		})
		if err != nil && !stopped {
			var none T
			yield(none, err)
		}
	}
}
