package store

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"
)

// column is one column of a table, and the member of T that it stores. The functions below
// make one for each way of storing.
type column[T any] struct {
	name  string
	bytes bool // the column holds bytes; they are base64 in a backup
	null  bool // the column holds bytes or NULL

	value func(row *T) any  // what is stored; nil: the column is only read
	into  func(row *T) any  // what the column is scanned into; nil: the column is only written
	copy  func(to, from *T) // copies the member; nil if the column is not a member
	from  string            // the expression to read instead of the column
	large bool              // lists omit the column; an empty value keeps the stored one

	// while is the column that says whether this one holds, which repeats what is in the body: it has the
	// version of the row that both were stored with. It is its own. Empty: the column always holds.
	while string
}

// member returns the column that stores the member which of points to.
func member[T, M any](name string, of func(*T) *M, value func(M) any, into func(*M) any) column[T] {
	return column[T]{
		name:  name,
		value: func(row *T) any { return value(*of(row)) },
		into:  func(row *T) any { return into(of(row)) },
		copy:  func(to, from *T) { *of(to) = *of(from) },
	}
}

// text is a column of texts that is never NULL.
func text[T any, S ~string](name string, of func(*T) *S) column[T] {
	return member(name, of, func(s S) any { return string(s) }, func(s *S) any { return textInto[S]{s} })
}

// textOrNull stores NULL for an empty text, so that a UNIQUE column may be empty in many
// rows, and so that an empty reference refers to nothing.
func textOrNull[T any, S ~string](name string, of func(*T) *S) column[T] {
	c := text(name, of)
	c.value = func(row *T) any { return orNull(string(*of(row))) }
	c.into = func(row *T) any { return textOrNullInto[S]{of(row)} }
	return c
}

// number is a column of whole numbers that is never NULL.
func number[T any, N ~int | ~int64](name string, of func(*T) *N) column[T] {
	return member(name, of, func(n N) any { return int64(n) }, func(n *N) any { return numberInto[N]{n} })
}

// document stores a value as JSON, and its zero value as an empty text.
func document[T, D any](name string, of func(*T) *D) column[T] {
	value := func(d D) any {
		if reflect.ValueOf(d).IsZero() {
			return ""
		}
		text, err := json.Marshal(d)
		if err != nil {
			panic(err) // the types of documents always marshal
		}
		return string(text)
	}
	return member(name, of, value, func(d *D) any { return documentInto[D]{d} })
}

// blob is a column of bytes that is never NULL.
func blob[T any, B ~[]byte](name string, of func(*T) *B) column[T] {
	c := member(name, of, func(b B) any { return notNull(b) }, func(b *B) any { return bytesInto[B]{b} })
	c.bytes = true
	return c
}

// blobOrNull stores NULL for no bytes.
func blobOrNull[T any, B ~[]byte](name string, of func(*T) *B) column[T] {
	c := blob(name, of)
	c.value, c.null = func(row *T) any { return orNull([]byte(*of(row))) }, true
	return c
}

// digest is a blob that rows are found by.
func digest[T any, B ~[]byte](name string, of func(*T) *B) column[T] {
	return searched(blob(name, of), of)
}

// digestOrNull stores NULL for no bytes.
func digestOrNull[T any, B ~[]byte](name string, of func(*T) *B) column[T] {
	return searched(blobOrNull(name, of), of)
}

func searched[T any, B ~[]byte](c column[T], of func(*T) *B) column[T] {
	c.into = func(row *T) any { return digestInto[B]{of(row)} }
	return c
}

// instant stores a time as microseconds since 1970. It is read in UTC; the zero time is a
// number below 0.
func instant[T any](name string, of func(*T) *time.Time) column[T] {
	value := func(at time.Time) any { return at.UnixMicro() }
	return member(name, of, value, func(at *time.Time) any { return instantInto{at} })
}

// zonedTime stores a time as a text with its offset, so that it is read unchanged.
func zonedTime[T any](name string, of func(*T) *time.Time) column[T] {
	value := func(at time.Time) any { return at.Format(time.RFC3339Nano) }
	return member(name, of, value, func(at *time.Time) any { return zonedInto{at} })
}

// computed is a column that queries need but that is not a member.
func computed[T any](name string, value func(*T) any) column[T] {
	return column[T]{name: name, value: value}
}

// readFrom returns the column as one that is only read, from an expression.
func (c column[T]) readFrom(expression string) column[T] {
	c.from, c.value = expression, nil
	return c
}

// onlyWhole returns the column as one that lists omit. Storing a row without its value
// keeps the stored one.
func (c column[T]) onlyWhole() column[T] {
	c.large = true
	return c
}

func orNull[V ~string | ~[]byte](v V) any {
	if len(v) == 0 {
		return nil
	}
	return v
}

// notNull exists because the drivers store a nil slice as NULL.
func notNull[B ~[]byte](b B) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// The types below scan a column into a member. NULL is the member's zero value. SQLite can store a value
// as another type than its column's. It reads the same then, but is equal to no value that is searched
// for, so it is an error. The member has it all the same, so that errors name the row.

type textInto[S ~string] struct{ to *S }

// Scan implements [database/sql.Scanner].
func (t textInto[S]) Scan(value any) error {
	if value == nil {
		*t.to = ""
		return nil
	}
	s, is := value.(string)
	if !is {
		if bytes, is := value.([]byte); is {
			*t.to = S(bytes)
		}
		return fmt.Errorf("%T is not a text", value)
	}
	if checked, is := any(t.to).(encoding.TextUnmarshaler); is {
		return checked.UnmarshalText([]byte(s))
	}
	*t.to = S(s)
	return nil
}

type textOrNullInto[S ~string] struct{ to *S }

// Scan implements [database/sql.Scanner].
func (t textOrNullInto[S]) Scan(value any) error {
	if value == "" {
		return errors.New("it is empty, not NULL")
	}
	return textInto[S](t).Scan(value)
}

type numberInto[N ~int | ~int64] struct{ to *N }

// Scan implements [database/sql.Scanner].
func (n numberInto[N]) Scan(value any) error {
	v, is := value.(int64)
	if *n.to = N(v); !is {
		return fmt.Errorf("%T is not a number", value)
	}
	return nil
}

type documentInto[D any] struct{ to *D }

// Scan implements [database/sql.Scanner].
func (d documentInto[D]) Scan(value any) error {
	var text string
	if err := (textInto[string]{&text}).Scan(value); err != nil {
		return err
	}
	*d.to = *new(D)
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), d.to)
}

type bytesInto[B ~[]byte] struct{ to *B }

// Scan implements [database/sql.Scanner].
func (b bytesInto[B]) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*b.to = nil
	case []byte:
		*b.to = append(B(nil), v...)
	case string:
		*b.to = append(B(nil), v...)
	default:
		return fmt.Errorf("%T is not bytes", value)
	}
	return nil
}

type digestInto[B ~[]byte] struct{ to *B }

// Scan implements [database/sql.Scanner].
func (d digestInto[B]) Scan(value any) error {
	err := bytesInto[B](d).Scan(value)
	if _, is := value.(string); is {
		err = errors.New("a text is not bytes")
	}
	return err
}

type instantInto struct{ to *time.Time }

// Scan implements [database/sql.Scanner].
func (t instantInto) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*t.to = time.Time{}
	case int64:
		*t.to = time.UnixMicro(v).UTC()
	default:
		return fmt.Errorf("%T is not a number", value)
	}
	return nil
}

// zonedInto scans what is no time as the zero time, see textAsItIs.
type zonedInto struct{ to *time.Time }

// Scan implements [database/sql.Scanner].
func (t zonedInto) Scan(value any) error {
	s, _ := value.(string)
	at, err := time.Parse(time.RFC3339Nano, s)
	if *t.to = at; err != nil {
		*t.to = time.Time{}
	}
	return nil
}
