package store

import (
	"fmt"
	"math"
	"time"

	"github.com/sealane/sealane/internal/audit"
)

// The columns below can be read whatever is in them. So a record of the audit log that was edited in
// the database is found by its hash, and the others are verified. A value that SQLite stores as
// another type has the same hash, but no search finds it: then the record has a flaw.

func textAsItIs(name string, of func(*audit.Record) *string) column[audit.Record] {
	return asItIs(text(name, of), func(r *audit.Record, value any) {
		_ = loose{of(r)}.Scan(value) // which takes anything
		if _, is := value.(string); !is {
			r.Flaw = flaw(name, value, "a text")
		}
	})
}

func blobAsItIs[B ~[]byte](name string, of func(*audit.Record) *B) column[audit.Record] {
	return asItIs(blob(name, of), func(r *audit.Record, value any) {
		*of(r) = anyBytes[B](value)
		if _, is := value.([]byte); !is {
			r.Flaw = flaw(name, value, "bytes")
		}
	})
}

func blobOrNullAsItIs[B ~[]byte](name string, of func(*audit.Record) *B) column[audit.Record] {
	return asItIs(blobOrNull(name, of), func(r *audit.Record, value any) {
		*of(r) = anyBytes[B](value)
		if stored, is := value.([]byte); value != nil && (!is || len(stored) == 0) {
			r.Flaw = flaw(name, value, "bytes, or NULL for none")
		}
	})
}

// timeAsItIs also knows a time that was written in another form: searches compare the texts.
func timeAsItIs(name string, of func(*audit.Record) *time.Time) column[audit.Record] {
	c := zonedTime(name, of)
	return asItIs(c, func(r *audit.Record, value any) {
		_ = zonedInto{of(r)}.Scan(value) // which takes anything
		if value != c.value(r) {
			r.Flaw = "its " + name + " is not written as programs write it; searches can miss it"
		}
	})
}

// stray is the number of a record whose stored one is no number. SQLite puts it behind all others.
const stray = math.MaxInt64

// numbered leaves strays out: for SQLite a number is less than any text or bytes.
const numbered = "seq <= 9223372036854775807"

func numberAsItIs(name string, of func(*audit.Record) *int64) column[audit.Record] {
	return asItIs(number(name, of), func(r *audit.Record, value any) {
		*of(r) = placeOf(value)
		if _, is := value.(int64); !is {
			r.Flaw = flaw(name, value, "a number")
		}
	})
}

// placeOf returns the number of a record. That of a fraction is the next one.
func placeOf(value any) int64 {
	switch v := value.(type) {
	case int64:
		return v
	case float64:
		if v < stray {
			return int64(math.Ceil(v))
		}
	}
	return stray
}

type placeInto struct{ to *int64 }

// Scan implements [database/sql.Scanner].
func (p placeInto) Scan(value any) error {
	*p.to = placeOf(value)
	return nil
}

func flaw(name string, value any, want string) string {
	kind := fmt.Sprintf("%T", value)
	switch value.(type) {
	case nil:
		kind = "NULL"
	case string:
		kind = "a text"
	case []byte:
		kind = "bytes"
	case int64:
		kind = "a number"
	case float64:
		kind = "a fraction"
	}
	return fmt.Sprintf("its %s is stored as %s, not as %s; searches can miss it", name, kind, want)
}

func anyBytes[B ~[]byte](value any) B {
	var bytes []byte
	_ = looseBytes{&bytes}.Scan(value) // which takes anything
	if len(bytes) == 0 {
		return nil
	}
	return B(bytes)
}

func asItIs(c column[audit.Record], scan func(*audit.Record, any)) column[audit.Record] {
	c.into = func(r *audit.Record) any { return asItIsInto{r, scan} }
	return c
}

type asItIsInto struct {
	record *audit.Record
	scan   func(*audit.Record, any)
}

// Scan implements [database/sql.Scanner].
func (a asItIsInto) Scan(value any) error {
	a.scan(a.record, value)
	return nil
}
