package store

// The columns below can be read whatever is in them. So a record of the audit log that was edited in
// the database is found by its hash, and the others are verified.

func textAsItIs[T any, S ~string](name string, of func(*T) *S) column[T] {
	return asItIs(text(name, of), of)
}

func blobAsItIs[T any, B ~[]byte](name string, of func(*T) *B) column[T] {
	return asItIs(blob(name, of), of)
}

func blobOrNullAsItIs[T any, B ~[]byte](name string, of func(*T) *B) column[T] {
	return asItIs(blobOrNull(name, of), of)
}

func asItIs[T any, M ~string | ~[]byte](c column[T], of func(*T) *M) column[T] {
	c.into = func(row *T) any { return asItIsInto[M]{of(row)} }
	return c
}

type asItIsInto[M ~string | ~[]byte] struct{ to *M }

// Scan implements [database/sql.Scanner].
func (a asItIsInto[M]) Scan(value any) error {
	var bytes []byte
	err := looseBytes{&bytes}.Scan(value)
	if *a.to = *new(M); len(bytes) > 0 {
		*a.to = M(bytes)
	}
	return err
}
