package gateway_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store/pgtest"
)

// hours lets hours pass, while one gateway reaches the database and the other does not. Both serve.
func (w *world) hours(n int, check func()) {
	w.t.Helper()
	for range n * 2 {
		w.later(30 * time.Minute)
		w.pass(w.nodes[0])
		w.talk()
		check()
	}
}

// follow brings all peers to the new keys, node by node, after our certificates were offered and before we use them.
func (w *world) follow() {
	w.t.Helper()
	for _, p := range w.paths {
		ours, own := p.nextOurs, p.nextOwn
		if p.hasPair() {
			w.offer(p.Name, p.nextPair)
		}
		for i := range p.peer.nodes {
			p.peer.change(i, func(n *peerNode) {
				switch {
				case p.slots > 1 && p.hasPair():
					n.ours = moved(n.ours, ours, true)
				case p.hasPair():
					n.ours = listOf(ours)
				}
				if p.slots == 1 && p.hasTheirs() {
					n.own = listOf(own)
				}
			})
			w.talk()
		}
		if p.hasPair() {
			w.installed(p.Name, p.nextPair)
		}
	}
}

// renewals calls a function for each renewal that is open.
func (w *world) renewals(f func(p *path, n registry.Renewal)) {
	w.t.Helper()
	for _, p := range w.paths {
		if p.hasPair() {
			f(p, w.renewal(p.Name, p.nextPair))
		}
		if p.hasTheirs() {
			f(p, w.renewal(p.Name, p.nextTheirs))
		}
	}
}

// TestNodeIsCutOff: a gateway that has not reached the database for two hours goes on with what it has, and loses
// nothing. Until it is back, no certificate leaves and no partner is told that its new one is in use.
func TestNodeIsCutOff(t *testing.T) {
	w := newWorld(t, ", stale_after: 3h", func(p *path) bool { return !p.byAppointment() })
	two := w.nodes[1]
	two.cut.Store(true)
	for _, p := range w.paths {
		w.create(p, p.bits, true)
	}
	w.hours(2, func() {
		w.renewals(func(p *path, n registry.Renewal) {
			if !n.LoadedAt.IsZero() || n.Mail != nil {
				t.Fatalf("%s: %s goes on without gateway two: %+v", p, n.Successor, n)
			}
		})
	})
	for _, p := range w.paths {
		if !p.hasPair() {
			continue
		}
		err := exchange.New(w.anna).Offer(t.Context(), exchange.Target{KeyPair: p.nextPair, Partner: p.Partner},
			func(exchange.OfferPackage) error { return nil })
		if err == nil || !strings.Contains(err.Error(), `by node "two"`) || strings.Contains(err.Error(), `"one"`) {
			t.Errorf("%s: %v", p, err)
		}
	}
	two.cut.Store(false)
	w.pass()
	w.pass()
	w.follow()
	w.renewals(func(p *path, n registry.Renewal) { w.order(p.Name, n.Successor, w.now().Add(20*time.Second)) })

	// It is cut off again when it has all, and does not see the activation.
	w.settle(w.nodes...)
	two.cut.Store(true)
	w.later(10 * time.Second)
	w.pass(w.nodes[0])
	w.renewals(func(p *path, n registry.Renewal) { w.wantState(registry.Active, n.Successor) })
	w.hours(2, func() {
		w.renewals(func(p *path, n registry.Renewal) {
			if !n.Everywhere.IsZero() || n.Mail != nil && !n.Mail.Ready {
				t.Fatalf("%s: %s is everywhere, without gateway two: %+v", p, n.Successor, n)
			}
		})
	})
	two.cut.Store(false)
	w.pass()
	w.later(6 * time.Minute)
	w.pass()
	w.renewals(func(p *path, n registry.Renewal) {
		if n.Everywhere.IsZero() || n.Owner == registry.Theirs && n.Mail == nil {
			t.Errorf("%s: %s does not go on with gateway two: %+v", p, n.Successor, n)
		}
	})
	w.talk()
}

// TestNodeIsCutOffForTooLong: after stale_after a gateway serves nothing, and holds nothing up. When it is back it
// has all.
func TestNodeIsCutOffForTooLong(t *testing.T) {
	for name, address := range map[string]string{
		"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "registry.db"), "postgres": pgtest.URL(t),
	} {
		t.Run(name, func(t *testing.T) { cutOffForTooLong(t, address) })
	}
}

func cutOffForTooLong(t *testing.T, address string) {
	w := newWorldAt(t, address, ", stale_after: 3h", func(p *path) bool {
		return p.profile == "riskos" && p.slots == 2
	})
	two := w.nodes[1]
	two.cut.Store(true)
	for _, p := range w.paths {
		w.create(p, p.bits, true)
	}
	w.hours(2, func() {})
	for range 5 {
		w.later(15 * time.Minute)
		w.pass(w.nodes[0])
	}
	w.renewals(func(p *path, n registry.Renewal) {
		if n.LoadedAt.IsZero() {
			t.Errorf("%s: %s is held up by a gateway that serves nothing", p, n.Successor)
		}
	})
	for _, p := range w.paths {
		if err := w.send(t.Context(), p, 0, 0); err != nil {
			t.Error(err)
		}
		err := w.send(t.Context(), p, 1, 0)
		if err == nil || !strings.Contains(err.Error(), "503") {
			t.Errorf("gateway two serves %s: %v", p, err)
		}
	}
	two.cut.Store(false)
	w.settle(w.nodes...)
	w.follow()
	w.talk()
}

// TestLargerKeys: keys of 2048 bits become 4096. Where the profile's key ID names the size, there is a new one: the
// partner must know it before the key is used. Until then nothing changes, and no message fails.
func TestLargerKeys(t *testing.T) {
	w := newWorld(t, "", func(p *path) bool {
		return p.slots == 2 && (p.profile == "rdx" || p.Partner == "riskos-client-2")
	})
	const bits = 4096
	for _, p := range w.paths {
		w.create(p, bits, true)
	}
	w.pass()
	w.pass()
	w.follow()
	at := w.now().Add(time.Minute)
	w.renewals(func(p *path, n registry.Renewal) { w.order(p.Name, n.Successor, at) })
	w.later(time.Minute)
	w.pass()
	w.talk()
	told := 0
	w.renewals(func(p *path, n registry.Renewal) {
		if p.profile != "rdx" || n.Owner != registry.Theirs {
			w.wantState(registry.Active, n.Successor)
			return
		}
		w.wantState(registry.Staged, n.Successor)
		w.wantState(registry.Active, n.Replaces)
		w.keyIDTold(n)
		told++
	})
	if told != 1 {
		t.Errorf("%d partners were told a new key ID", told)
	}
	w.pass()
	w.renewals(func(_ *path, n registry.Renewal) { w.wantState(registry.Active, n.Successor) })
	w.talk()
	w.settle(w.nodes...)
	for _, p := range w.paths { // they hold nothing else any more
		p.peer.everyNode(func(n *peerNode) { n.own, n.ours = listOf(p.nextOwn), listOf(p.nextOurs) })
	}
	w.talk()
}
