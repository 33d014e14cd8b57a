package registry_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

// A node that is gone for good is forgotten, with a record. One that runs is not. Lanes are not read again
// for that.
func TestRemoveNode(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	now := s.Time()
	report := func(name string, at, ended time.Time) {
		t.Helper()
		n := lanes.Node{Name: name, Process: name, Record: 1, Started: now.Add(-time.Hour), At: at, Ended: ended}
		_, err := s.Registry().Store.ReportNode(ctx, n, false)
		must(t, err)
	}
	report("runs", now.Add(-5*time.Second), time.Time{})
	report("silent", now.Add(-time.Minute), time.Time{})
	report("ended", now.Add(-5*time.Second), now)
	before, err := s.Registry().Snapshot(ctx)
	must(t, err)

	because := s.WithReason("its machine is gone")
	refused(t, `node "runs" runs`, because.RemoveNode(ctx, "runs"))
	if err := s.RemoveNode(ctx, "silent"); err == nil || !strings.Contains(err.Error(), "say why") {
		t.Errorf("without a reason: %v", err)
	}
	must(t, because.RemoveNode(ctx, "silent"))
	must(t, because.RemoveNode(ctx, "ended"))
	if err := because.RemoveNode(ctx, "ended"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("twice: %v", err)
	}
	must(t, s.View(ctx, func(tx registry.Reader) error {
		nodes, err := tx.Nodes()
		if len(nodes) != 1 || nodes[0].Name != "runs" {
			t.Errorf("nodes %v", nodes)
		}
		records, failed := tx.FindAudit(registry.AuditQuery{Action: registry.ActionNodeRemove, Limit: 10})
		if len(records) != 2 || records[0].Subject != "node/silent" || records[0].Actor != "anna" ||
			!strings.Contains(string(records[0].Before), `"record":1`) {
			t.Errorf("records %+v", records)
		}
		return errors.Join(err, failed)
	}))
	_, extent, err := s.Registry().Lanes().Refresh(ctx, before, now)
	must(t, err)
	if extent.Whole || len(extent.Changed.Partners) > 0 || extent.Version == before.Version {
		t.Errorf("read again: %+v", extent)
	}
}
