package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"sync"
)

// dialect holds the differences between the databases.
type dialect struct {
	viewIsolation sql.IsolationLevel
	numbered      bool              // placeholders are $1, $2 …
	prepare       bool              // statements should be prepared, because the driver does not cache them
	types         *strings.Replacer // the names of types in migrations
	plain         func(error) error // returns the error without values, and wraps the error that registry knows
	lost          func(error) bool  // reports whether the server ended the connection before; nil: there is no server

	// notify is a statement that tells listeners of a new record when the transaction is committed;
	// empty: there are no listeners.
	notify string
	// listen calls wake at each notification, until the context ends or an error; nil: see notify.
	listen func(ctx context.Context, wake func()) error

	// countVersionTables returns 0 for a new database, else 1.
	countVersionTables string

	// begin and beginMigration begin a transaction in which only this program writes.
	begin, beginMigration func(context.Context, *Store) (*sql.Tx, error)

	// beginUses begins a transaction that stores uses. It does not wait for the turn of writers, whose
	// rows it does not change.
	beginUses func(context.Context, *Store) (*sql.Tx, error)

	afterRestore func(context.Context, *sql.DB) error

	rebound sync.Map // statement as written: as the database reads it
}

// statement returns a statement as the database reads it.
func (d *dialect) statement(written string) string {
	if !d.numbered {
		return written
	}
	if done, ok := d.rebound.Load(written); ok {
		return done.(string)
	}
	var b strings.Builder
	rest := written
	for n := 1; ; n++ {
		before, after, found := strings.Cut(rest, "?")
		b.WriteString(before)
		if !found {
			break
		}
		b.WriteString("$" + strconv.Itoa(n))
		rest = after
	}
	done := b.String()
	d.rebound.Store(written, done)
	return done
}
