package todo_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
	"github.com/sealane/sealane/internal/store"
	"github.com/sealane/sealane/internal/store/pgtest"
	"github.com/sealane/sealane/internal/todo"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// company is a registry whose rows the test stores as it likes.
type company struct {
	*registry.Registry
	t   testing.TB
	now time.Time
}

// onBoth runs a test on each database.
func onBoth(t *testing.T, test func(t *testing.T, h *company)) {
	for name, address := range map[string]func() string{
		"sqlite":   func() string { return "sqlite:" + filepath.Join(t.TempDir(), "registry.db") },
		"postgres": func() string { return pgtest.URL(t) },
	} {
		t.Run(name, func(t *testing.T) {
			s, err := store.Open(t.Context(), address(), store.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			h := &company{t: t, now: noon}
			h.Registry = &registry.Registry{Store: s, Now: func() time.Time { return h.now }}
			_, err = (&renewal.Scheduler{Registry: h.Registry, Holder: "test"}).Pass(t.Context())
			h.must(err)
			test(t, h)
		})
	}
}

func (h *company) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// put stores rows without a record.
func (h *company) put(rows ...any) {
	h.t.Helper()
	h.must(h.Store.Update(h.t.Context(), func(tx registry.Tx) error {
		for _, row := range rows {
			var err error
			switch r := row.(type) {
			case *registry.Partner:
				err = tx.PutPartner(r)
			case *registry.Environment:
				err = tx.PutEnvironment(r)
			case *registry.Certificate:
				err = tx.PutCertificate(r)
			case *registry.KeyPair:
				err = tx.PutKeyPair(r)
			case *registry.Offer:
				err = tx.PutOffer(r)
			case *registry.Renewal:
				err = tx.PutRenewal(r)
			case *registry.Request:
				err = tx.PutRequest(r)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

func (h *company) look(q todo.Query) todo.List {
	h.t.Helper()
	list, err := todo.Look(h.t.Context(), &h.Program().Viewer, q)
	h.must(err)
	return list
}

// lane returns a partner who calls us, with an environment in which nothing is lacking but keys.
func lane(partner string) (*registry.Partner, *registry.Environment) {
	return &registry.Partner{
			ID: partner, Name: partner, Profile: "riskos", Side: sealane.ServerSide, Created: noon,
		}, &registry.Environment{
			Partner: partner, Name: "PROD", Sealing: sealane.SealingRequired, Created: noon,
			Contacts: []registry.Contact{{Role: registry.Primary, Name: "Ada", Email: "ada@example.com"}},
		}
}

// theirs returns a certificate of a partner that ends after some days.
func theirs(id, partner string, state registry.State, days int) *registry.Certificate {
	return &registry.Certificate{
		ID: id, Owner: registry.Theirs, Partner: partner, Profile: "riskos", Environment: "PROD", KeyID: "kid-" + id,
		State: state, NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(0, 0, days), Bits: 2048,
		Created: noon.AddDate(-1, 0, 0), Changed: noon.AddDate(0, 0, -3), DER: []byte(id), SPKI: []byte(id),
		SHA256: []byte(id), SPKISHA256: []byte(id),
	}
}

// ours returns a key pair of ours with its certificate.
func ours(id, partner string, state registry.State, days int) (*registry.KeyPair, *registry.Certificate) {
	c := theirs("c"+id, partner, state, days)
	c.Owner, c.KeyPair, c.KeyID = registry.Ours, id, "kid-"+id
	return &registry.KeyPair{
		ID: id, Profile: "riskos", Partner: partner, Environment: "PROD", KeyID: c.KeyID, State: state, Bits: 2048,
		Certificate: c.ID, Origin: registry.Made, SPKI: []byte(id), SPKISHA256: []byte(id), Sealed: []byte(id),
		Created: noon.AddDate(-1, 0, 0), Changed: noon.AddDate(0, 0, -3),
	}, c
}

// working stores a lane whose keys end after some days.
func (h *company) working(partner string, days int) {
	h.t.Helper()
	p, e := lane(partner)
	k, c := ours("k-"+partner, partner, registry.Active, days)
	o := registry.Offer{KeyPair: k.ID, Partner: partner, At: noon, Installed: noon, Confirmed: noon}
	h.put(p, e, k, c, &o, theirs("c-"+partner, partner, registry.Active, days))
}
