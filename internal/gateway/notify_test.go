package gateway_test

import (
	"testing"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store/pgtest"
)

// TestNotified: PostgreSQL tells of a change at once, however rarely the gateway asks by itself.
func TestNotified(t *testing.T) {
	direct := pgtest.URL(t)
	s := newServed(t, direct, direct, nil)
	s.refresh = "1h"
	n := s.start(t, "", 0)
	if status := n.evaluate(t); status != 200 {
		t.Fatal(status)
	}
	s.revoke() // the gateway may not listen yet
	eventually(t, func() bool {
		s.update(func(registry.Tx) error { return nil })
		return n.evaluate(t) == 401
	})
}

// TestBehindPgBouncer: a gateway and its registry work through PgBouncer in transaction mode, which
// passes no notifications on.
func TestBehindPgBouncer(t *testing.T) {
	pooled := pgtest.Bouncer(t, pgtest.URL(t))
	s := newServed(t, pooled, pooled, nil)
	n := s.start(t, "", 0)
	if status := n.evaluate(t); status != 200 {
		t.Fatal(status)
	}
	n.logged() // ends it; the uses of API keys are written
	if uses := s.lastUsed(); uses.IsZero() {
		t.Error("the use of the API key was not written")
	}
	n = s.start(t, "", 0)
	s.revoke()
	eventually(t, func() bool { return n.evaluate(t) == 401 })
}
