package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
	"github.com/sealane/sealane/internal/store/pgtest"
)

// seen returns a use that was seen n times, at a time and a second later.
func seen(key, partner string, d lanes.Direction, at time.Time, n int64) lanes.KeySeen {
	return lanes.KeySeen{
		KeyUse: lanes.KeyUse{Key: key, Partner: partner, Direction: d},
		Seen:   lanes.Seen{First: at, Last: at.Add(time.Second), Count: n},
	}
}

// usage returns the usage of a key as one text.
func usage(t *testing.T, s *store.Store, id, partner string) string {
	t.Helper()
	var lines []string
	view(t, s, func(tx registry.Reader) error {
		list, err := tx.KeyUsage(id, partner)
		for _, u := range list {
			lines = append(lines, fmt.Sprintf("%s %s %d by %d %s-%s", u.Node, u.Direction, u.Count, u.Partners,
				u.First.Format("15:04:05"), u.Last.Format("15:04:05")))
		}
		return err
	})
	return strings.Join(lines, "; ")
}

func use(t *testing.T, s *store.Store, node, process string, batch int64, seen ...lanes.KeySeen) {
	t.Helper()
	err := s.UsedKeys(t.Context(), lanes.KeyUses{Node: node, Process: process, Batch: batch, Seen: seen})
	if err != nil {
		t.Fatal(err)
	}
}

// putKeys stores a shared pair p, and a certificate c of acme.
func putKeys(tx registry.Tx) error {
	k, c := keyPair("p", "", "PROD"), certificate("c", registry.Theirs, "acme", "PROD")
	return all(agreement(tx, "acme", "PROD"), tx.PutKeyPair(&k), tx.PutCertificate(&c))
}

func TestUsesOfKeys(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		update(t, s, putKeys)
		use(t, s, "n1", "a", 1, seen("p", "acme", lanes.In, noon, 2), seen("p", "beta", lanes.In, noon, 1),
			seen("p", "acme", lanes.Out, noon, 5), seen("c", "acme", lanes.Out, noon, 5),
			seen("gone", "acme", lanes.In, noon, 1))
		use(t, s, "n1", "a", 2, seen("p", "acme", lanes.In, noon.Add(-time.Hour), 1)) // it came late
		use(t, s, "n2", "b", 1, seen("p", "acme", lanes.In, noon.Add(time.Hour), 7))
		for _, c := range []struct{ id, partner, want string }{
			{"p", "", "n1 in 4 by 2 11:00:00-12:00:01; n1 out 5 by 1 12:00:00-12:00:01; n2 in 7 by 1 13:00:00-" +
				"13:00:01"},
			{"p", "acme", "n1 in 3 by 1 11:00:00-12:00:01; n1 out 5 by 1 12:00:00-12:00:01; n2 in 7 by 1 13:00:00-" +
				"13:00:01"},
			{"p", "beta", "n1 in 1 by 1 12:00:00-12:00:01"},
			{"c", "", "n1 out 5 by 1 12:00:00-12:00:01"},
			{"gone", "", ""},
		} {
			if got := usage(t, s, c.id, c.partner); got != c.want {
				t.Errorf("%s of %q:\n%s, want\n%s", c.id, c.partner, got, c.want)
			}
		}
	})
}

// Where nobody knows whether a batch was stored, it is stored again, and counts once.
func TestBatchesOfUsesCountOnce(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		update(t, s, putKeys)
		for range 3 {
			use(t, s, "n", "a", 1, seen("p", "acme", lanes.In, noon, 2), seen("c", "acme", lanes.In, noon, 2))
		}
		use(t, s, "n", "a", 2, seen("p", "acme", lanes.In, noon, 1))
		for range 2 { // the process was started anew
			use(t, s, "n", "b", 1, seen("p", "acme", lanes.In, noon, 10))
		}
		if got, want := usage(t, s, "p", ""), "n in 13 by 1 12:00:00-12:00:01"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if got, want := usage(t, s, "c", ""), "n in 2 by 1 12:00:00-12:00:01"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}

// As many uses as are stored at once take several statements, and too many are refused.
func TestManyUsesOfKeys(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		update(t, s, putKeys)
		var many []lanes.KeySeen
		for i := range lanes.MostKeySeen - 1 {
			many = append(many, seen("p", fmt.Sprint("partner-", i), lanes.In, noon, 1))
		}
		use(t, s, "n", "a", 1, many...)
		if got, want := usage(t, s, "p", ""), "n in 499 by 499 12:00:00-12:00:01"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		uses := lanes.KeyUses{Node: "n", Process: "a", Batch: 2, Seen: append(many, many[:2]...)}
		if err := s.UsedKeys(t.Context(), uses); err == nil {
			t.Error("more than 500 uses were stored")
		}
	})
}

func TestNodesReportThemselves(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		at := noon.Truncate(time.Microsecond)
		report := func(n lanes.Node, again bool) lanes.Node {
			t.Helper()
			before, err := s.ReportNode(t.Context(), n, again)
			if err != nil {
				t.Fatal(err)
			}
			return before
		}
		stored := func(name string) (n lanes.Node) {
			t.Helper()
			view(t, s, func(tx registry.Reader) (err error) {
				n, err = tx.Node(name)
				return err
			})
			return n
		}
		same := func(got, want lanes.Node) {
			t.Helper()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		}
		n := lanes.Node{Name: "n", Process: "a", Record: 7, Started: at, At: at.Add(time.Minute), Counted: at,
			Serves: at.Add(24 * time.Hour)}
		same(report(n, false), lanes.Node{})
		same(stored("n"), n)
		later := n
		later.Record, later.At = 8, at.Add(2*time.Minute)
		same(report(later, true), n)

		next := lanes.Node{Name: "n", Process: "b", Record: 8, Started: at.Add(time.Hour), At: at.Add(time.Hour),
			Counted: at, Serves: at}
		same(report(next, false), later) // it takes the row over
		same(stored("n"), next)
		end := later
		end.Ended = at.Add(2 * time.Hour)
		if err := s.EndNode(t.Context(), end); err != nil {
			t.Fatal(err)
		}
		same(stored("n"), next) // the row is not that process's any more

		later.At = at.Add(2 * time.Hour)
		same(report(later, true), next)
		shared := later
		shared.Shared = later.At
		same(stored("n"), shared) // both run
		next.At = at.Add(3 * time.Hour)
		report(next, true)
		next.Shared = next.At
		next.At = at.Add(4 * time.Hour)
		report(next, true)
		same(stored("n"), next)

		next.Ended, next.Counted = at.Add(5*time.Hour), at.Add(5*time.Hour)
		if err := s.EndNode(t.Context(), next); err != nil {
			t.Fatal(err)
		}
		same(stored("n"), next)

		report(lanes.Node{Name: "m", Process: "c"}, false)
		view(t, s, func(tx registry.Reader) error {
			nodes, err := tx.Nodes()
			if got := ids(nodes, func(n registry.Node) string { return n.Name }); got != "m n" {
				t.Errorf("nodes %q", got)
			}
			return err
		})
		err := s.Update(t.Context(), func(tx registry.Tx) error {
			old := next
			old.At = at
			return tx.DeleteNode(old)
		})
		if !errors.Is(err, registry.ErrConflict) {
			t.Errorf("a node that has reported itself meanwhile: %v", err)
		}
		update(t, s, func(tx registry.Tx) error { return tx.DeleteNode(next) })
		view(t, s, func(tx registry.Reader) error {
			if _, err := tx.Node("n"); !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("a node that was removed: %v", err)
			}
			return nil
		})
	})
}

// PostgreSQL only: uses and reports are stored while another program writes, for as long as it does.
func TestUsesAndReportsDoNotWaitForWriters(t *testing.T) {
	address := pgtest.URL(t)
	writer, node := open(t, address), open(t, address)
	update(t, writer, putKeys)
	update(t, writer, func(tx registry.Tx) error {
		k, err := tx.KeyPair("p")
		if err != nil {
			return err
		}
		k.Custodian = "changed meanwhile"
		_, reported := node.ReportNode(t.Context(), lanes.Node{Name: "n", Process: "a"}, false)
		return all(tx.PutKeyPair(&k), reported, node.UsedKeys(t.Context(), lanes.KeyUses{
			Node: "n", Process: "a", Batch: 1, Seen: []lanes.KeySeen{seen("p", "acme", lanes.In, noon, 1)},
		}), node.EndNode(t.Context(), lanes.Node{Name: "n", Process: "a", Ended: noon}))
	})
	if got, want := usage(t, node, "p", ""), "n in 1 by 1 12:00:00-12:00:01"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Two nodes that store uses of the same keys at the same time wait for each other, and none fails.
func TestNodesStoreUsesAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s := open(t, address)
		update(t, s, putKeys)
		const nodes, batches = 4, 25
		done := make(chan error, nodes)
		for n := range nodes {
			node := open(t, address)
			go func() {
				var err error
				for b := range batches {
					err = errors.Join(err, node.UsedKeys(context.WithoutCancel(t.Context()), lanes.KeyUses{
						Node: fmt.Sprint("n", n%2), Process: fmt.Sprint("p", n), Batch: int64(b + 1),
						Seen: []lanes.KeySeen{
							seen("c", "acme", lanes.In, noon, 1), seen("p", "acme", lanes.In, noon, 1),
						},
					}))
				}
				done <- err
			}()
		}
		for range nodes {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		want := "n0 in 50 by 1 12:00:00-12:00:01; n1 in 50 by 1 12:00:00-12:00:01"
		for _, id := range []string{"c", "p"} {
			if got := usage(t, s, id, ""); got != want {
				t.Errorf("%s: %s, want %s", id, got, want)
			}
		}
	})
}

// A backup has the uses of keys, and no nodes: they report themselves where it is restored.
func TestBackupHasUsesAndNoNodes(t *testing.T) {
	for _, from := range databases {
		onBoth(t, func(t *testing.T, address string) {
			s := open(t, from.address(t))
			update(t, s, putKeys)
			use(t, s, "n", "a", 9, seen("p", "acme", lanes.In, noon, 3))
			if _, err := s.ReportNode(t.Context(), lanes.Node{Name: "n", Process: "a"}, false); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "backup")
			if err := s.Backup(t.Context(), path); err != nil {
				t.Fatal(err)
			}
			if _, err := store.Restore(t.Context(), address, path, store.Options{}); err != nil {
				t.Fatal(err)
			}
			restored := open(t, address)
			use(t, restored, "n", "a", 9, seen("p", "acme", lanes.In, noon, 3)) // it is in the backup
			use(t, restored, "n", "a", 10, seen("p", "acme", lanes.In, noon, 4))
			if got, want := usage(t, restored, "p", "acme"), "n in 7 by 1 12:00:00-12:00:01"; got != want {
				t.Errorf("from %s: %s, want %s", from.name, got, want)
			}
			view(t, restored, func(tx registry.Reader) error {
				nodes, err := tx.Nodes()
				if len(nodes) != 0 {
					t.Errorf("from %s: nodes %v", from.name, nodes)
				}
				return err
			})
		})
	}
}

// BenchmarkUsedKeys stores batches of uses of many keys, each of which is stored already.
func BenchmarkUsedKeys(b *testing.B) {
	for _, d := range databases {
		b.Run("db="+d.name, func(b *testing.B) {
			s := open(b, d.address(b))
			update(b, s, putKeys)
			const batches = 100
			var all [batches][]lanes.KeySeen
			for i := range batches {
				for j := range lanes.MostKeySeen {
					partner := fmt.Sprint("partner-", (j*batches+i)*7919%50_000)
					all[i] = append(all[i], seen("p", partner, lanes.In, noon, 1))
				}
			}
			batch := int64(0)
			store := func() {
				batch++
				err := s.UsedKeys(b.Context(), lanes.KeyUses{
					Node: "n", Process: "a", Batch: batch, Seen: all[batch%batches],
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			for range batches {
				store()
			}
			for b.Loop() {
				store()
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/lanes.MostKeySeen, "µs/use")
		})
	}
}
