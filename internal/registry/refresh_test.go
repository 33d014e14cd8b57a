package registry_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/keyring"
)

// node is a serving program: it reads lanes, and counts what that takes.
type node struct {
	lanes.Reader
	rows     int // that were read
	unsealed int // private keys that were opened
	now      *lanes.Snapshot
	extent   lanes.Extent
}

// countingStore counts the rows that are read.
type countingStore struct {
	lanes.Store
	n *node
}

func (c countingStore) ReadLanes(
	ctx context.Context, s lanes.Scope, read func(lanes.Rows, lanes.Extent) error,
) error {
	return c.Store.ReadLanes(ctx, s, func(rows lanes.Rows, x lanes.Extent) error {
		return read(countedRows{rows, &c.n.rows}, x)
	})
}

type countedRows struct {
	lanes.Rows
	n *int
}

func counted[T any](rows iter.Seq2[T, error], n *int) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for row, err := range rows {
			if *n++; !yield(row, err) {
				return
			}
		}
	}
}

func (c countedRows) Partners() iter.Seq2[lanes.Partner, error] {
	return counted(c.Rows.Partners(), c.n)
}
func (c countedRows) Environments() iter.Seq2[lanes.Environment, error] {
	return counted(c.Rows.Environments(), c.n)
}
func (c countedRows) APIKeys() iter.Seq2[lanes.APIKey, error] { return counted(c.Rows.APIKeys(), c.n) }
func (c countedRows) KeyPairs() iter.Seq2[lanes.KeyPair, error] {
	return counted(c.Rows.KeyPairs(), c.n)
}
func (c countedRows) Confirmations() iter.Seq2[lanes.Confirmation, error] {
	return counted(c.Rows.Confirmations(), c.n)
}
func (c countedRows) Certificates() iter.Seq2[lanes.Certificate, error] {
	return counted(c.Rows.Certificates(), c.n)
}

func (c countedRows) OwnCertificates() iter.Seq2[lanes.OwnCertificate, error] {
	return counted(c.Rows.OwnCertificates(), c.n)
}

func newNode(t *testing.T, s *registry.Session) *node {
	t.Helper()
	n := &node{Reader: *s.Registry().Lanes()}
	open := n.Open
	n.Open = func(k lanes.KeyPair) (keyring.Private, error) {
		n.unsealed++
		if strings.HasPrefix(k.ID, "raw-") {
			return testkey.RSA(t, k.KeyID, 2048), nil
		}
		return open(k)
	}
	n.Store = countingStore{n.Store, n}
	var err error
	n.now, err = n.Read(t.Context(), time.Now())
	must(t, err)
	return n
}

// refresh reads what has changed, and returns how many rows that were.
func (n *node) refresh(t *testing.T) int {
	t.Helper()
	n.rows = 0
	next, extent, err := n.Refresh(t.Context(), n.now, time.Now())
	must(t, err)
	n.now, n.extent = next, extent
	return n.rows
}

// A revocation is in force on two nodes after one refresh, which reads the rows of that partner
// only. The lanes of the others are the same as before, and their private keys stay open.
func TestRefreshReadsWhatHasChanged(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, _ := founded(t, address)
		twoLanes(t, s)
		acme := lanes.Name{Partner: "acme", Environment: "SANDBOX"}
		other := lanes.Name{Partner: "other", Environment: "SANDBOX"}
		k, token, err := s.IssueAPIKey(t.Context(), registry.NewAPIKey{
			Partner: "acme", Environment: "SANDBOX", Sealing: sealane.SealingOptional})
		must(t, err)
		nodes := []*node{newNode(t, s), newNode(t, s)}
		all := nodes[0].rows
		before := map[*node]*sealane.Lane{}
		for _, n := range nodes {
			for _, name := range []lanes.Name{acme, other} {
				lane, err := n.now.Lane(name)
				must(t, err)
				_, err = lane.Seal(t.Context(), []byte("{}"))
				must(t, err)
				before[n] = lane
			}
			if _, _, err := n.now.ByAPIKey(token); err != nil || n.unsealed != 2 {
				t.Errorf("%v, %d keys opened", err, n.unsealed)
			}
			if rows := n.refresh(t); rows != 0 {
				t.Errorf("%d rows were read, and nothing had changed", rows)
			}
		}
		must(t, s.WithReason("left on a train").RevokeAPIKey(t.Context(), k.ID))
		for _, n := range nodes {
			rows := n.refresh(t)
			if _, _, err := n.now.ByAPIKey(token); !errors.Is(err, lanes.ErrUnknownAPIKey) {
				t.Errorf("a revoked key: %v", err)
			}
			lane, err := n.now.Lane(acme)
			must(t, err)
			_, err = lane.Seal(t.Context(), []byte("{}"))
			must(t, err)
			if lane, err := n.now.Lane(other); err != nil || lane != before[n] {
				t.Errorf("the other lane was made again: %v", err)
			}
			if n.extent.Whole || rows == 0 || rows > all/2 || n.unsealed != 2 {
				t.Errorf("%d of %d rows were read, %d keys opened: %+v", rows, all, n.unsealed, n.extent)
			}
			n.now, err = n.Read(t.Context(), time.Now()) // a program that has just started
			must(t, err)
		}
	})
}

// A database that was restored is read as a whole, even if its log is longer by now. What was not
// changed by a record is found by reading all.
func TestRefreshOfAnotherDatabase(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, _ := founded(t, address)
		c, _ := twoLanes(t, s)
		n, ctx := newNode(t, s), t.Context()
		db := behind(t, address)
		missed := func() []string {
			t.Helper()
			next, missed, err := n.Check(ctx, n.now, time.Now())
			must(t, err)
			n.now = next
			return missed
		}
		if got := missed(); len(got) > 0 {
			t.Errorf("missed %q", got)
		}
		late := registry.Partner{ID: "late", Name: "L", Profile: "riskos", Side: sealane.ServerSide}
		must(t, s.AddPartner(ctx, late))
		must(t, s.AddEnvironment(ctx, environmentOf("late", "SANDBOX")))
		back := db.swap("certificate", "state", c.ID, "retired")
		if got := missed(); !slices.Equal(got, []string{"partner " + c.Partner}) {
			t.Errorf("missed %q", got)
		}
		if _, err := n.now.Lane(lanes.Name{Partner: "late", Environment: "SANDBOX"}); err != nil {
			t.Error(err)
		}
		back()
		if got := missed(); !slices.Equal(got, []string{"partner " + c.Partner}) {
			t.Errorf("missed %q", got)
		}
		// The log ends before, or is another one.
		for _, since := range []lanes.Version{
			{Seq: n.now.Version.Seq + 5, Hash: n.now.Version.Hash},
			{Seq: n.now.Version.Seq - 1, Hash: n.now.Version.Hash},
		} {
			n.now.Version = since
			n.refresh(t)
			if !n.extent.Whole || !n.extent.Changed.Restored || n.now.Version.Seq == since.Seq || n.unsealed > 0 {
				t.Errorf("%+v, %d keys opened", n.extent, n.unsealed)
			}
		}
	})
}
