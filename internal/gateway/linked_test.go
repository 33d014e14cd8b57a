package gateway_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/internal/lanes"
)

// linked is a gateway on the registry of a firm, by the firm's clock. Its link to the database can be cut.
type linked struct {
	*running
	firm     *firm
	cut      atomic.Bool
	asked    questions
	reported event
	last     atomic.Pointer[lanes.Node] // the last report that was stored
	released event
}

// start starts a gateway of that name. The configuration has routes; words are more of its registry.
func (f *firm) start(t *testing.T, name, words, routes string) *linked {
	t.Helper()
	n := &linked{firm: f}
	n.running = start(t, f.config(name, words, routes), func(_ *running, o *gateway.Options) { n.options(o) })
	return n
}

func (f *firm) config(name, words, routes string) string {
	return fmt.Sprintf("admin: 127.0.0.1:0\nregistry: {db: '%s', root_key: 'file:%s', refresh: 20ms, node: %s%s}\n%s",
		f.address, f.root, name, words, routes)
}

func (n *linked) options(o *gateway.Options) {
	o.Now = n.firm.now
	o.OpenRegistry = func(ctx context.Context, s gateway.RegistrySettings) (gateway.Registry, error) {
		opened, err := options(nil).OpenRegistry(ctx, s)
		if err != nil {
			return nil, err
		}
		return linkedRegistry{advancing{opened, n.firm}, n}, nil
	}
}

// settle waits until the gateway has, and has reported, all that the registry has now, at a time of 11 seconds later.
func (f *firm) settle(nodes ...*linked) {
	f.t.Helper()
	for _, n := range nodes {
		n.asked.read(f.t)
	}
	var head int64
	version, err := f.Store.Version(f.t.Context())
	f.must(err)
	head = version.Seq
	f.passed.Add(int64(11 * time.Second))
	for _, n := range nodes {
		n.reports(head)
	}
}

// reports waits until the gateway has reported a record at the present time.
func (n *linked) reports(record int64) {
	n.firm.t.Helper()
	for tooLate := time.After(time.Minute); ; {
		_, next := n.reported.count()
		if last := n.last.Load(); last != nil && last.Record >= record && !last.At.Before(n.firm.now()) {
			return
		}
		select {
		case <-next:
		case <-tooLate:
			n.firm.t.Fatalf("the node has not reported record %d in a minute: %+v\n%s", record, n.last.Load(), n.log)
		}
	}
}

type linkedRegistry struct {
	advancing
	node *linked
}

// Lanes implements [gateway.Registry].
func (r linkedRegistry) Lanes() *lanes.Reader {
	reader := r.advancing.Lanes()
	reader.Store = linkedStore{reader.Store, r.node}
	return reader
}

// ReleaseRenewals implements [gateway.Advancer].
func (r linkedRegistry) ReleaseRenewals(ctx context.Context, holder string) error {
	err := r.advancing.ReleaseRenewals(ctx, holder)
	r.node.released.happened()
	return err
}

type linkedStore struct {
	lanes.Store
	node *linked
}

// Version implements [lanes.Store].
func (s linkedStore) Version(ctx context.Context) (lanes.Version, error) {
	defer s.node.asked.happened()
	if s.node.cut.Load() {
		return lanes.Version{}, errGone
	}
	return s.Store.Version(ctx)
}

// ReadLanes implements [lanes.Store].
func (s linkedStore) ReadLanes(ctx context.Context, scope lanes.Scope, f func(lanes.Rows, lanes.Extent) error) error {
	if s.node.cut.Load() {
		return errGone
	}
	return s.Store.ReadLanes(ctx, scope, f)
}

// UsedKeys implements [lanes.Store].
func (s linkedStore) UsedKeys(ctx context.Context, uses lanes.KeyUses) error {
	if s.node.cut.Load() {
		return errGone
	}
	return s.Store.UsedKeys(ctx, uses)
}

// ReportNode implements [lanes.Store].
func (s linkedStore) ReportNode(ctx context.Context, n lanes.Node, again bool) (lanes.Node, error) {
	if s.node.cut.Load() {
		return lanes.Node{}, errGone
	}
	before, err := s.Store.ReportNode(ctx, n, again)
	if err == nil {
		s.node.last.Store(&n)
		s.node.reported.happened()
	}
	return before, err
}
