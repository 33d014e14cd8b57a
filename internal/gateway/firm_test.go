package gateway_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"math/big"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/internal/store"
)

// firm is a company with a registry that people change, by a clock that the test sets.
type firm struct {
	*registry.Registry
	t          *testing.T
	address    string // of the database
	root       string // the file of the root key
	began      time.Time
	passed     atomic.Int64 // since then
	anna, cora *registry.Session
	schedule   *renewal.Scheduler
}

func newFirm(t *testing.T, address string) *firm {
	t.Helper()
	db, err := store.Open(t.Context(), address, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	f := &firm{t: t, address: address, root: filepath.Join(t.TempDir(), "root.key"),
		began: time.Now().UTC().Truncate(time.Second)}
	f.Registry = &registry.Registry{Store: db, Now: f.now}
	f.schedule = &renewal.Scheduler{Registry: f.Registry, Holder: "test"}
	root, err := rootkey.Create(f.root)
	f.must(err)
	token, err := f.Found(t.Context(), registry.Person{ID: "admin", Name: "Administrator"})
	f.must(err)
	admin := f.login(token)
	f.must(admin.SetRoot(t.Context(), root, nil))
	f.cora = f.person(admin, "cora", registry.Approver)
	f.anna = f.person(admin, "anna", registry.Operator)
	return f
}

func (f *firm) now() time.Time { return f.began.Add(time.Duration(f.passed.Load())) }

func (f *firm) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *firm) login(token string) *registry.Session {
	f.t.Helper()
	s, err := f.Login(f.t.Context(), token)
	f.must(err)
	return s
}

func (f *firm) person(admin *registry.Session, id string, role registry.Role) *registry.Session {
	f.t.Helper()
	var token string
	f.must(f.agreed(admin, func(s *registry.Session) (err error) {
		token, err = s.AddPerson(f.t.Context(), registry.Person{
			ID: id, Name: id, Email: id + "@example.com", Roles: []registry.Role{role},
		})
		return err
	}))
	return f.login(token)
}

// agreed does an act that may need a second person, who agrees.
func (f *firm) agreed(s *registry.Session, act func(*registry.Session) error) error {
	err := act(s)
	needed, is := errors.AsType[*registry.SecondPersonError](err)
	if !is {
		return err
	}
	r, err := s.MakeRequest(f.t.Context(), needed.Request)
	if err != nil {
		return err
	}
	as, _, err := f.cora.ApproveRequest(f.t.Context(), r.ID)
	if err != nil {
		return err
	}
	return act(as)
}

// partner adds a partner with one environment.
func (f *firm) partner(p registry.Partner, env registry.Environment) {
	f.t.Helper()
	p.Name = "Partner " + p.ID
	f.must(f.anna.AddPartner(f.t.Context(), p))
	env.Partner, env.MailFrom, env.Sealing = p.ID, "keys@us.example", sealane.SealingRequired
	env.Contacts = []registry.Contact{{Role: registry.Primary, Name: "Keys", Email: "keys@" + p.ID + ".example"}}
	f.must(f.agreed(f.anna, func(s *registry.Session) error { return s.AddEnvironment(f.t.Context(), env) }))
}

// certificate returns a certificate for a partner's key, for two years.
func (f *firm) certificate(key *rsa.PrivateKey) *x509.Certificate {
	f.t.Helper()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	f.must(err)
	c := &x509.Certificate{
		SerialNumber: serial, EmailAddresses: []string{"keys@partner.example"},
		Subject: pkix.Name{CommonName: "partner.example", Organization: []string{"Partner"},
			OrganizationalUnit: []string{"Keys"}},
		NotBefore: f.now().Add(-time.Hour).Truncate(time.Second), BasicConstraintsValid: true,
		NotAfter: f.now().AddDate(2, 0, -1).Truncate(time.Second),
		KeyUsage: x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	f.must(err)
	c, err = x509.ParseCertificate(der)
	f.must(err)
	return c
}

// receive takes a certificate of a partner's in until it is approved, and returns its identity. It gets
// the key ID, if there is one.
func (f *firm) receive(lane lanes.Name, c *x509.Certificate, keyID string) string {
	f.t.Helper()
	ctx, e := f.t.Context(), exchange.New(f.anna)
	got, _, err := e.Receive(ctx, exchange.Incoming{Partner: lane.Partner, Environment: lane.Environment, Data: c.Raw})
	f.must(err)
	sum := sha256.Sum256(c.Raw)
	_, err = e.MatchChecksum(ctx, exchange.Comparison{Certificate: got.ID, Checksum: hex.EncodeToString(sum[:])})
	f.must(err)
	f.must(exchange.New(f.cora).Approve(ctx, got.ID, exchange.Approval{Change: "CHG-1", CallBack: exchange.CallBack{
		Person: "Eva Lind", Number: "+46 8 123 45 67", Digits: []string{hex.EncodeToString(sum[:4])},
	}}))
	if keyID != "" {
		f.must(e.SetKeyID(ctx, exchange.KeyIDChange{ID: got.ID, KeyID: keyID}))
	}
	return got.ID
}

// pair makes a key pair of ours for a partner, and returns it with its certificate.
func (f *firm) pair(
	lane lanes.Name, profile string, bits int, keyID string, follows bool,
) (string, *x509.Certificate) {
	f.t.Helper()
	k, c, err := f.anna.CreateKeyPair(f.t.Context(), registry.NewPair{
		Profile: profile, Partner: lane.Partner, Environment: lane.Environment, Bits: bits, KeyID: keyID,
		Renewal: follows, Subject: cert.Template{CommonName: "us.example", Organization: "Us", Unit: "Keys",
			Email: "keys@us.example", Validity: 2},
	})
	f.must(err)
	chain, err := c.Parse()
	f.must(err)
	return k.ID, chain[0]
}

func (f *firm) offer(lane lanes.Name, pair string) {
	f.t.Helper()
	f.must(exchange.New(f.anna).Offer(f.t.Context(), exchange.Target{KeyPair: pair, Partner: lane.Partner},
		func(exchange.OfferPackage) error { return nil }))
}

// installed records a partner's word that it has installed a certificate of ours.
func (f *firm) installed(lane lanes.Name, pair string) {
	f.t.Helper()
	f.must(exchange.New(f.anna).MarkInstalled(f.t.Context(), exchange.Target{
		KeyPair: pair, Partner: lane.Partner, Said: "their custodian by telephone",
	}))
}

// order orders that a key is used. The second person agrees if one must.
func (f *firm) order(lane lanes.Name, key string, at time.Time) {
	f.t.Helper()
	f.must(f.agreed(f.anna, func(s *registry.Session) error {
		_, err := renewal.New(s).Order(f.t.Context(), renewal.Activation{
			Name: renewal.Name{ID: key, Partner: lane.Partner}, At: at, Change: "CHG-4711",
		})
		return err
	}))
}

// keyIDTold records that a partner knows the key ID of its new certificate.
func (f *firm) keyIDTold(n registry.Renewal) {
	f.t.Helper()
	_, err := renewal.New(f.anna).KeyIDTold(f.t.Context(), renewal.Word{
		Name: renewal.Name{ID: n.ID}, Said: "Eva Lind, by mail of today",
	})
	f.must(err)
}

// state returns the state of a certificate or of a key pair.
func (f *firm) state(id string) (state registry.State) {
	f.t.Helper()
	f.must(f.Store.View(f.t.Context(), func(tx registry.Reader) error {
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

// renewal returns the open renewal of a key.
func (f *firm) renewal(lane lanes.Name, key string) (n registry.Renewal) {
	f.t.Helper()
	f.must(f.Store.View(f.t.Context(), func(tx registry.Reader) (err error) {
		n, err = registry.FindRenewal(tx, key, lane.Partner)
		return err
	}))
	return n
}

// advancing is a registry that advances renewals by the clock of the firm.
type advancing struct {
	gateway.Registry
	firm *firm
}

// AdvanceRenewals implements [gateway.Advancer].
func (a advancing) AdvanceRenewals(ctx context.Context, holder string) (out lanes.Advanced, err error) {
	s := renewal.Scheduler{Registry: a.firm.Registry, Holder: holder}
	report, err := s.Pass(ctx)
	return report.Advanced(), err
}

// ReleaseRenewals implements [gateway.Advancer].
func (a advancing) ReleaseRenewals(ctx context.Context, holder string) error {
	return (&renewal.Scheduler{Registry: a.firm.Registry, Holder: holder}).Release(ctx)
}
