package exchange_test

import (
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/internal/store"
	"github.com/sealane/sealane/internal/store/pgtest"
	"github.com/sealane/sealane/internal/testkey"
)

// company is one company with its registry, and the people in it.
type company struct {
	*registry.Registry
	t        testing.TB
	now      time.Time
	admin    *registry.Session
	anna, bo member // operators
	cora     member // approver
	root     *rootkey.Key

	meddled int // how many rows the test changes in the database itself
}

// member is somebody of the company, who works in a session of their own.
type member struct {
	*registry.Session
	exchange.Exchange
	company *company
}

// WithReason is for the steps of both.
func (m member) WithReason(reason string) member {
	s := m.Session.WithReason(reason)
	return member{s, exchange.New(s), m.company}
}

// MarkInstalled records the word of a partner. Where an order is needed, this person orders, and the
// approver agrees.
func (m member) MarkInstalled(ctx context.Context, at exchange.Target) error {
	at.Said = cmp.Or(at.Said, "their custodian by telephone")
	err := m.Exchange.MarkInstalled(ctx, at)
	again := err != nil && strings.Contains(err.Error(), "recorded already")
	if err != nil && !again {
		return err
	}
	err = m.order(ctx, renewal.Name{ID: at.KeyPair, Partner: at.Partner})
	if refusal, is := errors.AsType[*registry.RefusedError](err); is && (again || refusal.Advice.IsZero()) {
		return nil // it is active already
	}
	return err
}

// Activate activates a certificate. Where an order is needed, this person orders, and the approver
// agrees.
func (m member) Activate(ctx context.Context, id string) error {
	err := m.Exchange.Activate(ctx, id)
	if registry.AdviceIn(err).Action == registry.ActionRenewalOrder {
		return m.order(ctx, renewal.Name{ID: id})
	}
	return err
}

// order orders an activation, with another person's approval.
func (m member) order(ctx context.Context, of renewal.Name) error {
	in := renewal.Activation{Name: of, Change: "CHG-4711"}
	_, err := renewal.New(m.Session).Order(ctx, in)
	needed, is := errors.AsType[*registry.SecondPersonError](err)
	if !is {
		return err
	}
	r, err := m.Session.MakeRequest(ctx, needed.Request)
	if err != nil {
		return err
	}
	as, _, err := m.company.cora.Session.ApproveRequest(ctx, r.ID)
	if err != nil {
		return err
	}
	_, err = renewal.New(as).Order(ctx, in)
	return err
}

// rollBack brings the key before the active one back, by the partner's word.
func (m member) rollBack(ctx context.Context, id, partner string) error {
	_, err := renewal.New(m.Session.WithReason("the new one does not work")).RollBack(ctx, renewal.Rollback{
		Name: renewal.Name{ID: id, Partner: partner}, Word: "their custodian by telephone",
	})
	return err
}

// onBoth runs a test on each database.
func onBoth(t *testing.T, test func(t *testing.T, address func() string)) {
	t.Run("sqlite", func(t *testing.T) {
		test(t, func() string { return "sqlite:" + filepath.Join(t.TempDir(), "registry.db") })
	})
	t.Run("postgres", func(t *testing.T) { test(t, func() string { return pgtest.URL(t) }) })
}

func newCompany(t testing.TB, address string) *company {
	t.Helper()
	s, err := store.Open(t.Context(), address, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	h := &company{t: t, now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	h.Registry = &registry.Registry{Store: s, Now: func() time.Time { return h.now }}
	t.Cleanup(h.rowsHold)
	if h.root, err = rootkey.Generate(); err != nil {
		t.Fatal(err)
	}
	token, err := h.Found(t.Context(), registry.Person{ID: "admin", Name: "Administrator"})
	h.must(err)
	h.admin = h.login(token)
	h.must(h.admin.SetRoot(t.Context(), h.root, nil))
	h.anna = h.member("anna", registry.Operator)
	h.bo = h.member("bo", registry.Operator)
	h.cora = h.member("cora", registry.Approver)
	return h
}

// rowsHold fails the test where other rows than the test meddled with are not as they were
// recorded: every change of every test has to record all that it stores.
func (h *company) rowsHold() {
	report, err := h.VerifyRows(context.Background())
	if err != nil || len(report.Findings) != h.meddled || report.Rows == 0 {
		h.t.Errorf("after the test: %v\n%s", err, report)
	}
}

func (h *company) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// only returns the error of a call and drops its other result.
func only[T any](_ T, err error) error { return err }

func (h *company) login(token string) *registry.Session {
	h.t.Helper()
	s, err := h.Login(h.t.Context(), token)
	h.must(err)
	return s
}

// viewer is the registry as anna reads it.
func (h *company) viewer() *registry.Viewer { return &h.anna.Viewer }

func (h *company) person(id string, roles ...registry.Role) *registry.Session {
	h.t.Helper()
	var token string
	h.must(h.agreed(h.admin, func() (err error) {
		token, err = h.admin.AddPerson(h.t.Context(), registry.Person{ID: id, Roles: roles})
		return err
	}))
	return h.login(token)
}

// called is a call-back in which the partner read the checksum of certificates.
func called(of ...registry.Certificate) exchange.CallBack {
	c := exchange.CallBack{Person: "Eva Lind", Number: "+46 8 123 45 67, from the contract"}
	for _, one := range of {
		c.Digits = append(c.Digits, hexSum(one.SHA256)[:8])
	}
	return c
}

// said returns the text of an error, with what its advice asks for.
func said(err error) string {
	text := err.Error()
	for _, need := range registry.AdviceIn(err).Needs {
		text += strings.TrimSpace("; needs " + string(need.Kind) + " " + need.Value)
	}
	return text
}

// agreed does an act. If it needs a second person, cora grants it.
func (h *company) agreed(s *registry.Session, act func() error) error {
	h.t.Helper()
	err := act()
	if needed, waits := errors.AsType[*registry.SecondPersonError](err); waits {
		r, err := s.MakeRequest(h.t.Context(), needed.Request)
		h.must(err)
		h.must(only(h.cora.GrantRequest(h.t.Context(), r.ID)))
		return act()
	}
	return err
}

// ImportKeyPair imports a pair, for production too.
func (m member) ImportKeyPair(
	ctx context.Context, n registry.NewPair, key *rsa.PrivateKey, chain []*x509.Certificate,
) (k registry.KeyPair, c registry.Certificate, err error) {
	err = m.company.agreed(m.Session, func() error {
		k, c, err = m.Session.ImportKeyPair(ctx, n, key, chain)
		return err
	})
	return k, c, err
}

// Offer returns what was delivered.
func (m member) Offer(ctx context.Context, to exchange.Target) (delivered exchange.OfferPackage, err error) {
	err = m.Exchange.Offer(ctx, to, func(p exchange.OfferPackage) error {
		delivered = p
		return nil
	})
	return delivered, err
}

// Export returns the partner file that was delivered.
func (m member) Export(ctx context.Context, o exchange.PartnerFileOptions) (delivered []byte, err error) {
	err = m.Exchange.Export(ctx, o, func(file []byte) error {
		delivered = file
		return nil
	})
	return delivered, err
}

func (h *company) member(id string, roles ...registry.Role) member {
	h.t.Helper()
	s := h.person(id, roles...)
	return member{s, exchange.New(s), h}
}

// partner adds one with an environment.
func (h *company) partner(id, profileName string, side sealane.Side, environments ...string) {
	h.t.Helper()
	h.must(h.anna.AddPartner(h.t.Context(), registry.Partner{ID: id, Name: "The " + id, Profile: profileName,
		Side: side}))
	for _, name := range environments {
		env := registry.Environment{Partner: id, Name: name, Sealing: sealane.SealingRequired}
		if profileName == "rdx" && side == sealane.ServerSide {
			env.SenderAuth = sealane.SenderMutualTLS
		}
		h.must(h.anna.AddEnvironment(h.t.Context(), env))
	}
}

// pair makes a key pair of ours.
func (h *company) pair(profileName, partner, environment string) (registry.KeyPair, registry.Certificate) {
	h.t.Helper()
	k, c, err := h.anna.CreateKeyPair(h.t.Context(), registry.NewPair{Profile: profileName, Partner: partner,
		Environment: environment, Bits: 2048, Subject: subject})
	h.must(err)
	return k, c
}

var subject = cert.Template{CommonName: "keys.example", Organization: "Example", Unit: "Payments",
	Email: "keys@example.com", Validity: 2}

// letIn receives a certificate of a partner and takes it through all steps until it is in use.
func (h *company) letIn(partner, environment string, file []byte, keyID string) registry.Certificate {
	h.t.Helper()
	ctx := h.t.Context()
	c, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: partner, Environment: environment, Data: file,
		KeyID: keyID})
	h.must(err)
	_, err = h.anna.MatchChecksum(ctx, checksumOf(c))
	h.must(err)
	h.must(h.cora.Approve(ctx, c.ID, exchange.Approval{Change: "CHG-1", CallBack: called(c)}))
	if keyID == "" && c.Profile == "rdx" {
		h.must(h.anna.SetKeyID(ctx, exchange.KeyIDChange{ID: c.ID,
			KeyID: "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-" + environment}))
	}
	h.must(h.anna.Activate(ctx, c.ID))
	return h.certificate(c.ID)
}

func (h *company) certificate(id string) (c registry.Certificate) {
	h.t.Helper()
	h.must(h.Store.View(h.t.Context(), func(tx registry.Reader) (err error) {
		c, err = tx.Certificate(id)
		return err
	}))
	return c
}

func (h *company) lane(partner, environment string) *sealane.Lane {
	h.t.Helper()
	s, err := h.Snapshot(h.t.Context())
	h.must(err)
	l, err := s.Lane(named(partner, environment))
	h.must(err)
	return l
}

// made is a certificate as a partner would make it, changed by change.
func made(t testing.TB, key *rsa.PrivateKey, change ...func(*x509.Certificate)) []byte {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(4711), Subject: pkix.Name{CommonName: "partner.example",
			Organization: []string{"Partner"}, OrganizationalUnit: []string{"Keys"}},
		EmailAddresses: []string{"keys@partner.example"}, NotBefore: time.Date(2026, 11, 1, 0, 0, 0, 0,
			time.UTC), NotAfter: time.Date(2028, 11, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage: x509.KeyUsageKeyEncipherment, BasicConstraintsValid: true,
	}
	for _, f := range change {
		f(c)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func fresh(t testing.TB, name string) *rsa.PrivateKey { return testkey.RSA(t, "exchange "+name, 2048) }

// decrypt opens a token as any JOSE tool would.
func decrypt(t testing.TB, token []byte, key *rsa.PrivateKey) []byte {
	t.Helper()
	e, err := jose.ParseEncrypted(nil, token, 1<<20, []*alg.KeyEncryption{alg.RSAOAEP256}, []*alg.Content{alg.A256GCM})
	if err != nil {
		t.Fatal(err)
	}
	content, _, err := e.Decrypt([]crypto.Decrypter{key})
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// named returns the name of a lane.
func named(partner, environment string) lanes.Name {
	return lanes.Name{Partner: partner, Environment: environment}
}

// pairWith returns a key pair of ours as it is offered to a partner.
func pairWith(pair, partner string) exchange.Target {
	return exchange.Target{KeyPair: pair, Partner: partner}
}

// checksumOf compares a certificate with its own checksum.
func checksumOf(c registry.Certificate) exchange.Comparison {
	return exchange.Comparison{Certificate: c.ID, Checksum: hexSum(c.SHA256)}
}
