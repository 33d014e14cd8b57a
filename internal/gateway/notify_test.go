package gateway_test

import (
	"testing"
	"time"

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
	s.revoke()
	asked, _ := n.asked.count()
	for i := 0; ; i++ { // nothing tells when the gateway listens, and it follows ten notifications a second
		now, next := n.asked.count()
		if now >= asked+2 {
			break
		}
		if i == 200 {
			t.Fatal("it was not notified")
		}
		s.update(func(registry.Tx) error { return nil })
		select {
		case <-next:
		case <-time.After(150 * time.Millisecond):
		}
	}
	if status := n.evaluate(t); status != 401 {
		t.Errorf("a revoked key: %d", status)
	}
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
	n.asked.read(t)
	if status := n.evaluate(t); status != 401 {
		t.Errorf("a revoked key: %d", status)
	}
}
