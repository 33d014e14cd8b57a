package registry

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/registry/internal/guard"
)

// loaded checks that every node has the successor.
func (s *Session) loaded(tx Reader, n Renewal, id string) error {
	record := n.Staged
	if record == 0 { // it goes from approved to active: the nodes take both together
		return nil
	}
	waiting, err := NodesWithout(tx, record, s.registry.now())
	if err == nil && len(waiting) > 0 {
		err = &NotLoadedError{Key: id, Nodes: waiting}
	}
	return err
}

// NotLoadedError means that nodes do not have a change yet, or may not have it. It passes by itself,
// when they report that they have, or when what they have is too old to be served.
type NotLoadedError struct {
	Key   string
	Nodes []string
}

func (e *NotLoadedError) Error() string {
	return fmt.Sprintf("%s is not loaded by %s: it goes on when they report it, or sign off, or serve nothing "+
		"any more",
		e.Key, nodeNames(e.Nodes))
}

// nodeNames lists nodes, at most ten.
func nodeNames(names []string) string {
	more := ""
	if n := len(names) - 10; n > 0 {
		names, more = names[:10], fmt.Sprintf(" and %d more", n)
	}
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = fmt.Sprintf("node %q", name)
	}
	return strings.Join(quoted, ", ") + more
}

// NodesWithout returns the names of the nodes that may serve messages without a record of the audit
// log: those that have not reported it within [lanes.Alive], unless they have signed off, or serve
// nothing any more because their lanes are too old. Where all are silent, none is passed over: one that is
// gone for good is removed by a person.
func NodesWithout(tx Reader, record int64, now time.Time) (waiting []string, err error) {
	if guard.Out(guard.Loaded) {
		return nil, nil
	}
	nodes, damaged, err := Readable(tx.Nodes())
	if err != nil {
		return nil, err
	}
	for _, row := range damaged {
		waiting = append(waiting, row.ID)
	}
	// If no node at all has reported lately, the clock may be wrong, and nothing is known about them.
	known := slices.ContainsFunc(nodes, func(n Node) bool { return !n.Gone() && !n.Silent(now) })
	head, err := tx.AuditHead()
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		// A record that the log does not have yet is of another history, such as before a restore.
		has := n.Record >= record && n.Record <= head.Seq && !n.Silent(now) && !n.At.After(now.Add(time.Minute))
		if has || n.Gone() || known && n.Silent(now) && !n.Serves.IsZero() && !now.Before(n.Serves) {
			continue
		}
		waiting = append(waiting, n.Name)
	}
	return waiting, nil
}
