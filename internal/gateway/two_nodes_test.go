package gateway_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/sealanetest"
)

// crowd is a registry with many partners, and what is measured of it.
type crowd struct {
	*served
	nodes   []*node
	changed int // partners whose API keys were revoked, or added
}

func crowdName(i int) string { return fmt.Sprintf("partner-%06d", i) }

// fill adds partners: each has an environment, an API key and a certificate.
func (c *crowd) fill(n int) {
	c.t.Helper()
	for from := 0; from < n; from += 1000 {
		c.batch(from, min(from+1000, n), func(registry.Tx, string) error { return nil })
	}
}

// batch adds partners in one transaction, which also does something else for each.
func (c *crowd) batch(from, to int, also func(tx registry.Tx, id string) error) {
	err := c.Update(context.WithoutCancel(c.t.Context()), func(tx registry.Tx) error {
		for i := from; i < to; i++ {
			if err := errors.Join(c.add(tx, i), also(tx, crowdName(i))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		c.t.Error(err)
	}
}

func (c *crowd) add(tx registry.Tx, i int) error {
	id := crowdName(i)
	env := registry.Environment{Partner: id, Name: "SANDBOX", Sealing: sealane.SealingOptional}
	key := apiKeyOf(c.t, sealedHashKey, id, id, env)
	theirs := registry.NewCertificate(registry.Certificate{
		ID: "c-" + id, Profile: "riskos", Partner: id, Environment: env.Name, Owner: registry.Theirs,
		State: registry.Active, KeyID: id,
	}, []*x509.Certificate{sealanetest.CustomerKey().Certificate})
	return errors.Join(
		tx.PutPartner(&registry.Partner{ID: id, Name: id, Profile: "riskos", Side: sealane.ServerSide}),
		tx.PutEnvironment(&env), tx.PutAPIKey(&key), tx.PutCertificate(&theirs),
	)
}

// recordOf returns the audit record of a change of a partner.
func recordOf(id string) audit.Record {
	return audit.Record{Time: time.Now(), Actor: "test", Action: "test", Subject: "partner/" + id, Partner: id}
}

// change revokes the API key of the next partner, or adds one, and returns how long it takes from the end of the
// transaction until every node knows.
func (c *crowd) change(ctx context.Context, revoke bool) time.Duration {
	c.t.Helper()
	id := crowdName(c.changed)
	c.changed++
	token := id
	err := c.Update(ctx, func(tx registry.Tx) error {
		key, err := tx.APIKey("a-" + id)
		if err != nil {
			return err
		}
		if revoke {
			key.Revoked = time.Now()
		} else {
			token = "new-of-" + id
			key = apiKeyOf(c.t, sealedHashKey, token, id,
				registry.Environment{Name: key.Environment, Sealing: key.Sealing})
		}
		return errors.Join(tx.PutAPIKey(&key), audit.Write(tx, recordOf(id)))
	})
	if err != nil {
		c.t.Fatal(err)
	}
	done := time.Now()
	for _, n := range c.nodes {
		poll(c.t, func() bool { return (n.asks(c.t, token) == http.StatusOK) != revoke })
	}
	return time.Since(done)
}

// asks returns the status of a plain request of a caller.
func (n *node) asks(t *testing.T, token string) int {
	t.Helper()
	return call(t, "GET", n.url("in")+"/x", "", "Authorization", "Bearer api-key-of-"+token).status
}

// measure makes changes, one after the other, and fails the test if one takes too long.
func (c *crowd) measure(while string, n int) {
	c.t.Helper()
	var took []time.Duration
	for i := range n {
		took = append(took, c.change(c.t.Context(), i%2 == 0))
	}
	slices.Sort(took)
	c.t.Logf("%s: a new key or a revocation is in force on both nodes after %v, in the middle, and %v at most", while,
		took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
	if slowest := took[len(took)-1]; slowest > 5*time.Second {
		c.t.Errorf("%s: a change is in force after %v", while, slowest)
	}
}

// importing adds partners, with five changes for each, as fast as the database takes them, until the returned
// function is called.
func (c *crowd) importing(from int) (stop func()) {
	ctx, cancel := context.WithCancel(c.t.Context())
	began, changes := time.Now(), 0
	var running sync.WaitGroup
	running.Go(func() {
		for i := from; ctx.Err() == nil; i++ {
			c.batch(i, i+1, func(tx registry.Tx, id string) error { return audit.Write(tx, recordOf(id)) })
			for range 4 {
				err := c.Update(context.WithoutCancel(ctx), func(tx registry.Tx) error {
					e, err := tx.Environment(crowdName(i), "SANDBOX")
					if err != nil {
						return err
					}
					e.URL = fmt.Sprintf("https://h%d.example", time.Now().UnixNano())
					return errors.Join(tx.PutEnvironment(&e), audit.Write(tx, recordOf(e.Partner)))
				})
				if err != nil {
					c.t.Error(err)
				}
			}
			changes += 5
		}
	})
	return func() {
		cancel()
		running.Wait()
		c.t.Logf("the import made %.0f changes a second", float64(changes)/time.Since(began).Seconds())
	}
}

// TestTwoNodes: a new key and a revocation are in force on two nodes within five seconds, also while partners are
// imported and while the nodes read everything to check it. The long form has 100,000 partners.
func TestTwoNodes(t *testing.T) {
	partners := proof(300, 100_000)
	servedOnBoth(t, func(t *testing.T, s *served) {
		c := &crowd{served: s}
		s.refresh = "1s"
		c.fill(partners)
		for i := range 2 {
			before, began := heapNow(), time.Now()
			n := s.start(t, fmt.Sprintf(", node: n%d", i), 0)
			t.Logf("%d partners: node %d has started after %v, and holds %d MiB", partners, i,
				time.Since(began).Round(time.Millisecond), (heapNow()-before)>>20)
			if status := n.asks(t, crowdName(partners-1)); status != http.StatusOK {
				t.Fatalf("the last partner: %d", status)
			}
			c.nodes = append(c.nodes, n)
		}
		c.measure("alone", proof(2, 40))
		stop := c.importing(partners)
		c.measure("while partners are imported", proof(2, 40))
		for _, n := range c.nodes {
			n.clock.Add(int64(11 * time.Minute)) // all is read
		}
		c.measure("while all is read, too", proof(2, 40))
		stop()
	})
}

// heapNow returns how many bytes the heap has that are in use.
func heapNow() int64 {
	runtime.GC()
	runtime.GC() // what the first one found can have finalizers
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
