package renewal_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/internal/store"
	"github.com/sealane/sealane/internal/store/pgtest"
	"github.com/sealane/sealane/internal/testkey"
)

// company is one company with its registry, its schedule, and the people in it.
type company struct {
	*registry.Registry
	t          testing.TB
	now        time.Time
	admin      *registry.Session
	anna, cora *registry.Session // operator, approver
	schedule   *renewal.Scheduler
	made       int
	tokens     map[string]string // of people
	traced     func(string)      // is told each statement of a change before it; may be nil
	batches    int64             // of uses of keys
}

// onBoth runs a test on each database.
func onBoth(t *testing.T, test func(t *testing.T, h *company)) {
	t.Run("sqlite", func(t *testing.T) {
		test(t, newCompany(t, "sqlite:"+filepath.Join(t.TempDir(), "registry.db")))
	})
	t.Run("postgres", func(t *testing.T) { test(t, newCompany(t, pgtest.URL(t))) })
}

func newCompany(t testing.TB, address string) *company {
	t.Helper()
	h := openCompany(t, address, store.Options{})
	t.Cleanup(h.close)
	return h
}

// openCompany is newCompany with options of the store, which the caller closes.
func openCompany(t testing.TB, address string, o store.Options) *company {
	t.Helper()
	h := &company{t: t, now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), tokens: map[string]string{}}
	if o.Trace == nil {
		o.Trace = func(statement string) {
			if h.traced != nil {
				h.traced(statement)
			}
		}
	}
	s, err := store.Open(t.Context(), address, o)
	h.must(err)
	h.Registry = &registry.Registry{Store: s, Now: func() time.Time { return h.now }}
	h.schedule = &renewal.Scheduler{Registry: h.Registry, Holder: "one"}
	root, err := rootkey.Generate()
	h.must(err)
	token, err := h.Found(t.Context(), registry.Person{ID: "admin", Name: "Administrator"})
	h.must(err)
	h.admin = h.login(token)
	h.must(h.admin.SetRoot(t.Context(), root, nil))
	h.anna, h.cora = h.person("anna", registry.Operator), h.person("cora", registry.Approver)
	return h
}

func (h *company) close() { h.Store.(io.Closer).Close() }

func (h *company) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *company) login(token string) *registry.Session {
	h.t.Helper()
	s, err := h.Login(h.t.Context(), token)
	h.must(err)
	return s
}

func (h *company) person(id string, role registry.Role) *registry.Session {
	h.t.Helper()
	var token string
	p := registry.Person{ID: id, Name: id, Email: id + "@example.com", Roles: []registry.Role{role}}
	h.must(h.agreed(h.admin, func(s *registry.Session) (err error) {
		token, err = s.AddPerson(h.t.Context(), p)
		return err
	}))
	h.tokens[id] = token
	return h.login(token)
}

// agreed does an act that may need a second person, who agrees.
func (h *company) agreed(s *registry.Session, act func(*registry.Session) error) error {
	return agreed(h.t.Context(), s, h.cora, act)
}

func agreed(ctx context.Context, s, second *registry.Session, act func(*registry.Session) error) error {
	err := act(s)
	needed, is := errors.AsType[*registry.SecondPersonError](err)
	if !is {
		return err
	}
	r, err := s.MakeRequest(ctx, needed.Request)
	if err != nil {
		return err
	}
	as, _, err := second.ApproveRequest(ctx, r.ID)
	if err != nil {
		return err
	}
	return act(as)
}

// partner adds a partner with one environment.
func (h *company) partner(id, profile string, side sealane.Side, environment string, r registry.Rotation) {
	h.t.Helper()
	ctx := h.t.Context()
	h.must(h.anna.AddPartner(ctx, registry.Partner{ID: id, Name: "Partner " + id, Profile: profile, Side: side}))
	env := registry.Environment{
		Partner: id, Name: environment, Sealing: sealane.SealingRequired, Rotation: r, MailFrom: "keys@us.example",
		Contacts: []registry.Contact{{Role: registry.Primary, Name: "Keys", Email: "keys@" + id + ".example"}},
	}
	if profile == "rdx" && side == sealane.ServerSide {
		env.SenderAuth = sealane.SenderMutualTLS
	}
	h.must(h.agreed(h.anna, func(s *registry.Session) error { return s.AddEnvironment(ctx, env) }))
}

// certificate makes a certificate of a partner's for a new key, valid for a number of days from now.
func (h *company) certificate(bits, days int) []byte {
	h.t.Helper()
	h.made++
	key := testkey.RSA(h.t, fmt.Sprintf("renewal %d of %d bits", h.made, bits), bits)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(int64(4711 + h.made)),
		Subject: pkix.Name{CommonName: "partner.example", Organization: []string{"Partner"},
			OrganizationalUnit: []string{"Keys"}},
		EmailAddresses: []string{"keys@partner.example"}, NotBefore: h.now.Add(-time.Hour).Truncate(time.Second),
		NotAfter: h.now.AddDate(0, 0, days).Truncate(time.Second), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	h.must(err)
	return der
}

// approved takes a certificate of a partner's in until it is approved, and returns its identity.
func (h *company) approved(lane lanes.Name, der []byte) string {
	h.t.Helper()
	ctx := h.t.Context()
	e := exchange.New(h.anna)
	c, _, err := e.Receive(ctx, exchange.Incoming{Partner: lane.Partner, Environment: lane.Environment, Data: der})
	h.must(err)
	sum := sha256.Sum256(der)
	_, err = e.MatchChecksum(ctx, exchange.Comparison{Certificate: c.ID, Checksum: hex.EncodeToString(sum[:])})
	h.must(err)
	h.must(exchange.New(h.cora).Approve(ctx, c.ID, exchange.Approval{Change: "CHG-1", CallBack: exchange.CallBack{
		Person: "Eva Lind", Number: "+46 8 123 45 67", Digits: []string{hex.EncodeToString(sum[:4])},
	}}))
	return c.ID
}

// create makes a key pair of ours for a partner.
func (h *company) create(lane lanes.Name, profile string, bits int, follows bool) registry.KeyPair {
	h.t.Helper()
	k, _, err := h.anna.CreateKeyPair(h.t.Context(), registry.NewPair{
		Profile: profile, Partner: lane.Partner, Environment: lane.Environment, Bits: bits, Renewal: follows,
		Subject: cert.Template{CommonName: "us.example", Organization: "Us", Unit: "Keys", Email: "keys@us.example",
			Validity: 2},
	})
	h.must(err)
	return k
}

// pair makes a key pair of ours for a partner, offers it, and returns its identity.
func (h *company) pair(lane lanes.Name, profile string, bits int, follows bool) string {
	h.t.Helper()
	k := h.create(lane, profile, bits, follows)
	h.must(h.offer(lane, k.ID))
	return k.ID
}

// pairLoadedBy is pair for a successor that a node has before it is offered.
func (h *company) pairLoadedBy(lane lanes.Name, profile, node string) string {
	h.t.Helper()
	k := h.create(lane, profile, 2048, true)
	h.node(node, h.head())
	h.must(h.offer(lane, k.ID))
	return k.ID
}

func (h *company) offer(lane lanes.Name, pair string) error {
	return exchange.New(h.anna).Offer(h.t.Context(), exchange.Target{KeyPair: pair, Partner: lane.Partner},
		func(exchange.OfferPackage) error { return nil })
}

// installed records the word of a partner.
func (h *company) installed(lane lanes.Name, pair string) error {
	return exchange.New(h.anna).MarkInstalled(h.t.Context(), exchange.Target{
		KeyPair: pair, Partner: lane.Partner, Said: "their custodian by telephone",
	})
}

// order orders the activation of a key, and the second person agrees where one must.
func (h *company) order(of renewal.Name, at time.Time) error {
	return h.agreed(h.anna, func(s *registry.Session) error {
		_, err := renewal.New(s).Order(h.t.Context(), renewal.Activation{Name: of, At: at, Change: "CHG-4711"})
		return err
	})
}

// pass runs one pass of the schedule.
func (h *company) pass() renewal.Report {
	h.t.Helper()
	report, err := h.schedule.Pass(h.t.Context())
	h.must(err)
	return report
}

// renewal returns the last renewal that a key has a part in.
func (h *company) renewal(key string) (n registry.Renewal) {
	h.t.Helper()
	h.must(h.Store.View(h.t.Context(), func(tx registry.Reader) error {
		all, err := tx.Renewals(registry.RenewalQuery{Key: key})
		for _, one := range all {
			if n.ID == "" || one.Created.After(n.Created) || n.Step.Closed() && !one.Step.Closed() {
				n = one
			}
		}
		return err
	}))
	return n
}

func (h *company) wantStep(key string, want registry.RenewalStep) registry.Renewal {
	h.t.Helper()
	n := h.renewal(key)
	if n.Step != want {
		h.t.Errorf("the renewal of %s is %s, want %s", key, n.Step, want)
	}
	return n
}

// state returns the state of a certificate or key pair.
func (h *company) state(id string) (state registry.State) {
	h.t.Helper()
	h.must(h.Store.View(h.t.Context(), func(tx registry.Reader) error {
		if exchange.IsKeyPair(id) {
			k, err := tx.KeyPair(id)
			state = k.State
			return err
		}
		c, err := tx.Certificate(id)
		state = c.State
		return err
	}))
	return state
}

// wantRefused fails the test where an error does not contain a text.
func wantRefused(t testing.TB, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("error %v, want %q", err, text)
	}
}

// node stores the report of a node: it has all records, or those up to one.
func (h *company) node(name string, record int64) {
	h.t.Helper()
	_, err := h.Store.ReportNode(h.t.Context(), lanes.Node{
		Name: name, Process: "p-" + name, Record: record, Started: h.now, At: h.now, Counted: h.now,
		Serves: h.now.Add(time.Hour),
	}, false)
	h.must(err)
}

// head returns the last record of the audit log.
func (h *company) head() (last int64) {
	h.t.Helper()
	h.must(h.Store.View(h.t.Context(), func(tx registry.Reader) error {
		head, err := tx.AuditHead()
		last = head.Seq
		return err
	}))
	return last
}

// uses stores that a node has used a key now.
func (h *company) uses(node, key, partner string, direction lanes.Direction) {
	h.t.Helper()
	h.batches++
	h.must(h.Store.UsedKeys(h.t.Context(), lanes.KeyUses{
		Node: node, Process: "p-" + node, Batch: h.batches, Seen: []lanes.KeySeen{{
			KeyUse: lanes.KeyUse{Key: key, Partner: partner, Direction: direction},
			Seen:   lanes.Seen{First: h.now, Last: h.now, Count: 1},
		}},
	}))
}

// hours lets hours pass, with a node that counts, and a pass in each.
func (h *company) hours(n int) (last renewal.Report) {
	h.t.Helper()
	for range n {
		h.now = h.now.Add(time.Hour)
		h.node("one", h.head())
		last = h.pass()
	}
	return last
}

// told reports whether one of a list's texts contains a text.
func told(list []renewal.Wait, text string) bool {
	return slices.ContainsFunc(list, func(w renewal.Wait) bool { return strings.Contains(w.Text, text) })
}
