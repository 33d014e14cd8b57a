package gateway_test

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
)

// rotation renews all keys of a world while messages flow.
type rotation struct {
	*traffic
	random *rand.Rand
	late   []func() // what peers do after the activation
}

// TestRotationUnderLoad: two gateways, both sides, both profiles, partners who hold one certificate and two. While
// messages flow, our keys and theirs are renewed, rolled back and renewed again; partners change what they hold at
// random moments, node by node. No message fails. Only where a profile maps no refusal and the partner holds one
// certificate, messages are lost, in the time of the appointment. The long form has 24,000 messages.
func TestRotationUnderLoad(t *testing.T) {
	seed := rand.Uint64()
	if text := os.Getenv("SEALANE_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", seed)
	began, want := time.Now(), proof(1000, 24_000)
	w := newWorld(t, "", func(*path) bool { return true })
	r := &rotation{traffic: w.run(seed), random: rand.New(rand.NewPCG(seed, 99))}
	rounds := 0
	for sent := 0; sent < want; sent, _ = r.sent.count() {
		r.round()
		rounds++
		r.after(proof(200, 2000))
	}
	r.stop()
	r.check("at the end")
	sent, lost := 0, 0
	for _, p := range r.paths {
		t.Logf("%s: %d messages, %d lost", p, r.count[p.Partner], r.lost[p.Partner])
		sent, lost = sent+r.count[p.Partner], lost+r.lost[p.Partner]
	}
	again := ""
	for _, n := range w.nodes {
		again += n.metrics(t, "sealane_resends_total{") + "\n"
	}
	if !strings.Contains(again, `refusal="decryption"`) || !strings.Contains(again, `refusal="signature"`) {
		t.Errorf("no message was sent again:\n%s", again)
	}
	t.Logf("%d messages in %d rounds of renewal, rollback and renewal, in %v; %d lost, all of them by appointment\n%s",
		sent, rounds, time.Since(began).Round(time.Second), lost, again)
}

// round renews all keys once.
func (r *rotation) round() {
	for _, p := range r.paths {
		r.create(p, p.bits, true)
	}
	r.pass() // what is approved is staged
	r.pass() // every node has it
	r.loaded()
	r.later(renewal.DefaultDrain)
	r.drain()
	r.pass() // those who hold one certificate are told that they can swap
	r.swap()
	r.activate()
	r.after(50)
	r.rollBack()
	r.after(50)
	r.activate()
	shuffled(r.random, r.pause, r.late)
	r.confirm()
	r.end()
}

// pause lets some messages pass.
func (r *rotation) pause() { r.after(1 + r.random.IntN(10)) }

// each calls a function for each renewal: with its key, and what it replaces.
func (r *rotation) each(f func(p *path, ours bool, next, before string)) {
	for _, p := range r.paths {
		if p.hasPair() {
			f(p, true, p.nextPair, p.pair)
		}
		if p.hasTheirs() {
			f(p, false, p.nextTheirs, p.theirs)
		}
	}
}

// loaded fails the test if a gateway does not have a successor.
func (r *rotation) loaded() {
	r.each(func(p *path, _ bool, next, _ string) {
		if n := r.renewal(p.Name, next); n.LoadedAt.IsZero() {
			r.t.Fatalf("%s: %s is %s, and not loaded", p, next, n.Step)
		}
	})
}

// swap offers our certificates. Peers put them and their own new keys to use, node by node, a part of them after the
// activation. Those who hold two add ours before they say so.
func (r *rotation) swap() {
	var now []func()
	r.late = nil
	soon := func(f func()) {
		if r.random.IntN(2) == 0 {
			now = append(now, f)
		} else {
			r.late = append(r.late, f)
		}
	}
	for _, p := range r.paths {
		if p.hasPair() {
			r.offer(p.Name, p.nextPair)
		}
		for i := range p.peer.nodes {
			ours, own := p.nextOurs, p.nextOwn
			if p.hasPair() && p.slots == 1 {
				soon(func() { r.replace(p, i, func(n *peerNode) { n.ours = listOf(ours) }) })
			}
			if p.hasPair() && p.slots > 1 {
				first := r.random.IntN(2) == 0
				now = append(now, func() {
					r.replace(p, i, func(n *peerNode) { n.ours = moved(n.ours, ours, first) })
				})
			}
			if p.hasTheirs() && p.slots == 1 && !p.byAppointment() {
				soon(func() { r.replace(p, i, func(n *peerNode) { n.own = listOf(own) }) })
			}
		}
	}
	shuffled(r.random, r.pause, now)
	for _, p := range r.paths {
		if p.hasPair() {
			r.installed(p.Name, p.nextPair)
		}
	}
}

// replace changes what a node of a peer holds. A server that holds one key ends what it does before: a message that
// it has refused, and that comes again when it has changed, is refused a second time for the same cause, and lost.
func (r *rotation) replace(p *path, node int, change func(*peerNode)) {
	if p.slots == 1 && p.side == sealane.ClientSide {
		r.passing.Lock()
		defer r.passing.Unlock()
	}
	p.peer.change(node, change)
}

// activate orders that all successors are used in a minute.
func (r *rotation) activate() {
	at := r.now().Add(time.Minute)
	r.each(func(p *path, _ bool, next, _ string) { r.order(p.Name, next, at) })
	r.later(time.Minute)
	r.meet(func(p *path) heldKey { return p.nextOwn }, func() { r.behind(r.passNow) })
	r.each(func(_ *path, _ bool, next, before string) {
		r.wantState(registry.Active, next)
		r.wantState(registry.Retiring, before)
	})
}

// meet does an act while peers by appointment change their keys at the same time. Both gateways follow within a
// minute.
func (r *rotation) meet(to func(*path) heldKey, act func()) {
	began := r.now()
	r.appointed.Store(true)
	for _, p := range r.paths {
		if p.byAppointment() {
			p.peer.everyNode(func(n *peerNode) { n.own = listOf(to(p)) })
		}
	}
	act()
	r.settle(r.nodes...)
	r.drain() // messages that were sealed before
	r.appointed.Store(false)
	if took := r.now().Sub(began); took > time.Minute {
		r.t.Errorf("the appointment took %v", took)
	}
}

// behind does an act that one of the gateways learns of later than the other.
func (r *rotation) behind(act func()) {
	r.settle(r.nodes...)
	late := r.nodes[r.random.IntN(len(r.nodes))]
	late.cut.Store(true)
	act()
	r.after(40)
	late.cut.Store(false)
}

// rollBack goes back to all keys that were active before.
func (r *rotation) rollBack() {
	r.meet(func(p *path) heldKey { return p.own }, func() { r.behind(r.back) })
	r.each(func(_ *path, _ bool, next, before string) {
		r.wantState(registry.Staged, next)
		r.wantState(registry.Active, before)
	})
}

// back rolls all renewals back, in a random order.
func (r *rotation) back() {
	var all []func()
	r.each(func(p *path, _ bool, next, _ string) {
		all = append(all, func() {
			word := ""
			if p.slots == 1 {
				word = "Eva Lind by telephone: go back"
			}
			back := renewal.New(r.anna.WithReason("answers can't be opened, INC-7"))
			_, err := back.RollBack(r.t.Context(), renewal.Rollback{
				Name: renewal.Name{ID: next, Partner: p.Partner}, Word: word,
			})
			r.must(err)
		})
	})
	shuffled(r.random, func() {}, all)
}

// confirm waits until the partners are told that their new certificates are in use, and they drop what was before.
func (r *rotation) confirm() {
	r.pass() // every node uses them
	r.drain()
	r.later(renewal.DefaultDrain)
	r.pass()
	var all []func()
	r.each(func(p *path, ours bool, next, _ string) {
		n := r.renewal(p.Name, next)
		if n.Everywhere.IsZero() || !ours && n.Mail == nil {
			r.t.Fatalf("%s: %s is %s: %+v", p, next, n.Step, n.Mail)
		}
		if !ours {
			_, err := renewal.New(r.anna).Sent(r.t.Context(), renewal.Name{ID: n.ID})
			r.must(err)
		}
	})
	for _, p := range r.paths {
		for i := range p.peer.nodes {
			ours, own := listOf(p.nextOurs), listOf(p.nextOwn)
			all = append(all,
				func() { r.replace(p, i, func(n *peerNode) { n.ours = ours }) },
				func() { r.replace(p, i, func(n *peerNode) { n.own = own }) })
		}
	}
	shuffled(r.random, r.pause, all)
}

// end retires the keys before, after the partners have said that they do not use them.
func (r *rotation) end() {
	r.drain()
	reason := exchange.New(r.anna.WithReason("they have said that they have dropped it"))
	r.each(func(_ *path, _ bool, _, before string) {
		r.must(reason.Retire(context.Background(), before, false))
	})
	r.pass()
	for _, p := range r.paths {
		p.followed()
	}
	r.check("after the retirement")
}
