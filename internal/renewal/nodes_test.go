package renewal_test

import (
	"context"
	"fmt"
	"time"

	"github.com/sealane/sealane/internal/lanes"
)

// node is a process of ours that serves messages. It has the lanes of some moment.
type node struct {
	w       *world
	name    string
	process int
	snap    *lanes.Snapshot
	up, cut bool          // cut: it does not reach the database
	serves  time.Duration // until when by the clock that nobody sets
	usage   *lanes.UsageRecorder
	pending map[string]time.Time // uses that are not stored yet
}

const staleAfter = 2 * time.Hour

// start begins a process of the node: it reads the lanes, reports itself, and serves.
func (n *node) start() {
	n.process++
	n.usage, n.pending, n.snap = &lanes.UsageRecorder{}, map[string]time.Time{}, nil
	n.up, n.cut = true, false
	n.refresh()
	n.report()
}

func (n *node) reaches() bool { return n.up && !n.cut }

// serving reports whether the node answers messages.
func (n *node) serving() bool { return n.up && n.w.ran < n.serves }

// refresh reads what has changed, as a gateway does.
func (n *node) refresh() {
	ctx := context.Background()
	version, err := n.w.reader.Store.Version(ctx)
	n.w.need(err)
	switch {
	case n.snap == nil:
		n.snap, err = n.w.reader.Read(ctx, n.w.now)
	case n.snap.Version != version:
		n.snap, _, err = n.w.reader.Refresh(ctx, n.snap, n.w.now)
	}
	n.w.need(err)
	n.serves = n.w.ran + staleAfter
}

func (n *node) row(counted time.Time) lanes.Node {
	return lanes.Node{
		Name: n.name, Process: fmt.Sprint(n.name, n.process), Record: n.snap.Version.Seq, Started: n.w.now,
		At: n.w.now, Counted: counted, Serves: n.w.now.Add(n.serves - n.w.ran),
	}
}

// report stores the uses of keys, and reports the node.
func (n *node) report() {
	ctx := context.Background()
	written, err := n.usage.WriteKeys(ctx, n.w.Store, n.name, fmt.Sprint(n.name, n.process), n.w.now, true)
	n.w.need(err)
	for key, at := range n.pending {
		if at.After(n.w.used[key]) {
			n.w.used[key] = at
		}
	}
	clear(n.pending)
	_, err = n.w.Store.ReportNode(ctx, n.row(written.Counted), true)
	n.w.need(err)
}

// signOff ends the process in good order.
func (n *node) signOff() {
	n.report()
	row := n.row(n.w.now)
	row.Ended = n.w.now
	n.w.need(n.w.Store.EndNode(context.Background(), row))
	n.up = false
}
