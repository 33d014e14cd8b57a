package store

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
)

// A connection keeps statements: also one that is needed twice at a time, one whose table changes, and
// more than it keeps.
func TestKeptStatements(t *testing.T) {
	t.Parallel()
	db := sql.OpenDB(connector(sqliteName(filepath.Join(t.TempDir(), "kept.db"))))
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	exec := func(text string, args ...any) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), text, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE number (n INTEGER)")
	for n := range 3 {
		exec("INSERT INTO number (n) VALUES (?)", n)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	const all = "SELECT * FROM number ORDER BY n"
	outer, inner := rows(t, tx, all), rows(t, tx, all)
	for n := range 3 {
		outer(n)
		inner(n)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	exec("ALTER TABLE number ADD COLUMN more INTEGER DEFAULT 7")
	for range 2 {
		var n, more int
		if err := db.QueryRowContext(t.Context(), all).Scan(&n, &more); err != nil || more != 7 {
			t.Error(more, err)
		}
	}
	for n := range 3 * maxPrepared {
		var got int
		err := db.QueryRowContext(t.Context(), fmt.Sprintf("SELECT %d + ?", n), 1).Scan(&got)
		if err != nil || got != n+1 {
			t.Fatal(n, got, err)
		}
	}
}

// rows returns a function that reads the next row of a statement, which has one number.
func rows(t *testing.T, tx *sql.Tx, text string) func(want int) {
	t.Helper()
	s, err := tx.PrepareContext(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	found, err := s.QueryContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { found.Close() })
	return func(want int) {
		t.Helper()
		var n int
		if !found.Next() {
			t.Fatal(found.Err())
		}
		if err := found.Scan(&n); err != nil || n != want {
			t.Fatal(n, want, err)
		}
	}
}

// A transaction whose COMMIT fails leaves no transaction behind.
func TestFailedCommit(t *testing.T) {
	t.Parallel()
	db := sql.OpenDB(connector(sqliteName(filepath.Join(t.TempDir(), "commit.db"), "foreign_keys(1)")))
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	for range 2 {
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = tx.ExecContext(t.Context(), `CREATE TABLE a (id INTEGER PRIMARY KEY);
			CREATE TABLE b (a INTEGER REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED);
			INSERT INTO b VALUES (1)`)
		if err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err == nil {
			t.Fatal("a broken reference was committed")
		}
	}
}
