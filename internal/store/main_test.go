package store_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"database/sql"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
	"github.com/sealane/sealane/internal/store/pgtest"
)

func TestMain(m *testing.M) {
	if work := os.Getenv(childVariable); work != "" {
		os.Exit(child(work))
	}
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

// databases are the databases that every test of this package runs on.
var databases = []struct {
	name    string
	address func(testing.TB) string // of a new database
}{
	{"sqlite", func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "registry.db") }},
	{"postgres", func(t testing.TB) string { return pgtest.URL(t) }},
}

// onBoth runs a test on a new database of each kind.
func onBoth(t *testing.T, test func(t *testing.T, address string)) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			test(t, d.address(t))
		})
	}
}

// storeOnBoth is onBoth with the store opened.
func storeOnBoth(t *testing.T, test func(t *testing.T, s *store.Store)) {
	onBoth(t, func(t *testing.T, address string) { test(t, open(t, address)) })
}

func open(t testing.TB, address string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), address, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// raw opens the database as another program would.
func raw(t testing.TB, address string) *sql.DB {
	t.Helper()
	driver, name := "pgx", address
	if path, is := strings.CutPrefix(address, "sqlite:"); is {
		driver, name = "sqlite", path+"?_pragma=busy_timeout(10000)"
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func update(t testing.TB, s *store.Store, change func(registry.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), change); err != nil {
		t.Fatal(err)
	}
}

func view(t testing.TB, s *store.Store, look func(registry.Reader) error) {
	t.Helper()
	if err := s.View(t.Context(), look); err != nil {
		t.Fatal(err)
	}
}

// all returns the first error.
func all(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 123456789, time.UTC)

func sum(s string) []byte {
	h := sha256.Sum256([]byte(s))
	return h[:]
}

// The functions below fill every member, so that a member which a store forgets is noticed.

func partner(id string) registry.Partner {
	return registry.Partner{ID: id, Name: "Zoë & Söhne <GmbH> 株式会社", Profile: "riskos",
		Side: sealane.ServerSide, Created: noon}
}

func environment(of, name string) registry.Environment {
	return registry.Environment{
		Partner: of, Name: name, Sealing: sealane.SealingRequired, Account: of + "-" + name + "-account",
		SenderAuth: sealane.SenderMutualTLS, AcceptRSAOAEP: "an old HSM", MaxPayload: 1 << 20,
		MailFrom: "keys@example.com",
		Limits:   lanes.Limits{Rate: 100, Burst: 300, InFlight: 64, Failures: 0.5},
		Contacts: []registry.Contact{
			{Role: registry.Primary, Name: "Ada", Email: "ada@example.com"},
			{Role: registry.Support, Name: "山田", Email: "support@example.com"},
		},
		Created: noon,
	}
}

func apiKey(id, of, environment string) registry.APIKey {
	return registry.APIKey{ID: id, Partner: of, Environment: environment, Label: "batch", Prefix: "sl_abc",
		SHA256: sum("old key " + id), HMAC: sum("key " + id), Binding: sum("binding " + id),
		Sealing: sealane.SealingOptional, Created: noon}
}

func keyPair(id, of, environment string) registry.KeyPair {
	return registry.KeyPair{
		ID: id, Profile: "riskos", Partner: of, Environment: environment, KeyID: "kid-" + id,
		State: registry.Active, Bits: 2048,
		SPKI: []byte("spki \x00\xff of pair " + id), SPKISHA256: sum("pair " + id),
		Certificate: "certificate-" + id, Custodian: "ada",
		Origin: "created", Created: noon, Changed: noon.Add(time.Hour), RootKey: "root-1",
		Sealed: []byte("\x00sealed " + id), SealedAs: 7,
	}
}

func certificate(id string, owner registry.Owner, of, environment string) registry.Certificate {
	return registry.Certificate{
		ID: id, Owner: owner, Partner: of, Profile: "riskos", Environment: environment,
		KeyPair: "pair-of-" + id, KeyID: "kid-" + id,
		State: registry.Active, CommonName: "Zoë", Issuer: "CN=CA, O=Æon", Serial: "0a0b",
		NotBefore: noon.Truncate(time.Second),
		NotAfter:  time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), Bits: 4096,
		SHA256: sum("certificate " + id), SPKI: []byte("spki of " + id), SPKISHA256: sum("spki " + id),
		DER:   []byte("\x30\x82\x00 " + id),
		Chain: [][]byte{{1, 2, 3}, {0}},
		Provenance: registry.Provenance{
			File: []byte("-----BEGIN\r\n"), Format: "pem", From: "mail@example.com",
			Findings:   []cert.Finding{{Code: "a", Level: cert.Warning, Found: "b"}},
			Waivers:    []registry.Waiver{{Rule: "validity", Reason: "asked", Asked: "ada", Granted: "bob", At: noon}},
			ReceivedBy: "ada", MatchedBy: "bob", Checksum: "ab:cd", MatchedAs: "DER", ApprovedBy: "eve",
			Change: "CHG1", CallBack: "called",
			Possession: "yes", Challenge: []byte{9, 0, 9}, Rejected: "no",
			Mismatches: []registry.Mismatch{{At: noon, By: "ada", What: "checksum 00"}},
		},
		Created: noon, Changed: noon,
	}
}

func person(id string) registry.Person {
	return registry.Person{ID: id, Name: "Ada 👩‍🔧", Email: "a@example.com",
		Roles:  []registry.Role{registry.Operator, registry.Auditor},
		Prefix: "sp_", SHA256: sum("person " + id), Created: noon, Revoked: noon.Add(time.Hour)}
}

func record(seq int64) audit.Record {
	return audit.Record{
		Seq: seq, Time: noon.Add(time.Duration(seq)).In(time.FixedZone("", 3600)), Actor: "ada",
		Action:  "certificate.approve",
		Subject: "certificate/é", Partner: "acme", Environment: "PROD", Reason: "\"because\" <&>",
		Before: []byte(`{ "a" : 1.10, "b":"<&>" }`), After: []byte(`null`), Previous: sum(fmt.Sprint(seq - 1)),
		Hash: sum(fmt.Sprint(seq)),
	}
}

// agreement puts a partner, with one environment.
func agreement(t registry.Tx, id, name string) error {
	p, e := partner(id), environment(id, name)
	return all(t.PutPartner(&p), t.PutEnvironment(&e))
}

func ids[T any](rows []T, id func(T) string) string {
	var all []string
	for _, r := range rows {
		all = append(all, id(r))
	}
	return strings.Join(all, " ")
}

var background = context.Background()
