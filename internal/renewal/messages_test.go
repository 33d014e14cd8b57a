package renewal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
)

// outcome is what became of one exchange of messages.
type outcome struct {
	err    error
	sealed []sealane.SealKeys // by which our message was sealed at last
	opened []sealane.Message  // of the partner
}

// exchanges has the outcomes of all worlds: they follow from what their names say alone.
var exchanges outcomes

type outcomes struct {
	mu  sync.Mutex
	all map[string]outcome
}

// of returns the outcome of that name, and finds it where it is not known.
func (o *outcomes) of(name string, find func() outcome) outcome {
	o.mu.Lock()
	out, known := o.all[name]
	o.mu.Unlock()
	if known {
		return out
	}
	out = find()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.all == nil {
		o.all = map[string]outcome{}
	}
	o.all[name] = out
	return out
}

func (o *outcomes) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.all)
}

// talk sends one message each way on every node of ours, with every node of the partner.
func (w *world) talk() {
	for _, n := range w.nodes {
		if !n.serving() {
			continue
		}
		lane, err := n.snap.Lane(w.lane)
		w.need(err)
		for i := range w.partner.nodes {
			w.exchange(n, lane, w.partner.nodes[i])
		}
	}
}

// exchange sends one message each way between two nodes.
func (w *world) exchange(n *node, lane *sealane.Lane, p pnode) {
	name := fmt.Sprint(w.prof, w.same, w.lane.Environment, w.side, w.laneText(lane),
		p.encrypts, p.verifies, p.signs, p.opens)
	out := exchanges.of(name, func() outcome {
		if w.side == sealane.ClientSide {
			return asClient(w, lane, p)
		}
		return asServer(w, lane, p)
	})
	if out.err != nil && w.mustWork(lane) {
		w.fail("node %s and %+v: %v\nits keys are %s", n.name, p, out.err, w.laneText(lane))
	}
	keys := n.snap.Keys(w.lane)
	for _, by := range out.sealed {
		n.usage.Sealed(by, keys, w.now)
		if signer, is := by.Signer(); is {
			n.used(signer)
		}
		if recipient, is := by.Recipient(); is {
			n.used(recipient)
		}
	}
	for _, m := range out.opened {
		n.usage.Opened(m, keys, w.now)
		n.used(m.OpenedBy())
		if v, is := m.(*sealane.Verified); is {
			n.used(v.Signer())
		}
	}
}

// mustWork reports whether a message on a lane must not fail.
func (w *world) mustWork(l *sealane.Lane) bool {
	for _, k := range slices.Concat(l.Ours(), l.Theirs()) {
		if k.State == keyring.Active && w.ends(k) {
			return false // nothing is sealed with it any more
		}
	}
	return w.partner.conforms() && len(w.bad) == 0 && !w.expired
}

// ends reports whether a certificate has ended, and the time is over in which that is only a warning.
func (w *world) ends(k keyring.KeyInfo) bool { return w.now.After(k.NotAfter.AddDate(0, 0, 14)) }

// idOf returns what the registry calls a key.
func (w *world) idOf(k keyring.KeyInfo) string { return w.ids[numberOf(k)] }

// used notes the use of a key.
func (n *node) used(k keyring.KeyInfo) {
	if id := n.w.idOf(k); id != "" {
		n.pending[id] = n.w.now
	}
}

// laneText says all on which messages depend: which keys a lane has, in which states, which of their
// certificates begin later than how many others, and which have ended.
func (w *world) laneText(l *sealane.Lane) string {
	var out strings.Builder
	for _, keys := range [][]keyring.KeyInfo{l.Ours(), l.Theirs()} {
		for _, k := range keys {
			later := 0
			for _, other := range keys {
				if k.NotBefore.After(other.NotBefore) {
					later++
				}
			}
			fmt.Fprintf(&out, "%d %s later than %d", numberOf(k), k.State, later)
			if w.ends(k) {
				out.WriteString(" ended")
			}
			out.WriteString(", ")
		}
		out.WriteString("| ")
	}
	return out.String()
}

// of returns the lane that the partner has.
func (w *world) of(p pnode) *sealane.Lane {
	side := sealane.ServerSide
	if w.side == sealane.ServerSide {
		side = sealane.ClientSide
	}
	var ours, theirs []keyring.Key
	state := func(active bool) keyring.State {
		if active {
			return keyring.Active
		}
		return keyring.Retiring
	}
	for _, key := range p.opens {
		ours = append(ours, keyring.Key{
			ID: w.keyID(key), State: state(key == p.signs), Private: w.private(key),
		})
	}
	for _, key := range p.verifies {
		theirs = append(theirs, keyring.Key{
			ID: w.keyID(key), State: state(key == p.encrypts), Public: &w.private(key).PublicKey,
		})
	}
	c := sealane.Config{
		Partner: "us", Environment: w.lane.Environment, Profile: testlane.Profile(w.t, w.prof), Side: side,
		Sealing: sealane.SealingRequired,
	}
	if w.prof == "rdx" && side == sealane.ServerSide {
		c.SenderAuth = sealane.SenderMutualTLS
	}
	if len(ours) > 0 {
		c.Ours = testlane.Ring(w.t, ours...)
	}
	if len(theirs) > 0 {
		c.Theirs = testlane.Ring(w.t, theirs...)
	}
	return testlane.New(w.t, c)
}

var payload = []byte(`{"n":1}`)

// asClient sends a request to the partner, again by the other keys where it is refused, and opens the
// answer, which is sealed by the keys that the partner uses.
func asClient(w *world, ours *sealane.Lane, p pnode) (out outcome) {
	ctx, theirs := context.Background(), w.of(p)
	keys, err := ours.SealKeys()
	var refused []profile.Outcome
	for err == nil {
		out.sealed = append(out.sealed, keys)
		var token []byte
		if token, err = ours.AppendSealWith(ctx, nil, payload, keys); err != nil {
			break
		}
		var m sealane.Message
		if m, err = theirs.OpenMessage(ctx, token); err == nil {
			err = same(m.Payload())
			break
		}
		cause := sealane.OutcomeOf(err)
		if w.prof == "rdx" { // its answer does not say so
			break
		}
		other, found := ours.OtherKeys(keys, cause)
		if !found || slices.Contains(refused, cause) || len(refused) == 2 {
			break
		}
		keys, refused, err = other, append(refused, cause), nil
	}
	if err != nil {
		out.err = fmt.Errorf("the partner refuses our request after %v: %w", refused, err)
		return out
	}
	if !w.has(registry.Ours) {
		return out
	}
	token, err := theirs.Seal(ctx, payload)
	if err == nil {
		err = out.open(ours, token)
	}
	if err != nil {
		out.err = fmt.Errorf("we can't open the partner's answer: %w", err)
	}
	return out
}

// asServer opens a request of the partner, and answers it.
func asServer(w *world, ours *sealane.Lane, p pnode) (out outcome) {
	ctx, theirs := context.Background(), w.of(p)
	token, err := theirs.Seal(ctx, payload)
	if err == nil {
		err = out.open(ours, token)
	}
	if err != nil {
		out.err = fmt.Errorf("we can't open the partner's request: %w", err)
		return out
	}
	if !w.has(registry.Theirs) {
		return out
	}
	keys, err := ours.ReplyKeys(out.opened[0])
	if err == nil {
		out.sealed = append(out.sealed, keys)
		token, err = ours.SealReply(ctx, out.opened[0], payload)
	}
	if err == nil {
		var m *sealane.Verified
		if m, err = theirs.Open(ctx, token); err == nil {
			err = same(m.Payload())
		}
	}
	if err != nil {
		out.err = fmt.Errorf("the partner can't open our answer: %w", err)
	}
	return out
}

func (out *outcome) open(lane *sealane.Lane, token []byte) error {
	m, err := lane.OpenMessage(context.Background(), token)
	if err != nil {
		return err
	}
	out.opened = append(out.opened, m)
	return same(m.Payload())
}

func same(got []byte) error {
	if !bytes.Equal(got, payload) {
		return errors.New("another payload has arrived")
	}
	return nil
}

// quietSince returns how many days the uses of all keys were counted since a key was last used.
func (w *world) quietSince(id string) (days int) {
	for _, d := range w.watched {
		if d.After(w.used[id]) {
			days++
		}
	}
	return days
}

// day is the beginning of a day in UTC.
func day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// keysIn returns the identities of the keys that a lane has.
func (w *world) keysIn(infos []keyring.KeyInfo) map[string]keyring.State {
	in := map[string]keyring.State{}
	for _, info := range infos {
		in[w.idOf(info)] = info.State
	}
	return in
}
