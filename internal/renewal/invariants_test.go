package renewal_test

import (
	"context"
	"slices"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/keyring"
)

// check holds a world to the invariants after each step.
func (w *world) check() {
	w.steps++
	before := w.was
	w.was = w.read()
	w.recovers()
	w.legs()
	w.moved(before)
	for _, n := range w.nodes {
		if n.serving() {
			w.serves(n)
		}
	}
	w.talk()
}

// recovers notes that nobody uses a key any more that was revoked.
func (w *world) recovers() {
	for owner := range w.bad {
		over := len(w.inState(owner, registry.Active)) == 1
		for _, n := range w.nodes {
			lane, err := n.snap.Lane(w.lane)
			w.need(err)
			_, err = lane.SealKeys()
			over = over && (!n.serving() || err == nil || !w.has(registry.Theirs))
		}
		for id := range w.revoked {
			over = over && w.idle(id)
		}
		if over {
			delete(w.bad, owner)
		}
	}
}

// legs checks that each leg has one active key, and one open renewal at most.
func (w *world) legs() {
	for _, owner := range w.owners {
		active := w.inState(owner, registry.Active)
		switch {
		case len(active) > 1:
			w.fail("I1: %s: %d keys are active: %s", owner, len(active), active)
		case len(active) == 0 && !w.bad[owner]:
			w.fail("I1: %s: no key is active", owner)
		}
		if w.was.opens[owner] > 1 {
			w.fail("I5: %s: %d renewals are open", owner, w.was.opens[owner])
		}
	}
}

// moved checks what has moved in one step, by anyone.
func (w *world) moved(before rows) {
	was := before.states()
	for id, state := range w.was.states() {
		if state == was[id] {
			continue
		}
		owner := registry.Theirs
		if exchange.IsKeyPair(id) {
			owner = registry.Ours
		}
		if state == registry.Active {
			w.activated++
		}
		n, open := before.open[owner]
		emergency := was[n.Replaces] == registry.Compromised || w.was.states()[n.Replaces] == registry.Compromised
		switch {
		case state == registry.Active && open && n.Hold != nil:
			w.fail("I3: %s is active, and renewal %s is held", id, n.ID)
		case state == registry.Active && owner == registry.Ours && open && id == n.Successor &&
			w.was.offers[id].Installed.IsZero():
			w.fail("I3: %s is active, and nobody has said that it is installed", id)
		case state == registry.Active && w.prod && open && id == n.Successor && !emergency &&
			(w.unordered(n) || w.rot.Window.Check(w.now) != nil):
			w.fail("I3: %s is active without an order of two people, or outside the window", id)
		case state == registry.Active && was[id] == registry.Retired:
			w.fail("I8: %s is active, and was retired", id)
		case state == registry.Retired || state == registry.Destroyed || state == registry.Expired:
			w.ended[id] = w.was.head
		}
	}
}

// unordered reports whether the order of a renewal lacks something now.
func (w *world) unordered(n registry.Renewal) bool {
	now := w.was.open[n.Owner]
	o := now.Order
	return now.ID != n.ID || o == nil || o.Released == "" || o.Released == o.By || w.now.Before(o.At)
}

// serves checks the keys that a node has.
func (w *world) serves(n *node) {
	lane, err := n.snap.Lane(w.lane)
	w.need(err)
	ours, theirs := w.keysIn(lane.Ours()), w.keysIn(lane.Theirs())
	seq := n.snap.Version.Seq
	for id, o := range w.was.offers {
		state := w.was.pairs[id].State
		if _, opens := ours[id]; !opens && state.InUse() && !o.At.IsZero() && seq >= w.back[id] {
			w.fail("I2: the certificate of %s has left us, and node %s does not open by it", id, n.name)
		}
	}
	for _, keys := range []map[string]keyring.State{ours, theirs} {
		for id, state := range keys {
			if at := w.revoked[id]; at != 0 && seq >= at {
				w.fail("I9: %s was revoked, and node %s has it", id, n.name)
			}
			if at := w.ended[id]; at != 0 && seq >= at {
				w.fail("I8: %s has ended, and node %s has it", id, n.name)
			}
			if state == keyring.Active && exchange.IsKeyPair(id) && w.was.offers[id].Confirmed.IsZero() &&
				seq >= w.was.head {
				w.fail("I3: node %s signs by %s, which is not confirmed", n.name, id)
			}
		}
	}
	for id := range theirs {
		if w.was.certificates[id].Provenance.ApprovedBy == "" {
			w.fail("I3: node %s verifies by %s, which nobody has approved", n.name, id)
		}
	}
}

// mayMove are the moves that a program may make.
var mayMove = map[registry.State][]registry.State{
	registry.Approved: {registry.Staged, registry.Active, registry.Expired}, registry.Staged: {registry.Active},
	registry.Active: {registry.Retiring}, registry.Retiring: {registry.Retired, registry.Expired},
	registry.Received: {registry.Expired}, registry.Matched: {registry.Expired},
}

// program checks what a pass has done.
func (w *world) program(before, after rows) {
	was := before.states()
	for id, state := range after.states() {
		if state == was[id] {
			continue
		}
		owner := registry.Theirs
		if exchange.IsKeyPair(id) {
			owner = registry.Ours
		}
		n := before.open[owner]
		emergency := was[n.Replaces] == registry.Compromised
		switch {
		case !slices.Contains(mayMove[was[id]], state):
			w.fail("I10: the program has made %s %s, and it was %s", id, state, was[id])
		case n.Hold != nil && state != registry.Expired:
			w.fail("I10: the program has made %s %s, and the renewal is held", id, state)
		case state == registry.Active && emergency:
		case state == registry.Active && (n.Order == nil || n.Successor != id || w.now.Before(n.Order.At)):
			w.fail("I10: the program has made %s active, and nobody has ordered that", id)
		case state == registry.Active && w.rot.Window.Check(w.now) != nil:
			w.fail("I10: the program has made %s active outside the window", id)
		case state == registry.Active && w.prod && (n.Order.Released == "" || n.Order.Released == n.Order.By):
			w.fail("I10: the program has made %s active, and one person has ordered that", id)
		case state == registry.Retired && w.rot.RetireAs() != registry.RetireDo:
			w.fail("I10: the program has retired %s, and the environment says %s", id, w.rot.RetireAs())
		case state == registry.Retired && w.quietSince(id) < w.rot.QuietDays():
			w.fail("I4: the program has retired %s, which was used on %s: on %d observed days since it was not",
				id, w.used[id], w.quietSince(id))
		}
	}
}

// whole checks that the audit log has what the tables have.
func (w *world) whole() {
	report, err := w.VerifyRows(context.Background())
	w.need(err)
	if !report.Holds {
		w.fail("I7: %+v", report)
	}
}
