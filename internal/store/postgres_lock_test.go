package store_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

// PostgreSQL only: a program that waits in vain is told who holds the lock, by name, host and process.
func TestWhoHoldsTheLock(t *testing.T) {
	address := databases[1].address(t)
	s := openWith(t, address, store.Options{}.WithTimes(200*time.Millisecond, 0))
	db := raw(t, address+"&application_name=forgotten")
	held, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	var pid int
	if err := held.QueryRowContext(t.Context(), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"BEGIN", "LOCK TABLE writer IN EXCLUSIVE MODE"} {
		if _, err := held.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	err = s.Update(t.Context(), func(registry.Tx) error { return nil })
	for _, want := range []string{"forgotten", "the server's own machine", fmt.Sprintf("process %d ", pid),
		"idle in transaction", "200ms"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := held.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	update(t, s, func(registry.Tx) error { return nil })

	// Another program of ours says who it is.
	other := open(t, address)
	update(t, other, func(registry.Tx) error {
		err = s.Update(t.Context(), func(registry.Tx) error { return nil })
		return nil
	})
	if want := fmt.Sprintf("sealane %d@", os.Getpid()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

// PostgreSQL only: a program that stands still in the middle of a change does not keep others
// from writing. What it has changed is undone, and it can go on with another change.
func TestAStoppedProgram(t *testing.T) {
	address := databases[1].address(t)
	stopped := openWith(t, address, store.Options{}.WithTimes(0, 300*time.Millisecond))
	other := open(t, address)
	update(t, other, func(tx registry.Tx) error { return agreement(tx, "acme", "PROD") })
	err := stopped.Update(t.Context(), func(tx registry.Tx) error {
		if err := agreement(tx, "lost", "PROD"); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // less than others would wait
		defer cancel()
		return other.Update(ctx, func(tx registry.Tx) error { return agreement(tx, "other", "PROD") })
	})
	if err == nil || !strings.Contains(err.Error(), "commit") && !strings.Contains(err.Error(), "stood still") {
		t.Errorf("the stopped program: %v", err)
	}
	update(t, stopped, func(tx registry.Tx) error { return agreement(tx, "next", "PROD") })
	view(t, other, func(tx registry.Reader) error {
		partners, err := tx.Partners(registry.Page{})
		if got := ids(partners, func(p registry.Partner) string { return p.ID }); got != "acme next other" {
			t.Errorf("%s", got)
		}
		return err
	})
}

// PostgreSQL only: after a restart of the server no request fails, however many connections the
// pool had.
func TestConnectionsThatTheServerEnded(t *testing.T) {
	address := databases[1].address(t)
	s := open(t, address)
	var together sync.WaitGroup
	var begun sync.WaitGroup
	begun.Add(8)
	for range 8 { // at once, so that there are as many connections
		together.Go(func() {
			view(t, s, func(registry.Reader) error {
				begun.Done()
				begun.Wait()
				return nil
			})
		})
	}
	together.Wait()
	update(t, s, func(registry.Tx) error { return nil })
	const end = `SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid()`
	var n int
	if err := raw(t, address).QueryRowContext(t.Context(), end).Scan(&n); err != nil || n < 9 {
		t.Fatalf("%d connections were ended, %v", n, err)
	}
	for range 10 {
		view(t, s, func(tx registry.Reader) error { _, err := tx.People(); return err })
	}
	update(t, s, func(tx registry.Tx) error { return agreement(tx, "acme", "PROD") })
}
