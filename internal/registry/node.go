package registry

import (
	"context"
	"time"

	"github.com/sealane/sealane/internal/lanes"
)

// Node is what a process that serves messages reports of itself.
type Node = lanes.Node

// Usage is how often a key pair or certificate was used by a node, in one direction.
type Usage struct {
	Node      string          `json:"node"`
	Direction lanes.Direction `json:"direction"` // in: messages of partners; out: ours
	First     time.Time       `json:"first"`
	Last      time.Time       `json:"last"`
	Count     int64           `json:"count"`
	// Partners is the number of those whose messages they were. A shared key pair has several.
	Partners int `json:"partners"`
}

// RemoveNode forgets a node that is gone for good. What it has used stays counted. A process of that name
// that still runs reports itself again.
func (s *Session) RemoveNode(ctx context.Context, name string) error {
	entry := Entry{Action: ActionNodeRemove, Subject: "node/" + name}
	return s.Change(ctx, entry, func(tx Tx, entry *Entry) error {
		n, err := tx.Node(name)
		if err != nil {
			return err
		}
		if now := s.registry.now(); !n.Gone() && !n.Silent(now) {
			return Refuse("node %q runs: it reported itself at %s; end it first", name, n.At.Format(time.RFC3339))
		}
		entry.Before = nodeRecord(n)
		return tx.DeleteNode(n)
	})
}

// nodeRecord is what the audit log keeps of a node that is removed.
func nodeRecord(n Node) map[string]any {
	m := map[string]any{"record": n.Record, "started": n.Started, "at": n.At, "serves": n.Serves}
	if n.Gone() {
		m["ended"] = n.Ended
	}
	return m
}
