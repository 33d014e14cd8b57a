package renewal_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
	"github.com/sealane/sealane/internal/store"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/keyring"
)

// world is one lane with all that acts on it: the registry with its people and two schedulers, two nodes
// that lag behind the database, and a partner with two nodes of its own.
type world struct {
	*company
	rt     *rapid.T
	lane   lanes.Name
	prof   string
	owners []registry.Owner // those who have keys: both, or only the receiver where nothing is signed
	same   bool             // all key IDs of one size are the same
	small  int              // how many keys of a side have 2048 bits; those that follow have 4096
	side   sealane.Side
	prod   bool // two people decide
	rot    registry.Rotation

	nodes     [2]*node
	reader    *lanes.Reader
	partner   *partner
	second    *renewal.Scheduler
	ids       map[int]string         // what the registry calls the keys
	keys      map[registry.Owner]int // that were made
	came      []int                  // certificates of the partner that wait for us
	watched   []time.Time            // days on which the uses of keys were counted
	used      map[string]time.Time
	ended     map[string]int64 // keys that have ended, and the record of that
	revoked   map[string]int64
	back      map[string]int64        // keys whose end was undone
	bad       map[registry.Owner]bool // a person has revoked a key: messages may be lost until the next is in use
	expired   bool                    // a clock was wrong while something was on its way in
	was       rows
	last      rows // that were read
	steps     int
	activated int           // keys
	ran       time.Duration // by the clock that nobody sets
	log       []string
	found     func(string) // takes why the world fails
}

// step says what happens next, for the log of a world that fails.
func (w *world) step(format string, args ...any) {
	w.log = append(w.log, w.now.Format("2006-01-02 15:04:05 ")+fmt.Sprintf(format, args...))
}

// fail ends the world with its history.
func (w *world) fail(format string, args ...any) {
	history := w.log[max(0, len(w.log)-60):]
	text := fmt.Sprintf("%s\n%s, slots %d, %s, %s, %s partner\n\t%s", fmt.Sprintf(format, args...), w.lane,
		w.partner.slots, w.side, w.rot, w.partner.kind, strings.Join(history, "\n\t"))
	w.found(text)
	w.rt.Fatal(text)
}

// need fails the world for an error that is no refusal.
func (w *world) need(err error) {
	if err != nil {
		w.fail("%v", err)
	}
}

// tried notes an act that may be refused, and reports whether it was done.
func (w *world) tried(what string, err error) bool {
	_, asked := errors.AsType[*registry.SecondPersonError](err)
	_, refused := errors.AsType[*registry.RefusedError](err)
	_, loading := errors.AsType[*registry.NotLoadedError](err)
	switch {
	case err == nil:
		w.step("%s", what)
	case refused, loading, asked, errors.Is(err, registry.ErrConflict), errors.Is(err, registry.ErrForbidden),
		errors.Is(err, registry.ErrNotFound):
		w.step("%s: refused: %.150v", what, err)
	default:
		w.fail("%s: %v", what, err)
	}
	return err == nil
}

// worldsMade counts the worlds. Each has a database of its own.
var worldsMade atomic.Int64

// newWorld begins a world in which both keys are in use.
func newWorld(t testing.TB, rt *rapid.T) *world {
	h := openCompany(t, fmt.Sprint("sqlite:world ", worldsMade.Add(1)), store.Options{Memory: true})
	w := &world{
		company: h, rt: rt, ids: map[int]string{}, used: map[string]time.Time{}, ended: map[string]int64{},
		revoked: map[string]int64{}, back: map[string]int64{}, bad: map[registry.Owner]bool{},
		keys:   map[registry.Owner]int{},
		owners: []registry.Owner{registry.Ours, registry.Theirs},
		second: &renewal.Scheduler{Registry: h.Registry, Holder: "two"}, reader: h.Lanes(),
	}
	w.prod = rapid.Bool().Draw(rt, "production")
	w.side = rapid.SampledFrom([]sealane.Side{sealane.ServerSide, sealane.ClientSide}).Draw(rt, "side")
	w.prof = rapid.SampledFrom([]string{"riskos", "riskos", "rdx"}).Draw(rt, "profile")
	w.same = rapid.Bool().Draw(rt, "same key ID")
	w.small = 1000
	if rapid.IntRange(0, proof(1000, 9)).Draw(rt, "size") == 1 { // it takes long to make such keys
		w.small = rapid.IntRange(1, 3).Draw(rt, "keys of 2048 bits")
	}
	w.lane = lanes.Name{Partner: "acme", Environment: "DEV"}
	if w.prod {
		w.lane.Environment = "PROD"
	}
	w.partner = &partner{
		slots: rapid.IntRange(1, 2).Draw(rt, "slots"), said: map[int]bool{},
		kind: rapid.SampledFrom([]string{
			"honest", "honest", "honest", "honest", "lazy", "eager", "lying", "silent",
		}).Draw(rt, "partner"),
	}
	switch {
	case w.prof == "rdx" && w.side == sealane.ServerSide:
		w.owners = w.owners[:1]
	case w.prof == "rdx":
		// Its answers do not say that it could not open a message. With one slot that takes an appointment, at
		// which messages may be lost.
		w.owners, w.partner.slots = w.owners[1:], 2
	}
	w.rot = registry.Rotation{
		Slots: w.partner.slots, Quiet: rapid.IntRange(2, 5).Draw(rt, "quiet"),
		Retire: rapid.SampledFrom([]registry.Retire{
			registry.RetireDo, registry.RetireDo, registry.RetirePropose, registry.RetireNever,
		}).Draw(rt, "retire"),
	}
	if rapid.Bool().Draw(rt, "window") {
		w.rot.Window = registry.Window{Zone: "Europe/Berlin", From: "01:00", To: "05:00",
			Freezes: []registry.Freeze{{From: "2026-12-18", To: "2027-01-07"}}}
	}
	starts := []time.Time{
		time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), time.Date(2028, 2, 29, 23, 50, 0, 0, time.UTC),
		time.Date(2027, 3, 27, 22, 0, 0, 0, time.UTC), time.Date(2027, 10, 30, 22, 0, 0, 0, time.UTC),
	}
	h.now = rapid.SampledFrom(starts).Draw(rt, "begin")
	h.company0(w)
	return w
}

// company0 adds the partner, and the first key of each side.
func (h *company) company0(w *world) {
	h.partner("acme", w.prof, w.side, w.lane.Environment, w.rot)
	ctx := h.t.Context()
	w.used, w.ended = map[string]time.Time{}, map[string]int64{}
	var first pnode
	if w.has(registry.Ours) {
		own := w.key(registry.Ours)
		c, err := w.imported(own, false)
		h.must(err)
		h.must(h.offer(w.lane, c.ID))
		h.must(h.installed(w.lane, c.ID))
		first.encrypts, first.verifies = own, []int{own}
	}
	if w.has(registry.Theirs) {
		theirs := w.key(registry.Theirs)
		id := h.approved(w.lane, w.certificateOf(theirs))
		w.ids[theirs] = id
		h.must(w.names(theirs))
		h.must(h.agreed(h.anna, func(s *registry.Session) error { return exchange.New(s).Activate(ctx, id) }))
		first.signs, first.opens, w.partner.own = theirs, []int{theirs}, theirs
	}
	for i := range w.partner.nodes {
		w.partner.nodes[i] = first
	}
	for i, name := range []string{"one", "two"} {
		w.nodes[i] = &node{w: w, name: name}
		w.nodes[i].start()
	}
	w.was = w.read()
}

// has reports whether a side has keys.
func (w *world) has(owner registry.Owner) bool { return slices.Contains(w.owners, owner) }

// keyID returns the key ID of a key.
func (w *world) keyID(key int) string {
	if w.prof == "riskos" {
		return fmt.Sprint(key)
	}
	bits := bitsOf(key)
	if w.same {
		key = 0
	}
	return fmt.Sprintf("%08xdadc1234b704c1f2-PKE-ACS-Client-%dSHA2-%s", key, bits, w.lane.Environment)
}

// names stores the key ID of a key, which both sides must know before its first use, unless messages have none.
func (w *world) names(key int) error {
	if w.prof == "riskos" {
		return nil
	}
	return exchange.New(w.anna).SetKeyID(context.Background(), exchange.KeyIDChange{
		ID: w.ids[key], KeyID: w.keyID(key),
	})
}

// key returns the number of a new key of a side. Worlds share their keys, because it takes long to make them.
func (w *world) key(owner registry.Owner) int {
	w.keys[owner]++
	key := w.keys[owner]
	if owner == registry.Theirs {
		key += 1000
	}
	if w.keys[owner] > w.small {
		key += large
	}
	return key
}

// large is from where on the numbers are those of keys of 4096 bits.
const large = 10_000

func bitsOf(key int) int {
	if key > large {
		return 4096
	}
	return 2048
}

// mayMake reports whether a side may make another key. There are few large ones.
func (w *world) mayMake(owner registry.Owner) bool {
	return w.has(owner) && w.keys[owner] < min(60, w.small+4)
}

func (w *world) private(key int) *rsa.PrivateKey { return keyOf(w.t, key) }

// numbers has the numbers of all keys by the lowest word of their modulus.
var numbers sync.Map

func keyOf(t testing.TB, key int) *rsa.PrivateKey {
	k := testkey.RSA(t, fmt.Sprintf("property %d", key), bitsOf(key))
	numbers.Store(k.N.Bits()[0], key)
	return k
}

// numberOf returns the number of a key.
func numberOf(k keyring.KeyInfo) int {
	key, _ := numbers.Load(k.Public.N.Bits()[0])
	return key.(int)
}

// certificateOf makes a certificate for a key, for two years. That of a later key begins later, also where both
// are made in the same second: of two older keys a client tries the one whose certificate began last.
func (w *world) certificateOf(key int) []byte {
	private := w.private(key)
	begins := w.now.Add(-3*time.Hour + time.Duration(key%1000)*time.Second).Truncate(time.Second)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(int64(1000 + key)),
		Subject: pkix.Name{CommonName: "partner.example", Organization: []string{"Partner"},
			OrganizationalUnit: []string{"Keys"}},
		EmailAddresses: []string{"keys@partner.example"}, NotBefore: begins,
		NotAfter:              w.now.AddDate(2, 0, -1).Truncate(time.Second),
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature,
	}
	if w.prof == "rdx" {
		c.KeyUsage = x509.KeyUsageKeyEncipherment
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &private.PublicKey, private)
	w.must(err)
	return der
}

// imported adds a key pair of ours.
func (w *world) imported(key int, follows bool) (registry.KeyPair, error) {
	leaf, err := x509.ParseCertificate(w.certificateOf(key))
	w.must(err)
	var k registry.KeyPair
	err = w.agreed(w.anna.WithReason("the key was made in the HSM"), func(s *registry.Session) (err error) {
		k, _, err = s.ImportKeyPair(context.Background(), registry.NewPair{
			Profile: w.prof, Partner: w.lane.Partner, Environment: w.lane.Environment, Renewal: follows,
		}, w.private(key), []*x509.Certificate{leaf})
		return err
	})
	if err == nil {
		w.ids[key] = k.ID
		err = w.names(key)
	}
	return k, err
}

// rows are what the invariants are about.
type rows struct {
	head         int64
	pairs        map[string]registry.KeyPair
	certificates map[string]registry.Certificate // the partner's
	offers       map[string]registry.Offer
	open         map[registry.Owner]registry.Renewal
	opens        map[registry.Owner]int
}

// read reads all rows of the lane. Without a new record none has changed: whole finds one that has.
func (w *world) read() (r rows) {
	version, err := w.reader.Store.Version(context.Background())
	w.need(err)
	if w.last.head == version.Seq {
		return w.last
	}
	err = w.Store.View(context.Background(), func(tx registry.Reader) error {
		r = rows{
			head: version.Seq, pairs: map[string]registry.KeyPair{}, certificates: map[string]registry.Certificate{},
			offers: map[string]registry.Offer{}, open: map[registry.Owner]registry.Renewal{},
			opens: map[registry.Owner]int{},
		}
		pairs, err := tx.KeyPairs(registry.KeyPairQuery{Partner: w.lane.Partner, Page: registry.Page{Limit: 1000}})
		if err != nil {
			return err
		}
		for _, k := range pairs {
			r.pairs[k.ID] = k
		}
		certificates, err := tx.Certificates(registry.CertificateQuery{
			Owner: registry.Theirs, Partner: w.lane.Partner, Page: registry.Page{Limit: 1000},
		})
		if err != nil {
			return err
		}
		for _, c := range certificates {
			r.certificates[c.ID] = c
		}
		offers, err := tx.Offers(w.lane.Partner)
		if err != nil {
			return err
		}
		for _, o := range offers {
			r.offers[o.KeyPair] = o
		}
		open, err := tx.Renewals(registry.RenewalQuery{Open: true, Page: registry.Page{Limit: 100}})
		for _, n := range open {
			r.open[n.Owner] = n
			r.opens[n.Owner]++
		}
		return err
	})
	w.need(err)
	w.last = r
	return r
}

// states returns the states of the keys of both legs, by their identities.
func (r rows) states() map[string]registry.State {
	states := map[string]registry.State{}
	for id, k := range r.pairs {
		states[id] = k.State
	}
	for id, c := range r.certificates {
		states[id] = c.State
	}
	return states
}

// inState returns the keys of a side in a state, in the order of their numbers.
func (w *world) inState(owner registry.Owner, state registry.State) (ids []string) {
	for id, s := range w.was.states() {
		if s == state && exchange.IsKeyPair(id) == (owner == registry.Ours) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int { return cmp.Compare(w.number(a), w.number(b)) })
	return ids
}
