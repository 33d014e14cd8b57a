package store

import (
	"context"
	"database/sql/driver"
	"errors"

	"modernc.org/sqlite"
)

// connector opens connections by the name of a file, see [sqliteName].
type connector string

func (c connector) Driver() driver.Driver { return &sqlite.Driver{} }

func (c connector) Connect(context.Context) (driver.Conn, error) {
	opened, err := c.Driver().Open(string(c))
	if err != nil {
		return nil, err
	}
	return &sqliteConn{driverConn: opened.(driverConn), prepared: map[string]*sqliteStatement{}}, nil
}

// driverConn is what the driver's connections do.
type driverConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// sqliteConn is a connection that keeps the statements it has prepared: to prepare one takes SQLite
// longer than to run it.
type sqliteConn struct {
	driverConn
	prepared map[string]*sqliteStatement
}

// maxPrepared is how many statements a connection keeps. There are fewer that come often.
const maxPrepared = 200

// PrepareContext implements [driver.ConnPrepareContext].
func (c *sqliteConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	if kept := c.prepared[text]; kept != nil && !kept.used {
		kept.used = true
		return kept, nil
	}
	opened, err := c.driverConn.PrepareContext(ctx, text)
	if err != nil || c.prepared[text] != nil {
		return opened, err
	}
	if len(c.prepared) >= maxPrepared {
		if err := c.forget(); err != nil {
			return nil, errors.Join(err, opened.Close())
		}
	}
	made := &sqliteStatement{driverStatement: opened.(driverStatement), used: true}
	c.prepared[text] = made
	return made, nil
}

// Prepare implements [driver.Conn].
func (c *sqliteConn) Prepare(text string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), text)
}

// forget closes the statements that are not in use.
func (c *sqliteConn) forget() error {
	var all []error
	for text, s := range c.prepared {
		if !s.used {
			all = append(all, s.driverStatement.Close())
			delete(c.prepared, text)
		}
	}
	return errors.Join(all...)
}

// BeginTx implements [driver.ConnBeginTx]. A transaction that writes takes the write lock at once: if it took it
// later, what it has read could be out of date.
func (c *sqliteConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	begin := "BEGIN IMMEDIATE"
	if o.ReadOnly {
		begin = "BEGIN"
	}
	if err := c.run(ctx, begin); err != nil {
		return nil, err
	}
	return sqliteTx{c}, nil
}

// run runs a statement that takes no values.
func (c *sqliteConn) run(ctx context.Context, text string) error {
	s, err := c.PrepareContext(ctx, text)
	if err != nil {
		return err
	}
	defer s.Close()
	_, err = s.(driver.StmtExecContext).ExecContext(ctx, nil)
	return err
}

// sqliteTx is a transaction.
type sqliteTx struct{ conn *sqliteConn }

// Commit implements [driver.Tx]. Where it fails, the connection has no transaction either.
func (t sqliteTx) Commit() error {
	err := t.conn.run(context.Background(), "COMMIT")
	if err != nil {
		t.Rollback() // fails if SQLite has done so
	}
	return err
}

// Rollback implements [driver.Tx].
func (t sqliteTx) Rollback() error { return t.conn.run(context.Background(), "ROLLBACK") }

// Close implements [driver.Conn].
func (c *sqliteConn) Close() error {
	return errors.Join(c.forget(), c.driverConn.Close())
}

// driverStatement is what the driver's statements do.
type driverStatement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// sqliteStatement is a statement that its connection keeps. Close only says that its user needs it no
// more: the driver resets it after each run.
type sqliteStatement struct {
	driverStatement
	used bool
}

// Close implements [driver.Stmt].
func (s *sqliteStatement) Close() error {
	s.used = false
	return nil
}
