package renewal_test

import (
	"slices"

	"pgregory.net/rapid"

	"github.com/sealane/sealane/internal/registry"
)

// partner is the other company, with two nodes of its own that it changes one after the other.
type partner struct {
	slots int    // certificates that it can hold at a time, of ours and of its own
	kind  string // honest, lazy, eager, lying or silent
	nodes [2]pnode

	offered int          // the last key of ours whose certificate it has got, if it is another than its own
	said    map[int]bool // what it has told us it has installed
	own     int          // its key in use, until every node has the next
	next    int          // its next key; 0: there is none
	nextID  string       // what we call the certificate of that
	left    bool         // the certificate has left it
	kept    bool         // it has given its word to keep the old one
}

// pnode is a node of the partner. Keys are numbers.
type pnode struct {
	encrypts int   // our key that it encrypts to
	verifies []int // our keys by which it verifies
	signs    int   // its key that signs
	opens    []int // its keys that open
}

// conforms reports whether no message of the partner may fail.
func (p *partner) conforms() bool { return p.kind != "eager" && p.kind != "lying" }

// acts reports whether the partner does what it could do. A lazy one rarely does.
func (p *partner) acts(rt *rapid.T) bool {
	return p.kind != "lazy" || rapid.IntRange(0, 9).Draw(rt, "lazy") == 0
}

// any chooses a node of the partner for which something is so.
func (p *partner) any(rt *rapid.T, is func(*pnode) bool) *pnode {
	i := rapid.IntRange(0, 1).Draw(rt, "node of the partner")
	for _, n := range []*pnode{&p.nodes[i], &p.nodes[1-i]} {
		if is(n) {
			return n
		}
	}
	return nil
}

func (p *partner) all(is func(*pnode) bool) bool { return is(&p.nodes[0]) && is(&p.nodes[1]) }

// partnerInstalls makes one node of the partner take the certificate that we have offered.
func (w *world) partnerInstalls(rt *rapid.T) {
	p, key := w.partner, w.partner.offered
	lacks := func(n *pnode) bool { return key != 0 && !slices.Contains(n.verifies, key) }
	n := p.any(rt, lacks)
	if n == nil || !p.acts(rt) {
		skip()
	}
	if p.slots == 1 {
		n.encrypts, n.verifies = key, []int{key}
	} else {
		n.verifies = []int{n.encrypts, key}
	}
	w.step("a node of the partner installs %d: %+v", key, p.nodes)
}

// partnerSwitches makes one node of the partner encrypt to the certificate that it has installed.
func (w *world) partnerSwitches(rt *rapid.T) {
	p, key := w.partner, w.partner.offered
	n := p.any(rt, func(n *pnode) bool { return slices.Contains(n.verifies, key) && n.encrypts != key })
	if n == nil || !p.acts(rt) {
		skip()
	}
	n.encrypts = key
	w.step("a node of the partner encrypts to %d: %+v", key, p.nodes)
}

// partnerDrops makes one node of the partner forget the certificate of ours that it does not use, when
// it has told us that it has the new one, and sees only that.
func (w *world) partnerDrops(rt *rapid.T) {
	p := w.partner
	uses := p.all(func(n *pnode) bool { return n.encrypts == p.offered })
	if !p.said[p.offered] || !w.allSignBy(p.offered) || !uses {
		skip()
	}
	n := p.any(rt, func(n *pnode) bool { return len(n.verifies) > 1 })
	if n == nil || !p.acts(rt) {
		skip()
	}
	n.verifies = []int{n.encrypts}
	w.step("a node of the partner drops our old certificate: %+v", p.nodes)
}

// partnerSays makes the partner tell us that it has installed our certificate.
func (w *world) partnerSays(rt *rapid.T) {
	p, key := w.partner, w.partner.offered
	has := p.all(func(n *pnode) bool { return slices.Contains(n.verifies, key) })
	if key == 0 || p.said[key] || p.kind == "silent" || !has && p.kind != "lying" || !p.acts(rt) {
		skip()
	}
	p.said[key] = true
	w.step("the partner says that it has %d", key)
}

// partnerMakes makes the next key of the partner, and sends its certificate.
func (w *world) partnerMakes(rt *rapid.T) {
	p := w.partner
	if p.next != 0 || !w.mayMake(registry.Theirs) || !p.acts(rt) {
		skip()
	}
	p.next, p.nextID, p.left, p.kept = w.key(registry.Theirs), "", true, false
	if p.slots == 2 {
		for i := range p.nodes {
			p.nodes[i].opens = []int{p.own, p.next}
		}
	}
	w.came = append(w.came, p.next)
	w.step("the partner makes and sends key %d", p.next)
}

// told reports whether the mail about the partner's next certificate may have arrived.
func (w *world) told() bool {
	n, open := w.was.open[registry.Theirs]
	if open && n.Successor == w.partner.nextID && n.Mail != nil {
		return true
	}
	return w.partner.nextID != "" && w.was.certificates[w.partner.nextID].State == registry.Active && !open
}

// partnerSigns makes one node of the partner sign with its next key. One that holds one key replaces it.
func (w *world) partnerSigns(rt *rapid.T) {
	p := w.partner
	may := p.next != 0 && (w.told() || p.kind == "eager")
	n := p.any(rt, func(n *pnode) bool { return may && n.signs != p.next })
	if n == nil || !p.acts(rt) {
		skip()
	}
	n.signs = p.next
	if p.slots == 1 {
		n.opens = []int{p.next}
	}
	w.step("a node of the partner signs with %d: %+v", p.next, p.nodes)
	w.partnerDone()
}

// partnerEnds makes one node of the partner destroy its old key.
func (w *world) partnerEnds(rt *rapid.T) {
	p := w.partner
	may := p.slots == 2 && p.next != 0 && w.told() && !p.kept
	n := p.any(rt, func(n *pnode) bool { return may && n.signs == p.next && len(n.opens) > 1 })
	if n == nil || !p.acts(rt) {
		skip()
	}
	n.opens = []int{p.next}
	w.step("a node of the partner ends its old key: %+v", p.nodes)
	w.partnerDone()
}

// partnerDone makes the next key of the partner its own, when every node has only that.
func (w *world) partnerDone() {
	p := w.partner
	if p.all(func(n *pnode) bool { return n.signs == p.next && len(n.opens) == 1 && n.opens[0] == p.next }) {
		p.own, p.next, p.nextID, p.left = p.next, 0, "", false
	}
}

// allSignBy reports whether every node of ours signs by a key, where we sign.
func (w *world) allSignBy(key int) bool {
	if !w.has(registry.Theirs) { // we sign nothing
		return true
	}
	for _, n := range w.nodes {
		if !n.serving() {
			continue
		}
		lane, err := n.snap.Lane(w.lane)
		w.need(err)
		keys, err := lane.SealKeys()
		signer, signs := keys.Signer()
		if err != nil || !signs || !signer.Public.Equal(&w.private(key).PublicKey) {
			return false
		}
	}
	return true
}
