package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

// Two operators have read the same row, each with a program of their own. One succeeds, the
// other gets an error.
func TestTwoOperators(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		programs := []*store.Store{open(t, address), open(t, address)}
		update(t, programs[0], func(tx registry.Tx) error { return agreement(tx, "acme", "PROD") })
		for round := range 10 {
			read := make([]registry.Partner, len(programs))
			for i, s := range programs {
				view(t, s, func(tx registry.Reader) (err error) { read[i], err = tx.Partner("acme"); return err })
			}
			errs := make([]error, len(programs))
			var both sync.WaitGroup
			for i, s := range programs {
				both.Go(func() {
					read[i].Name = fmt.Sprintf("by %d in round %d", i, round)
					errs[i] = s.Update(t.Context(), func(tx registry.Tx) error { return tx.PutPartner(&read[i]) })
				})
			}
			both.Wait()
			winner := 0
			if errs[0] != nil {
				winner = 1
			}
			if errs[winner] != nil || !errors.Is(errs[1-winner], registry.ErrConflict) {
				t.Fatalf("round %d: %v", round, errs)
			}
			view(t, programs[0], func(tx registry.Reader) error {
				got, err := tx.Partner("acme")
				if got.Name != read[winner].Name {
					t.Errorf("round %d: %q is stored, %q won", round, got.Name, read[winner].Name)
				}
				return err
			})
		}
	})
}

// Unrelated changes of several programs all succeed, and the audit log has no gap;
// concurrent reads see only whole changes.
func TestManyAtOnce(t *testing.T) {
	const workers, each = 6, 8
	onBoth(t, func(t *testing.T, address string) {
		programs := []*store.Store{open(t, address), open(t, address)}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var writers, lookers sync.WaitGroup
		for w := range workers {
			writers.Go(func() {
				for i := range each {
					err := programs[w%2].Update(ctx, func(tx registry.Tx) error {
						head, err := tx.AuditHead()
						if err != nil {
							return err
						}
						return all(agreement(tx, fmt.Sprintf("partner-%d-%d", w, i), "PROD"),
							tx.AppendAudit(record(head.Seq+1)))
					})
					if err != nil {
						t.Errorf("worker %d: %v", w, err)
					}
				}
			})
		}
		for l := range 2 {
			lookers.Go(func() {
				for ctx.Err() == nil {
					err := programs[l].View(ctx, func(tx registry.Reader) error {
						head, err := tx.AuditHead()
						partners, environments := 0, 0
						rows := tx.Lanes()
						return all(err, count(rows.Partners(), &partners), count(rows.Environments(), &environments),
							same(partners, environments, int(head.Seq)))
					})
					if err != nil && !errors.Is(err, context.Canceled) {
						t.Error(err)
						return
					}
				}
			})
		}
		writers.Wait()
		cancel()
		lookers.Wait()
		view(t, programs[0], func(tx registry.Reader) error {
			head, err := tx.AuditHead()
			if head.Seq != workers*each {
				t.Errorf("the log has %d records, want %d", head.Seq, workers*each)
			}
			return err
		})
	})
}

func same(partners, environments, records int) error {
	if partners != records || environments != records {
		return fmt.Errorf("a read saw %d partners, %d environments and %d records", partners, environments, records)
	}
	return nil
}

// A read sees one moment, even if the same program changes data.
func TestAReadIsOneMoment(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		view(t, s, func(tx registry.Reader) error {
			before, err := tx.Partners(registry.Page{})
			update(t, s, func(tx registry.Tx) error { return agreement(tx, "acme", "PROD") })
			after, err2 := tx.Partners(registry.Page{})
			if len(before) != 0 || len(after) != 0 {
				t.Errorf("%d partners, then %d", len(before), len(after))
			}
			return all(err, err2)
		})
	})
}

// Waiting for another change ends with the context.
func TestWaitingHearsTheContext(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		holder := open(t, address)
		for name, s := range map[string]*store.Store{"the same program": holder, "another program": open(t, address)} {
			update(t, holder, func(registry.Tx) error {
				ctx, cancel := context.WithCancelCause(t.Context())
				bored := errors.New("bored")
				done := make(chan error)
				go func() { done <- s.Update(ctx, func(registry.Tx) error { return nil }) }()
				cancel(bored)
				if err := <-done; !errors.Is(err, bored) {
					t.Errorf("%s: %v", name, err)
				}
				return nil
			})
		}
	})
}

// PostgreSQL only: somebody changes rows past the lock that Sealane's writers take.
func TestLostRaceIsAConflict(t *testing.T) {
	address := databases[1].address(t)
	s, db := open(t, address), raw(t, address)
	update(t, s, func(tx registry.Tx) error { return agreement(tx, "acme", "PROD") })
	err := s.Update(t.Context(), func(tx registry.Tx) error {
		p, err := tx.Partner("acme")
		if err != nil {
			return err
		}
		if _, err := db.ExecContext(t.Context(), "UPDATE partner SET body = body WHERE id = 'acme'"); err != nil {
			return err
		}
		return tx.PutPartner(&p)
	})
	if !errors.Is(err, registry.ErrConflict) {
		t.Errorf("the error is %v", err)
	}
}

// An error of the database never holds what is in a row.
func TestErrorsHoldNoValues(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, db := open(t, address), raw(t, address)
		update(t, s, func(tx registry.Tx) error { return agreement(tx, "acme", "PROD") })
		if _, err := db.ExecContext(t.Context(), `UPDATE partner SET body = 'hunter2'`); err != nil {
			t.Fatal(err)
		}
		err := s.View(t.Context(), func(tx registry.Reader) error { _, err := tx.Partner("acme"); return err })
		if err == nil || !strings.Contains(err.Error(), "damaged") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a damaged row: %v", err)
		}
	})
}
