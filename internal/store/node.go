package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

var nodeTable = &table[registry.Node]{
	name: "node",
	row:  func(n *registry.Node) string { return fmt.Sprintf("node %q", n.Name) },
	key:  []column[registry.Node]{text("name", func(n *registry.Node) *string { return &n.Name })},
	columns: []column[registry.Node]{
		text("process", func(n *registry.Node) *string { return &n.Process }),
		number("record", func(n *registry.Node) *int64 { return &n.Record }),
		instant("started", func(n *registry.Node) *time.Time { return &n.Started }),
		instant("at", func(n *registry.Node) *time.Time { return &n.At }),
		instant("counted", func(n *registry.Node) *time.Time { return &n.Counted }),
		instant("serves", func(n *registry.Node) *time.Time { return &n.Serves }),
		instant("ended", func(n *registry.Node) *time.Time { return &n.Ended }),
		instant("shared", func(n *registry.Node) *time.Time { return &n.Shared }),
	},
}

// ReportNode implements [lanes.Store].
func (s *Store) ReportNode(ctx context.Context, n lanes.Node, again bool) (before lanes.Node, err error) {
	err = s.commit(ctx, s.dialect.beginUses, func(t *tx) error {
		before, err = t.Node(n.Name)
		if errors.Is(err, registry.ErrNotFound) {
			done, err := insert(t, nodeTable, &n)
			if err == nil && !done {
				err = registry.ErrConflict // another process was faster
			}
			return err
		}
		if err != nil {
			return err
		}
		n.Shared = before.Shared
		if again && before.Process != n.Process {
			n.Shared = n.At
		}
		_, err = update(t, nodeTable, &n)
		return err
	})
	return before, err
}

// EndNode implements [lanes.Store].
func (s *Store) EndNode(ctx context.Context, n lanes.Node) error {
	return s.commit(ctx, s.dialect.beginUses, func(t *tx) error {
		_, err := t.exec("end of node", "UPDATE node SET ended = ?, counted = ? WHERE name = ? AND process = ?",
			n.Ended.UnixMicro(), n.Counted.UnixMicro(), n.Name, n.Process)
		return err
	})
}

func (t *tx) Node(name string) (registry.Node, error) {
	return find(t, nodeTable, registry.Node{Name: name})
}

func (t *tx) Nodes() ([]registry.Node, error) {
	return list(t, "nodes", nodeTable.whole(), nodeTable.inOrder())
}

func (t *tx) DeleteNode(n registry.Node) error {
	deleted, err := t.exec(nodeTable.row(&n), "DELETE FROM node WHERE name = ? AND process = ? AND at = ?",
		n.Name, n.Process, n.At.UnixMicro())
	if err == nil && deleted == 0 {
		err = fmt.Errorf("%s: %w", nodeTable.row(&n), registry.ErrConflict)
	}
	return err
}
