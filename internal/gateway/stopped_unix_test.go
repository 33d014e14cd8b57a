//go:build unix

package gateway_test

import (
	"database/sql"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/internal/store/pgtest"
)

// TestStoppedServer: a PostgreSQL that stands still costs no traffic, and changes are in force when it goes
// on. Uses of keys are counted once, also those that were being stored.
func TestStoppedServer(t *testing.T) {
	direct := pgtest.URL(t)
	s := newServed(t, direct, direct, nil)
	n := s.start(t, ", node: n", 0)
	db, err := sql.Open("pgx", direct)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	signal := func(to syscall.Signal) (reached int) {
		t.Helper()
		rows, err := db.QueryContext(t.Context(), `SELECT pid FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var pid int
			if err := rows.Scan(&pid); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(pid, to); err == nil {
				reached++
			}
		}
		return reached
	}
	defer signal(syscall.SIGCONT)
	if status := n.evaluate(t); status != 200 {
		t.Errorf("before: %d", status)
	}
	n.clock.Add(int64(time.Minute)) // its use is being stored
	// New connections have new processes, which are stopped too: nothing tells when there is one.
	poll(t, func() bool { return signal(syscall.SIGSTOP) > 0 && strings.Contains(n.status(t), `"failed"`) })
	if status := n.evaluate(t); status != 200 {
		t.Errorf("meanwhile: %d", status)
	}
	signal(syscall.SIGCONT)
	s.revoke()
	n.log.wait(t, "the registry can be read again", 1)
	n.asked.read(t)
	if status := n.evaluate(t); status != 401 {
		t.Errorf("a revoked key: %d", status)
	}
	n.logged()
	s.wantUsed("k-acme in n 2, k-acme out n 2", "k-acme")
}

// TestReloadWithAnotherRootKey: a root key that is not the registry's is refused by a reload, and the one
// before stays.
func TestReloadWithAnotherRootKey(t *testing.T) {
	servedOnBoth(t, func(t *testing.T, s *served) {
		n := s.start(t, "", 0)
		right, err := os.ReadFile(s.root)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(s.root); err != nil {
			t.Fatal(err)
		}
		if _, err := rootkey.Create(s.root); err != nil {
			t.Fatal(err)
		}
		if err := n.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "the registry is sealed under") {
			t.Error(err)
		}
		if status := n.evaluate(t); status != 200 {
			t.Errorf("after a refused reload: %d", status)
		}
		back := s.away()
		if err := n.Reload(t.Context()); err == nil && s.proxy != nil {
			t.Error("another root key was taken, and nobody could tell whether it is right")
		}
		if err := os.WriteFile(s.root, right, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := n.Reload(t.Context()); err != nil {
			t.Errorf("reload without the database: %v", err)
		}
		back()
	})
}
