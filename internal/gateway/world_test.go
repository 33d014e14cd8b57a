package gateway_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testkey"
)

// world is a firm with two gateways, and its partners.
type world struct {
	*firm
	nodes  []*linked
	paths  []*path
	app    *http.Client // the firm's application
	number atomic.Int64 // of the last message
	made   int          // keys of peers
}

// path is the way of messages between the firm and one partner, in one direction: who is the client sends.
type path struct {
	lanes.Name
	profile string
	side    sealane.Side // the firm's
	slots   int
	bits    int
	peer    *peer

	pair, theirs         string  // the active keys in the registry; "": there is none
	nextPair, nextTheirs string  // their successors
	ours, own            heldKey // the certificate of pair, and the peer's key of theirs
	nextOurs, nextOwn    heldKey
}

// hasPair and hasTheirs report which keys there are: without signatures only the receiver has one.
func (p *path) hasPair() bool   { return p.profile == "riskos" || p.side == sealane.ServerSide }
func (p *path) hasTheirs() bool { return p.profile == "riskos" || p.side == sealane.ClientSide }

// byAppointment reports whether both must change at the same time.
func (p *path) byAppointment() bool {
	return p.profile == "rdx" && p.side == sealane.ClientSide && p.slots == 1
}

func (p *path) String() string { return p.Partner }

// aliasOf returns the key ID of keys of that size, old and new: where the profile needs one, and also for partners
// of the other who hold two keys. It is empty for the rest.
func (p *path) aliasOf(bits int) string {
	switch {
	case p.profile == "riskos" && p.slots == 1:
		return ""
	case p.profile == "riskos":
		return fmt.Sprintf("%s-key-%d", p.Partner, bits)
	}
	entity := fmt.Sprintf("%024x", p.Partner)
	return fmt.Sprintf("%s-PKE-ACS-Client-%dSHA2-%s", entity[:24], bits, p.Environment)
}

// newWorld starts two gateways on a registry in SQLite, and partners.
func newWorld(t *testing.T, words string, keep func(*path) bool) *world {
	t.Helper()
	return newWorldAt(t, "sqlite:"+filepath.Join(t.TempDir(), "registry.db"), words, keep)
}

// newWorldAt starts two gateways, and partners: of each profile, side and number of slots one that is to be kept.
func newWorldAt(t *testing.T, address, words string, keep func(*path) bool) *world {
	t.Helper()
	w := &world{firm: newFirm(t, address)}
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	w.app = &http.Client{Transport: transport}
	t.Cleanup(transport.CloseIdleConnections)
	var routes strings.Builder
	routes.WriteString("routes:\n")
	application := serve(t, answerNumber)
	for _, profile := range []string{"riskos", "rdx"} {
		for _, side := range []sealane.Side{sealane.ClientSide, sealane.ServerSide} {
			for slots := 1; slots <= 2; slots++ {
				p := &path{profile: profile, side: side, slots: slots, bits: 2048}
				p.Name = lanes.Name{Partner: fmt.Sprintf("%s-%s-%d", profile, side, slots), Environment: "PROD"}
				if !keep(p) {
					continue
				}
				w.add(p)
				w.paths = append(w.paths, p)
				fmt.Fprintf(&routes, "- name: %s\n  listen: 127.0.0.1:0\n  partner: %s\n  environment: PROD\n",
					p.Partner, p.Partner)
				if side == sealane.ClientSide {
					fmt.Fprintf(&routes, "  egress: %s\n  upstream: %s\n", profile, p.peer.url)
				} else {
					fmt.Fprintf(&routes, "  ingress: %s\n  caller: unauthenticated\n  upstream: %s\n", profile,
						application)
				}
			}
		}
	}
	for _, name := range []string{"one", "two"} {
		w.nodes = append(w.nodes, w.start(t, name, words, routes.String()))
	}
	w.settle(w.nodes...)
	return w
}

// add adds a partner, whose first keys are exchanged.
func (w *world) add(p *path) {
	w.t.Helper()
	env := registry.Environment{Name: p.Environment, Rotation: registry.Rotation{Slots: p.slots}}
	theirs := sealane.ServerSide
	if p.side == sealane.ServerSide {
		theirs = sealane.ClientSide
		if p.profile == "rdx" {
			env.SenderAuth = sealane.SenderUnauthenticated
		}
	}
	w.partner(registry.Partner{ID: p.Partner, Profile: p.profile, Side: p.side}, env)
	p.peer = newPeer(w.t, p.profile, theirs, p.Environment)
	w.create(p, p.bits, false)
	if p.hasPair() {
		w.offer(p.Name, p.nextPair)
		w.installed(p.Name, p.nextPair)
	}
	if p.hasTheirs() {
		w.must(exchange.New(w.anna).Activate(w.t.Context(), p.nextTheirs))
	}
	p.followed()
	p.peer.everyNode(func(n *peerNode) { n.own, n.ours = listOf(p.own), listOf(p.ours) })
}

func listOf(k heldKey) []heldKey {
	if k.certificate == nil {
		return nil
	}
	return []heldKey{k}
}

// followed makes the successors the keys that count.
func (p *path) followed() {
	p.pair, p.theirs, p.ours, p.own = p.nextPair, p.nextTheirs, p.nextOurs, p.nextOwn
}

// create makes the next pair of ours and the next key of the partner, and takes its certificate in.
func (w *world) create(p *path, bits int, follows bool) {
	w.t.Helper()
	if p.hasPair() {
		var c *x509.Certificate
		p.nextPair, c = w.pair(p.Name, p.profile, bits, p.aliasOf(bits), follows)
		p.nextOurs = heldKey{id: p.aliasOf(bits), certificate: c}
		if p.nextOurs.id == "" {
			p.nextOurs.id = p.nextPair
		}
	}
	if p.hasTheirs() {
		w.made++
		key := testkey.RSA(w.t, fmt.Sprintf("peer key %d", w.made), bits)
		p.nextOwn = heldKey{id: p.aliasOf(bits), private: key, certificate: w.certificate(key)}
		if p.nextOwn.id == "" {
			p.nextOwn.id = fmt.Sprintf("peer-key-%d", w.made)
		}
		if follows && p.slots > 1 { // it can open before its certificate leaves
			p.peer.everyNode(func(n *peerNode) { n.own = moved(n.own, p.nextOwn, false) })
		}
		p.nextTheirs = w.receive(p.Name, p.nextOwn.certificate, p.aliasOf(bits))
	}
}

// send sends one message on a path, by one of the gateways and one node of the peer.
func (w *world) send(ctx context.Context, p *path, node, peerNode int) error {
	client, number := w.app, w.number.Add(1)
	if p.side == sealane.ServerSide {
		client = p.peer.nodes[peerNode].client
	}
	err := exchangeOne(ctx, client, w.nodes[node].url(p.Partner), p.profile, number, peerNode)
	if err != nil {
		err = fmt.Errorf("message %d of %s by gateway %d and node %d: %w", number, p, node, peerNode, err)
	}
	return err
}

// talk sends messages each way by each gateway and each node.
func (w *world) talk() {
	w.t.Helper()
	for _, p := range w.paths {
		for node := range w.nodes {
			for peer := range p.peer.nodes {
				if err := w.send(w.t.Context(), p, node, peer); err != nil {
					w.t.Error(err)
				}
			}
		}
	}
}

// pass does one pass of the schedule, after each of the nodes has all that is in the registry now.
func (w *world) pass(nodes ...*linked) {
	w.t.Helper()
	if nodes == nil {
		nodes = w.nodes
	}
	w.settle(nodes...)
	w.passNow()
}

// passNow does one pass of the schedule.
func (w *world) passNow() {
	w.t.Helper()
	report, err := w.schedule.Pass(w.t.Context())
	w.must(err)
	if report.Busy {
		w.t.Fatal("another schedule works")
	}
}

// later lets time pass, in steps in which the nodes report themselves.
func (w *world) later(d time.Duration) { w.passed.Add(int64(d)) }

// wantState fails the test if a key is in another state.
func (w *world) wantState(want registry.State, ids ...string) {
	w.t.Helper()
	for _, id := range ids {
		if id == "" {
			continue
		}
		if state := w.state(id); state != want {
			w.t.Fatalf("%s is %s, want %s", id, state, want)
		}
	}
}

// shuffled calls functions in a random order.
func shuffled(r *rand.Rand, between func(), all []func()) {
	for _, i := range r.Perm(len(all)) {
		between()
		all[i]()
	}
}

// registered lists the renewals, for a test that fails.
func (w *world) registered() string {
	var out strings.Builder
	w.must(w.Store.View(context.Background(), func(tx registry.Reader) error {
		all, err := tx.Renewals(registry.RenewalQuery{Open: true, Page: registry.Page{Limit: 100}})
		for _, n := range all {
			fmt.Fprintf(&out, "%s: %s to %s is %s\n", n.Leg, n.Replaces, n.Successor, n.Step)
		}
		return err
	}))
	return out.String()
}
