package registry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/internal/store"
	"github.com/sealane/sealane/keyfile"
)

// openSession opens a registry in a new file, with a root key, and returns the session of
// its first person, who may operate and approve.
func openSession(t *testing.T) *registry.Session {
	t.Helper()
	s, _ := founded(t, "sqlite:"+filepath.Join(t.TempDir(), "registry.db"))
	return s
}

// founded is openSession at any address, with the person's token.
func founded(t testing.TB, address string) (*registry.Session, string) {
	t.Helper()
	s, token := sessionAt(t, address, "")
	key, err := rootkey.Generate()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetRoot(t.Context(), key, nil); err != nil {
		t.Fatal(err)
	}
	return s, token
}

// exported returns the file of an exported private key.
func exported(ctx context.Context, s *registry.Session, x registry.KeyPairExport) (file []byte, err error) {
	x.Deliver = func(data []byte) error {
		file = data
		return nil
	}
	err = s.ExportKeyPair(ctx, x)
	return file, err
}

// sessionAt has no root key. Without a token it founds the registry.
func sessionAt(t testing.TB, address, token string) (*registry.Session, string) {
	t.Helper()
	db, err := store.Open(t.Context(), address, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	r := &registry.Registry{Store: db}
	t.Cleanup(func() { rowsHold(t, r) })
	if token == "" {
		if token, err = r.Found(t.Context(), registry.Person{ID: "anna", Roles: []registry.Role{registry.Operator,
			registry.Approver}}); err != nil {
			t.Fatal(err)
		}
	}
	s, err := r.Login(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return s, token
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func refused(t *testing.T, says string, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("%v, want %q", err, says)
	}
}

func acme(t testing.TB, s *registry.Session) {
	t.Helper()
	must(t, s.AddPartner(t.Context(), registry.Partner{ID: "acme", Name: "Acme", Profile: "riskos",
		Side: sealane.ServerSide}))
	env := registry.Environment{Partner: "acme", Name: "PROD", Sealing: sealane.SealingRequired, Approvals: 1}
	must(t, agreed(t, s, func() error { return s.AddEnvironment(t.Context(), env) }))
}

var subject = cert.Template{CommonName: "keys.example", Validity: 2}

func TestWhatIsAgreedMustBeSaid(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	refused(t, "small letters", s.AddPartner(ctx, registry.Partner{ID: "Acme Inc", Name: "A", Profile: "riskos",
		Side: sealane.ServerSide}))
	refused(t, "there already", s.AddPartner(ctx, registry.Partner{ID: "acme", Name: "A", Profile: "riskos",
		Side: sealane.ServerSide}))
	refused(t, "which side", s.AddPartner(ctx, registry.Partner{ID: "b", Name: "B", Profile: "riskos"}))
	refused(t, "no-such", s.AddPartner(ctx, registry.Partner{ID: "b", Name: "B", Profile: "no-such",
		Side: sealane.ServerSide}))
	refused(t, "required or optional", s.AddEnvironment(ctx, registry.Environment{Partner: "acme", Name: "DEV"}))
	refused(t, "DEV or SANDBOX or PROD", s.AddEnvironment(ctx, registry.Environment{Partner: "acme", Name: "STAG",
		Sealing: sealane.SealingRequired}))
	refused(t, "required or optional",
		second(s.IssueAPIKey(ctx, registry.NewAPIKey{Partner: "acme", Environment: "PROD"})))
	refused(t, "mail address", s.SetContact(ctx, lanes.Name{Partner: "acme", Environment: "PROD"},
		registry.Contact{Role: registry.Primary, Email: "nobody"}))
	refused(t, "role", s.SetContact(ctx, lanes.Name{Partner: "acme", Environment: "PROD"},
		registry.Contact{Role: "boss", Email: "a@b.example"}))

	// An unsigned dialect says how its caller is known.
	must(t, s.AddPartner(ctx, registry.Partner{ID: "vcas", Name: "VCAS", Profile: "rdx", Side: sealane.ServerSide}))
	refused(t, "how the sender is known", s.AddEnvironment(ctx, registry.Environment{Partner: "vcas", Name: "STAG",
		Sealing: sealane.SealingRequired}))
	// An account is one caller's.
	account := registry.Environment{Partner: "vcas", Name: "STAG", Sealing: sealane.SealingRequired,
		SenderAuth: sealane.SenderMutualTLS, Account: "CN=vcas"}
	must(t, s.AddEnvironment(ctx, account))
	account.Name = "PROD"
	refused(t, "that of partner vcas in STAG already", s.AddEnvironment(ctx, account))
}

func second(_ registry.APIKey, _ string, err error) error { return err }

func TestPeople(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	_, err := s.Registry().Found(ctx, registry.Person{ID: "eve"})
	if !errors.Is(err, registry.ErrFounded) {
		t.Errorf("a second founder: %v", err)
	}
	token, err := s.AddPerson(ctx, registry.Person{ID: "olga", Roles: []registry.Role{registry.Auditor}})
	must(t, err)
	olga, err := s.Registry().Login(ctx, token)
	must(t, err)
	refused(t, "needs the role operator", olga.AddPartner(ctx, registry.Partner{ID: "x", Name: "X", Profile: "riskos",
		Side: sealane.ServerSide}))
	refused(t, "needs the role administrator",
		third(olga.AddPerson(ctx, registry.Person{ID: "x", Roles: []registry.Role{registry.Administrator}})))
	refused(t, "last administrator", s.WithReason("has left").RevokePerson(ctx, "anna"))
	must(t, s.WithReason("has left").RevokePerson(ctx, "olga"))
	if _, err := s.Registry().Login(ctx, token); !errors.Is(err, registry.ErrUnknownToken) {
		t.Errorf("a revoked token: %v", err)
	}
	for _, wrong := range []string{"", "x", token + "a", token[:len(token)-1]} {
		if _, err := s.Registry().Login(ctx, wrong); !errors.Is(err, registry.ErrUnknownToken) {
			t.Errorf("token %q: %v", wrong, err)
		}
	}
	token, err = s.AddPerson(ctx, registry.Person{ID: "ole", Roles: []registry.Role{registry.Operator}})
	must(t, err)
	ole, err := s.Registry().Login(ctx, token)
	must(t, err)
	must(t, s.WithReason("has left").RevokePerson(ctx, "ole"))
	// his session is no use any more
	refused(t, "not known or was revoked", ole.AddPartner(ctx, registry.Partner{ID: "y", Name: "Y", Profile: "riskos",
		Side: sealane.ServerSide}))
	refused(t, "nobody may", s.Change(ctx, registry.Entry{Action: "no.such"}, nil))
}

func third(_ string, err error) error { return err }

func TestKeyPairs(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	n := registry.NewPair{Profile: "riskos", Partner: "acme", Environment: "PROD", Subject: subject}
	k, c, err := s.CreateKeyPair(ctx, n)
	must(t, err)
	if k.State != registry.Staged || k.Bits != 2048 || !bytes.Equal(k.SPKI, c.SPKI) || k.Certificate != c.ID {
		t.Errorf("%+v", k)
	}
	_, _, err = s.CreateKeyPair(ctx, n)
	refused(t, "finish its exchange", err)
	must(t, s.MovePair(ctx, k.ID, registry.Active, false))
	_, _, err = s.CreateKeyPair(ctx, n)
	refused(t, "renewal", err)
	n.Renewal = true
	next, _, err := s.CreateKeyPair(ctx, n)
	must(t, err)
	must(t, s.MovePair(ctx, next.ID, registry.Active, false))
	states := func() (list []registry.State) {
		must(t, s.View(ctx, func(tx registry.Reader) error {
			for _, id := range []string{k.ID, next.ID} {
				pair, err := tx.KeyPair(id)
				must(t, err)
				c, err := tx.Certificate(pair.Certificate)
				must(t, err)
				list = append(list, pair.State)
				if c.State != pair.State {
					t.Errorf("the certificate of %s is %s, the pair %s", id, c.State, pair.State)
				}
			}
			return nil
		}))
		return list
	}
	if got := states(); got[0] != registry.Retiring || got[1] != registry.Active {
		t.Errorf("states %v", got)
	}
	refused(t, "can't become destroyed", s.WithReason("it is done").MovePair(ctx, k.ID, registry.Destroyed, false))

	file, err := exported(ctx, s.WithReason("it moves"), registry.KeyPairExport{KeyPair: k.ID, Format: "pkcs8",
		Passphrase: []byte("a long passphrase")})
	must(t, err)
	key, _, err := keyfile.ParsePrivate(file, []byte("a long passphrase"))
	must(t, err)
	p12, err := exported(ctx, s.WithReason("it moves"), registry.KeyPairExport{KeyPair: k.ID, Format: "pkcs12",
		Passphrase: []byte("a long passphrase")})
	must(t, err)
	_, info, err := keyfile.ParsePrivate(p12, []byte("a long passphrase"))
	if err != nil || len(info.Certificates) != 1 {
		t.Errorf("PKCS #12: %v %+v", err, info)
	}
	_, err = exported(ctx, s.WithReason("it moves"), registry.KeyPairExport{KeyPair: k.ID, Format: "pkcs8",
		Passphrase: []byte("13 bytes only\n")}) // the end of the line does not count
	refused(t, "14 bytes", err)
	_, err = exported(ctx, s, registry.KeyPairExport{KeyPair: k.ID, Format: "pkcs8",
		Passphrase: []byte("a long passphrase")})
	refused(t, "say why", err)

	// Retired, it opens nothing; destroyed, its private key is gone for good.
	must(t, s.WithReason("it is done").MovePair(ctx, k.ID, registry.Retired, false))
	refused(t, "can be destroyed from",
		s.WithReason("it is done").MovePair(ctx, k.ID, registry.Destroyed, false))
	s.Registry().Now = func() time.Time { return time.Now().AddDate(0, 0, registry.DestroyAfter) }
	must(t, s.WithReason("it is done").MovePair(ctx, k.ID, registry.Destroyed, false))
	_, err = exported(ctx, s.WithReason("is it back?"), registry.KeyPairExport{KeyPair: k.ID, Format: "pkcs8",
		Passphrase: []byte("a long passphrase")})
	refused(t, "destroyed", err)
	// The same key can't come in again, anywhere.
	_, _, err = s.ImportKeyPair(ctx, registry.NewPair{Profile: "riskos", Environment: "DEV"}, key, info.Certificates)
	refused(t, "[key-known]", err)
}

// What the log holds of a change has no secret in it.
func TestRecordHoldsNoSecret(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	_, api, err := s.IssueAPIKey(ctx, registry.NewAPIKey{Partner: "acme", Environment: "PROD",
		Sealing: sealane.SealingRequired})
	must(t, err)
	var person string
	err = agreed(t, s, func() (err error) {
		person, err = s.AddPerson(ctx, registry.Person{ID: "ben", Roles: []registry.Role{registry.Approver}})
		return err
	})
	must(t, err)
	k, _, err := s.CreateKeyPair(ctx, registry.NewPair{Profile: "riskos", Partner: "acme", Environment: "PROD",
		Subject: subject})
	must(t, err)
	var text bytes.Buffer
	must(t, s.View(ctx, func(tx registry.Reader) error { return audit.Export(ctx, tx, &text) }))
	var sealed []byte
	must(t, s.View(ctx, func(tx registry.Reader) error {
		k, err := tx.KeyPair(k.ID)
		sealed = k.Sealed
		return err
	}))
	sealedText, err := json.Marshal(sealed)
	must(t, err)
	for name, secret := range map[string]string{"API key": api, "token": person, "sealed key": string(sealedText)} {
		if len(secret) < 20 || strings.Contains(text.String(), secret) || strings.Contains(text.String(),
			strings.Trim(secret, `"`)) {
			t.Errorf("the record holds the %s", name)
		}
	}
	for _, want := range []string{"apikey.issue", "person.add", "key.create", k.ID} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the record has no %s", want)
		}
	}
}

// A change that fails leaves neither the change nor its record.
func TestNoRecordNoChange(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	boom := errors.New("boom")
	err := s.Change(ctx, registry.Entry{Action: "partner.add", Subject: "partner/x"},
		func(tx registry.Tx, entry *registry.Entry) error {
			must(t, tx.PutPartner(&registry.Partner{ID: "x", Name: "X", Profile: "riskos", Side: sealane.ServerSide}))
			return boom
		})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	// A record that the log refuses takes the change with it.
	err = s.Change(ctx, registry.Entry{Action: "partner.add", Subject: "partner/\x00"},
		func(tx registry.Tx, entry *registry.Entry) error {
			return tx.PutPartner(&registry.Partner{ID: "x", Name: "X", Profile: "riskos", Side: sealane.ServerSide})
		})
	if err == nil {
		t.Error("a record with a control character was taken")
	}
	must(t, s.View(ctx, func(tx registry.Reader) error {
		if _, err := tx.Partner("x"); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("the partner is there: %v", err)
		}
		report, err := audit.Verify(ctx, tx, nil)
		if err != nil || !report.Holds {
			t.Errorf("%v %s", err, report)
		}
		return nil
	}))
}

func TestSnapshot(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	required, key, err := s.IssueAPIKey(ctx, registry.NewAPIKey{Partner: "acme", Environment: "PROD",
		Sealing: sealane.SealingRequired})
	must(t, err)
	_, loose, err := s.IssueAPIKey(ctx, registry.NewAPIKey{Partner: "acme", Environment: "PROD",
		Sealing: sealane.SealingOptional})
	must(t, err)
	before, err := s.Registry().Snapshot(ctx)
	must(t, err)
	lane, id, err := before.ByAPIKey(key)
	if err != nil || id != required.ID || lane.Sealing() != sealane.SealingRequired {
		t.Errorf("%v %q", err, id)
	}
	if lane, _, err := before.ByAPIKey(loose); err != nil || lane.Sealing() != sealane.SealingOptional {
		t.Errorf("the optional key: %v", err)
	}
	if !errors.Is(lane.Ready(), sealane.ErrNotSupported) {
		t.Error("a lane without keys is ready")
	}
	must(t, s.WithReason("it is lost").RevokeAPIKey(ctx, required.ID))
	if _, _, err := before.ByAPIKey(key); err != nil {
		t.Errorf("a snapshot has changed: %v", err)
	}
	after, err := s.Registry().Snapshot(ctx)
	must(t, err)
	if _, _, err := after.ByAPIKey(key); !errors.Is(err, lanes.ErrUnknownAPIKey) {
		t.Errorf("a revoked key: %v", err)
	}
	if _, err := after.Lane(lanes.Name{Partner: "acme", Environment: "DEV"}); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("no such lane: %v", err)
	}

	// Uses are written down to the minute, and are no change.
	var uses lanes.UsageRecorder
	at := time.Date(2026, 11, 21, 12, 34, 56, 0, time.UTC)
	uses.Note(required.ID, at)
	must(t, uses.Write(ctx, s.Registry().Store))
	must(t, s.View(ctx, func(tx registry.Reader) error {
		k, err := tx.APIKey(required.ID)
		if !k.LastUsed.Equal(at.Truncate(time.Minute)) {
			t.Errorf("last used %s", k.LastUsed)
		}
		return err
	}))
}

func TestInventory(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	k, c, err := s.CreateKeyPair(ctx, registry.NewPair{Profile: "riskos", Partner: "acme", Environment: "PROD",
		Subject: subject})
	must(t, err)
	var rows []registry.InventoryRow
	for row, err := range s.Registry().Inventory(ctx, registry.CertificateQuery{}) {
		must(t, err)
		rows = append(rows, row)
	}
	if len(rows) != 1 || rows[0].ID != k.ID || rows[0].Kind != "key pair" || rows[0].Certificate != c.ID ||
		rows[0].Custodian != "anna" ||
		rows[0].Strength != "RSA 2048" ||
		!strings.Contains(rows[0].Purpose, "signature and decryption") || rows[0].State != registry.Staged ||
		rows[0].NotAfter.IsZero() {
		t.Errorf("%+v", rows)
	}
	if len(rows[0].Cells()) != len(registry.InventoryColumns) {
		t.Error("the columns do not fit the cells")
	}
}
