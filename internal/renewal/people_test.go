package renewal_test

import (
	"context"
	"encoding/hex"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
)

func (w *world) renewOurs(rt *rapid.T) {
	if len(w.inState(registry.Ours, registry.Staged)) > 0 || !w.mayMake(registry.Ours) {
		skip()
	}
	key := w.key(registry.Ours)
	_, err := w.imported(key, true)
	w.tried("a new pair of ours", err)
}

// staged returns the staged pair of ours.
func (w *world) staged(rt *rapid.T) string {
	ids := w.inState(registry.Ours, registry.Staged)
	if len(ids) == 0 {
		skip()
	}
	return rapid.SampledFrom(ids).Draw(rt, "pair")
}

func (w *world) offerOurs(rt *rapid.T) {
	id := w.staged(rt)
	if w.partner.offered == w.number(id) {
		once(rt, 6)
	}
	if w.tried("offer "+id, w.offer(w.lane, id)) && w.partner.offered != w.number(id) {
		w.partner.offered = w.number(id)
	}
}

// number returns the number of a key.
func (w *world) number(id string) int {
	for key, one := range w.ids {
		if one == id {
			return key
		}
	}
	return 0
}

func (w *world) installedOurs(rt *rapid.T) {
	id := w.staged(rt)
	if !w.partner.said[w.number(id)] {
		skip()
	}
	if !w.was.offers[id].Installed.IsZero() {
		once(rt, 6)
	}
	w.tried("record that they have "+id, w.installed(w.lane, id))
}

// anOpen returns an open renewal.
func (w *world) anOpen(rt *rapid.T, is func(registry.Renewal) bool) registry.Renewal {
	for _, owner := range rapid.Permutation([]registry.Owner{registry.Ours, registry.Theirs}).Draw(rt, "leg") {
		if n, open := w.was.open[owner]; open && is(n) {
			return n
		}
	}
	skip()
	return registry.Renewal{}
}

func (w *world) orders(rt *rapid.T) {
	n := w.anOpen(rt, func(n registry.Renewal) bool { return n.Successor != "" && n.Activated == 0 })
	if n.Order != nil && w.now.Before(n.Order.At) {
		once(rt, 6)
	}
	var at time.Time
	if hours := rapid.IntRange(0, 30).Draw(rt, "in hours"); hours > 5 {
		at = w.now.Add(time.Duration(hours) * time.Hour)
		if next, found := w.rot.Window.Next(at); found {
			at = next
		}
	}
	w.tried("order "+n.Successor, w.order(renewal.Name{ID: n.ID}, at))
}

// supersedes orders a key whose renewal waits for the end of another.
func (w *world) supersedes(rt *rapid.T) {
	n := w.anOpen(rt, func(n registry.Renewal) bool { return n.Activated != 0 })
	ids := append(w.inState(n.Owner, registry.Staged), w.inState(n.Owner, registry.Approved)...)
	if len(ids) == 0 || n.Owner == registry.Theirs && w.partner.nextID != ids[0] {
		skip()
	}
	w.tried("order "+ids[0]+" before its turn", w.order(renewal.Name{ID: ids[0]}, time.Time{}))
}

// byHand activates a certificate without an order, or stages it.
func (w *world) byHand(rt *rapid.T) {
	once(rt, 2)
	var ids []string
	for _, state := range []registry.State{registry.Approved, registry.Staged, registry.Retiring} {
		ids = append(ids, w.inState(registry.Theirs, state)...)
	}
	if len(ids) == 0 {
		skip()
	}
	id := rapid.SampledFrom(ids).Draw(rt, "certificate")
	stage := rapid.Bool().Draw(rt, "stage")
	if w.was.certificates[id].State == registry.Retiring && (stage || !w.hasStill(id)) {
		skip()
	}
	w.tried("use "+id, w.agreed(w.anna, func(s *registry.Session) error {
		if stage {
			return exchange.New(s).Stage(context.Background(), id)
		}
		return exchange.New(s).Activate(context.Background(), id)
	}))
}

// hasStill reports whether every node of the partner has the key of a certificate of its own.
func (w *world) hasStill(id string) bool {
	return w.partner.all(func(n *pnode) bool { return slices.Contains(n.opens, w.number(id)) })
}

func (w *world) rollBack(rt *rapid.T) {
	n := w.anOpen(rt, func(n registry.Renewal) bool { return n.Activated != 0 })
	_, err := renewal.New(w.anna.WithReason("INC-7")).RollBack(context.Background(),
		renewal.Rollback{Name: renewal.Name{ID: n.ID}})
	if w.tried("roll back "+n.ID, err) && n.Owner == registry.Theirs && n.Mail != nil {
		w.fail("I12: %s is rolled back without their word, and the partner may have ended the old key", n.ID)
	}
}

// oversteps lets the program try to do what only people may.
func (w *world) oversteps(rt *rapid.T) {
	once(rt, 4)
	n := w.anOpen(rt, func(n registry.Renewal) bool { return true })
	program := w.Program().WithReason("INC-10 asks for it")
	_, err := renewal.New(program).Hold(context.Background(), renewal.Name{ID: n.ID})
	if n.Hold != nil {
		_, err = renewal.New(program).EndHold(context.Background(), renewal.Name{ID: n.ID})
	}
	if w.tried("the program oversteps with "+n.ID, err) {
		w.fail("I10: the program has held %s, or ended a hold", n.ID)
	}
	for _, id := range w.inState(registry.Theirs, registry.Received) {
		_, err := exchange.New(program).MatchChecksum(context.Background(), exchange.Comparison{
			Certificate: id, Checksum: hex.EncodeToString(w.was.certificates[id].SHA256),
		})
		if w.tried("the program oversteps with "+id, err) {
			w.fail("I10: the program has matched %s", id)
		}
	}
}

// rollBackByWord rolls back where the partner says that it has the old one still, and keeps it.
func (w *world) rollBackByWord(rt *rapid.T) {
	n := w.anOpen(rt, func(n registry.Renewal) bool { return n.Activated != 0 && n.Owner == registry.Theirs })
	// A renewal whose end was undone may be older than the keys that the partner changes at present.
	if w.partner.slots == 1 || w.partner.nextID != n.Successor || !w.hasStill(n.Replaces) {
		skip()
	}
	w.partner.kept = true
	_, err := renewal.New(w.anna.WithReason("INC-8")).RollBack(context.Background(), renewal.Rollback{
		Name: renewal.Name{ID: n.ID}, Word: "Eva Lind by telephone: they keep the old one",
	})
	w.tried("roll back by their word "+n.ID, err)
}

func (w *world) holds(rt *rapid.T) {
	once(rt, 2)
	n := w.anOpen(rt, func(n registry.Renewal) bool { return n.Hold == nil })
	_, err := renewal.New(w.cora.WithReason("wait for INC-9")).Hold(context.Background(), renewal.Name{ID: n.ID})
	w.tried("hold "+n.ID, err)
}

func (w *world) endsHold(rt *rapid.T) {
	n := w.anOpen(rt, func(n registry.Renewal) bool { return n.Hold != nil })
	_, err := renewal.New(w.anna.WithReason("INC-9 is solved")).EndHold(context.Background(), renewal.Name{ID: n.ID})
	w.tried("end the hold of "+n.ID, err)
}

func (w *world) cancels(rt *rapid.T) {
	once(rt, 4)
	n := w.anOpen(rt, func(n registry.Renewal) bool { return n.Order != nil && n.Activated == 0 })
	anna := renewal.New(w.anna.WithReason("not before INC-9"))
	_, err := anna.CancelOrder(context.Background(), renewal.Name{ID: n.ID})
	w.tried("cancel the order of "+n.ID, err)
}

// receives takes in what the partner has sent, or a file of it that is old.
func (w *world) receives(rt *rapid.T) {
	if len(w.came) == 0 {
		skip()
	}
	key := w.came[len(w.came)-1]
	in := exchange.Incoming{Partner: w.lane.Partner, Environment: w.lane.Environment, Data: w.certificateOf(key)}
	c, _, err := exchange.New(w.anna).Receive(context.Background(), in)
	if w.tried("receive", err) && c.ID != "" {
		w.ids[key], w.came = c.ID, nil
		if key == w.partner.next {
			w.partner.nextID = c.ID
		}
	}
}

func (w *world) one(rt *rapid.T, state registry.State) registry.Certificate {
	ids := w.inState(registry.Theirs, state)
	if len(ids) == 0 {
		skip()
	}
	return w.was.certificates[rapid.SampledFrom(ids).Draw(rt, "certificate")]
}

func (w *world) matches(rt *rapid.T) {
	c := w.one(rt, registry.Received)
	_, err := exchange.New(w.anna).MatchChecksum(context.Background(), exchange.Comparison{
		Certificate: c.ID, Checksum: hex.EncodeToString(c.SHA256),
	})
	w.tried("match "+c.ID, err)
}

func (w *world) approves(rt *rapid.T) {
	c := w.one(rt, registry.Matched)
	done := w.tried("approve "+c.ID, exchange.New(w.cora).Approve(context.Background(), c.ID, exchange.Approval{
		Change: "CHG-1", CallBack: exchange.CallBack{
			Person: "Eva Lind", Number: "+46 8 123 45 67", Digits: []string{hex.EncodeToString(c.SHA256[:4])},
		}}))
	if done {
		w.need(w.names(w.number(c.ID)))
	}
}

func (w *world) sent(rt *rapid.T) {
	n := w.anOpen(rt, func(n registry.Renewal) bool { return n.Mail != nil && n.Mail.Sent.IsZero() })
	_, err := renewal.New(w.anna).Sent(context.Background(), renewal.Name{ID: n.ID})
	w.tried("the mail of "+n.ID+" is sent", err)
}

// retires ends what the program has proposed.
func (w *world) retires(rt *rapid.T) {
	n := w.anOpen(rt, func(n registry.Renewal) bool { return !n.QuietAt.IsZero() })
	if !w.idle(n.Replaces) {
		skip()
	}
	w.tried("retire "+n.Replaces, w.agreed(w.anna.WithReason("nobody uses it"), func(s *registry.Session) error {
		return exchange.New(s).Retire(context.Background(), n.Replaces, false)
	}))
}

// idle reports whether no node of the partner uses a key of either side.
func (w *world) idle(id string) bool {
	key := w.number(id)
	return w.partner.all(func(n *pnode) bool {
		return n.encrypts != key && n.signs != key && !(len(n.opens) == 1 && n.opens[0] == key) &&
			!(len(n.verifies) == 1 && n.verifies[0] == key)
	})
}

// revokes ends a key that is known to others. It is rare, because messages may be lost after it.
func (w *world) revokes(rt *rapid.T) {
	once(rt, 30)
	owner := rapid.SampledFrom([]registry.Owner{registry.Ours, registry.Theirs}).Draw(rt, "leg")
	ids := w.inState(owner, registry.Active)
	if len(ids) == 0 {
		skip()
	}
	if w.tried("revoke "+ids[0], w.agreed(w.anna.WithReason("it was in a mail"), func(s *registry.Session) error {
		return exchange.New(s).Revoke(context.Background(), ids[0])
	})) {
		w.bad[owner] = true
		w.revoked[ids[0]] = w.read().head
	}
}

// undoes takes back that a key was retired.
func (w *world) undoes(rt *rapid.T) {
	once(rt, 3)
	ids := append(w.inState(registry.Ours, registry.Retired), w.inState(registry.Theirs, registry.Retired)...)
	if len(ids) == 0 {
		skip()
	}
	id := rapid.SampledFrom(ids).Draw(rt, "key")
	_, err := exchange.New(w.anna.WithReason("too early")).Undo(context.Background(), id, "")
	if w.tried("undo the end of "+id, err) {
		delete(w.ended, id)
		w.back[id] = w.read().head
	}
}
