package operation

import (
	"context"
	"time"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

// Node is a process that serves messages, as it has reported itself.
type Node struct {
	Name  string    `json:"name"`
	State NodeState `json:"state"`
	// Record is the last record of the audit log that is in force, and Behind how many there are since.
	Record   int64     `json:"record"`
	Behind   int64     `json:"behind"`
	Reported time.Time `json:"reported"` // the last time
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended,omitzero"`
	// Counted: the uses of keys until then are stored.
	Counted time.Time `json:"counted"`
	// Serves is until when it goes on without the database, if it can't reach it.
	Serves time.Time `json:"serves_until"`
	// Shared is when two processes of the name were last seen at the same time.
	Shared time.Time `json:"shared,omitzero"`
}

// NodeState is the state of a node.
type NodeState string

// The states of nodes.
const (
	NodeRuns   NodeState = "runs"
	NodeSilent NodeState = "silent" // it has not signed off, and not reported itself for a while: it may still serve
	NodeEnded  NodeState = "ended"  // it has signed off
)

// NodeList is a list of nodes.
type NodeList struct {
	Head  int64  `json:"head"` // the last record of the audit log
	Nodes []Node `json:"nodes"`
	Damage
}

// NodeName names a node.
type NodeName struct {
	Node string `json:"node"`
}

// ListNodes lists the processes that serve messages, also those that have ended.
var ListNodes = reading("ListNodes",
	func(ctx context.Context, v *registry.Viewer, _ None) (out NodeList, err error) {
		err = v.View(ctx, func(tx registry.Reader) error {
			head, err := tx.AuditHead()
			if err != nil {
				return err
			}
			nodes, damaged, err := registry.Readable(tx.Nodes())
			out.Head = head.Seq
			out.lack(damaged)
			for _, n := range nodes {
				out.Nodes = append(out.Nodes, nodeOf(n, head.Seq, v.Time()))
			}
			return err
		})
		return out, err
	})

func nodeOf(n registry.Node, head int64, now time.Time) Node {
	out := Node{
		Name: n.Name, State: NodeRuns, Record: n.Record, Behind: max(head-n.Record, 0), Reported: n.At,
		Started: n.Started, Ended: n.Ended, Counted: n.Counted, Serves: n.Serves, Shared: n.Shared,
	}
	switch {
	case n.Gone():
		out.State = NodeEnded
	case n.Silent(now):
		out.State = NodeSilent
	}
	return out
}

// RemoveNode forgets a node that is gone for good.
var RemoveNode = changing("RemoveNode", registry.ActionNodeRemove,
	func(ctx context.Context, s *Session, in NodeName) (NodeName, error) {
		return in, s.Session.RemoveNode(ctx, in.Node)
	})

// LastUse is when a key pair or certificate was used last, for messages of a partner.
type LastUse struct {
	In  time.Time `json:"in,omitzero"`  // messages of the partner
	Out time.Time `json:"out,omitzero"` // messages of ours
}

// Used is the standing of a certificate, with its last use.
type Used struct {
	Standing
	LastUse LastUse `json:"last_use,omitzero"`
}

// standings returns the standing of all certificates in the lanes with a partner, with their last uses.
func standings(ctx context.Context, v *registry.Viewer, of lanes.Name) ([]Used, error) {
	list, err := exchange.Status(ctx, v, of)
	if err != nil {
		return nil, err
	}
	return withUses(ctx, v, of.Partner, list)
}

// withUses adds when the keys were used last for messages of a partner.
func withUses(ctx context.Context, v *registry.Viewer, partner string, list []Standing) ([]Used, error) {
	out := make([]Used, len(list))
	err := v.View(ctx, func(tx registry.Reader) error {
		for i, s := range list {
			out[i] = Used{Standing: s}
			id := s.Certificate
			if s.Owner == registry.Ours {
				id = s.KeyPair
			}
			if id == "" {
				continue
			}
			usage, err := tx.KeyUsage(id, partner)
			if err != nil {
				return err
			}
			out[i].LastUse = lastUse(usage)
		}
		return nil
	})
	return out, err
}

func lastUse(usage []registry.Usage) (last LastUse) {
	for _, u := range usage {
		of := &last.Out
		if u.Direction == lanes.In {
			of = &last.In
		}
		if u.Last.After(*of) {
			*of = u.Last
		}
	}
	return last
}
