package registry_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/rootkey"
)

// apiKeyFor issues an API key for a partner in PROD.
func apiKeyFor(t *testing.T, s *registry.Session, partner string) (registry.APIKey, string) {
	t.Helper()
	k, token, err := s.IssueAPIKey(t.Context(), registry.NewAPIKey{
		Partner: partner, Environment: "PROD", Sealing: sealane.SealingRequired,
	})
	must(t, err)
	return k, token
}

// called returns the partner, environment and sealing of an API key's lane, or "".
func called(t *testing.T, r *registry.Registry, token string) string {
	t.Helper()
	snapshot, err := r.Snapshot(t.Context())
	must(t, err)
	lane, _, err := snapshot.ByAPIKey(token)
	if err != nil {
		return ""
	}
	return lane.Partner() + " " + lane.Environment() + " " + string(lane.Sealing())
}

// secondPartner adds a second partner with PROD.
func secondPartner(t *testing.T, s *registry.Session) {
	t.Helper()
	must(t, s.AddPartner(t.Context(), registry.Partner{
		ID: "other", Name: "Other", Profile: "riskos", Side: sealane.ServerSide,
	}))
	must(t, s.AddEnvironment(t.Context(), registry.Environment{
		Partner: "other", Name: "PROD", Sealing: sealane.SealingRequired, Approvals: 1,
	}))
}

// Who can only write the database can't add a caller, give a key to another partner, loosen it or
// bring it back.
func TestAPIKeysChangedInTheDatabase(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, _ := founded(t, address)
		acme(t, s)
		secondPartner(t, s)
		k, token := apiKeyFor(t, s, "acme")
		gone, revoked := apiKeyFor(t, s, "acme")
		must(t, s.WithReason("left in a mail").RevokeAPIKey(t.Context(), gone.ID))
		db, r := behind(t, address), s.Registry()
		evil := "sealane_api_" + strings.Repeat("evil", 8)
		sum := lanes.TokenHash(evil)
		const planted = `INSERT INTO api_key (id, partner, environment, sealing, revoked, version, body, sha256, hmac,
			binding) SELECT 'a-evil', 'other', environment, 'optional', 0, 1, body, ?, ?, binding FROM api_key
			WHERE id = ?`
		if got := called(t, r, token); got != "acme PROD required" {
			t.Fatal(got)
		}
		for name, change := range map[string]func() (undo func()){
			"another partner":     func() func() { return db.swap("api_key", "partner", k.ID, "other") },
			"another environment": func() func() { return db.swap("api_key", "binding", k.ID, gone.Binding) },
			"looser":              func() func() { return db.swap("api_key", "sealing", k.ID, "optional") },
			"another key":         func() func() { return db.swap("api_key", "hmac", k.ID, sum[:]) },
			"not revoked": func() func() {
				flag := db.swap("api_key", "revoked", gone.ID, 0)
				mac := db.swap("api_key", "binding", gone.ID, k.Binding)
				return func() { flag(); mac() }
			},
			"planted as an earlier version": func() func() {
				db.does(planted, sum[:], nil, k.ID)
				return func() { db.does("DELETE FROM api_key WHERE id = 'a-evil'") }
			},
			"planted": func() func() {
				db.does(planted, nil, sum[:], k.ID)
				return func() { db.does("DELETE FROM api_key WHERE id = 'a-evil'") }
			},
			"a second owner": func() func() {
				db.does(planted, nil, k.HMAC, k.ID)
				return func() { db.does("DELETE FROM api_key WHERE id = 'a-evil'") }
			},
		} {
			undo := change()
			for secret, may := range map[string]string{token: "acme PROD required", evil: "", revoked: ""} {
				if got := called(t, r, secret); got != "" && got != may {
					t.Errorf("%s: a caller is %q", name, got)
				}
			}
			if report, err := r.VerifyRows(t.Context()); err != nil || report.Holds {
				t.Errorf("%s: it is not found: %v", name, err)
			}
			snapshot, err := r.Snapshot(t.Context())
			must(t, err)
			if all := snapshot.Damaged(); len(all) != 1 || all[0].Table != "api_key" {
				t.Errorf("%s: damaged are %v", name, all)
			}
			undo()
		}
		if got := called(t, r, token); got != "acme PROD required" {
			t.Error(got)
		}
		// A record that somebody has added names the row, and its MAC is wrong still.
		must(t, s.Change(t.Context(), registry.Entry{Action: registry.ActionAPIKeyIssue, Subject: "apikey/a-evil"},
			func(tx registry.Tx, _ *registry.Entry) error {
				return tx.PutAPIKey(&registry.APIKey{ID: "a-evil", Partner: "acme", Environment: "PROD", HMAC: sum[:],
					Binding: k.Binding, Sealing: sealane.SealingRequired})
			}))
		report, err := r.VerifyRows(t.Context())
		if err != nil || len(report.Findings) != 1 || report.Findings[0].Fault != registry.RowForged {
			t.Errorf("%v\n%s", err, report)
		}
		meddled.Store(t.Name(), 1)
	})
}

// A registry that loses the key of its API keys knows none of them, and takes no other key.
func TestHashKeyIsRemoved(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, _ := founded(t, address)
		acme(t, s)
		_, token := apiKeyFor(t, s, "acme")
		db := behind(t, address)
		db.does("DELETE FROM setting WHERE name = 'api-key-hash'")
		meddled.Store(t.Name(), 1)
		snapshot, err := s.Registry().Snapshot(t.Context())
		must(t, err)
		if _, _, err := snapshot.ByAPIKey(token); !errors.Is(err, lanes.ErrNotConverted) {
			t.Error(err)
		}
		if n, failed := snapshot.OpenKeys(1000); n != 0 || !errors.Is(errors.Join(failed...), lanes.ErrNotConverted) {
			t.Errorf("a server starts: %v", failed)
		}
		_, _, err = s.IssueAPIKey(t.Context(), registry.NewAPIKey{Partner: "acme", Environment: "PROD",
			Sealing: sealane.SealingRequired})
		refused(t, "not converted", err)
		must(t, s.SetRoles(t.Context(), "anna", []registry.Role{operator, approver, administrator}))
		anna := again(t, s)
		_, err = anna.ConvertAPIKeys(t.Context())
		refused(t, "were converted before", err)
	})
}

// again returns the session of anna as she is now.
func again(t *testing.T, s *registry.Session) *registry.Session {
	t.Helper()
	var p registry.Person
	must(t, s.View(t.Context(), func(tx registry.Reader) (err error) {
		p, err = tx.Person("anna")
		return err
	}))
	return s.Registry().SessionOf(p)
}

// earlier makes a registry as a program of the version before has left it: with API keys, and without
// a key for them.
func earlier(t *testing.T, address string, n int) *registry.Session {
	t.Helper()
	s, _ := sessionAt(t, address, "")
	acme(t, s)
	must(t, s.Change(t.Context(), registry.Entry{Action: registry.ActionAPIKeyIssue, Subject: "apikey/a"},
		func(tx registry.Tx, _ *registry.Entry) error {
			for i := range n {
				sum := lanes.TokenHash(oldToken(i))
				k := registry.APIKey{ID: "a-" + oldToken(i), Partner: "acme", Environment: "PROD", SHA256: sum[:],
					Sealing: sealane.SealingRequired, Prefix: "old"}
				if err := tx.PutAPIKey(&k); err != nil {
					return err
				}
			}
			return nil
		}))
	must(t, s.SetRoot(t.Context(), newRoot(t), nil))
	return again(t, s)
}

func oldToken(i int) string { return "old" + string(rune('a'+i/26%26)) + string(rune('a'+i%26)) }

func TestConvertAPIKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s := earlier(t, address, 600)
		r, ctx := s.Registry(), t.Context()
		must(t, s.WithReason("is lost now").RevokeAPIKey(ctx, "a-"+oldToken(1)))
		snapshot, err := r.Snapshot(ctx)
		must(t, err)
		if _, _, err := snapshot.ByAPIKey(oldToken(0)); !errors.Is(err, lanes.ErrNotConverted) {
			t.Errorf("before: %v", err)
		}
		must(t, s.SetRoles(ctx, "anna", []registry.Role{operator, approver, administrator}))
		anna := again(t, s)

		// A row that came into the database itself is converted never.
		db, sum := behind(t, address), lanes.TokenHash("evil")
		db.does(`INSERT INTO api_key (id, partner, environment, sha256, sealing, revoked, version, body)
			SELECT 'a-evil', partner, environment, ?, sealing, revoked, version, body FROM api_key WHERE id = ?`,
			sum[:], "a-"+oldToken(0))
		_, err = anna.ConvertAPIKeys(ctx)
		refused(t, "apikey/a-evil has no record", err)
		db.does("DELETE FROM api_key WHERE id = 'a-evil'")

		done, err := anna.ConvertAPIKeys(ctx)
		if err != nil || done.Converted != 600 || done.Cleared != 0 {
			t.Fatalf("%+v, %v", done, err)
		}
		for i := range 600 {
			want := "acme PROD required"
			if i == 1 {
				want = ""
			} else if i > 1 && i < 598 {
				continue
			}
			if got := called(t, r, oldToken(i)); got != want {
				t.Errorf("after, %s: %q", oldToken(i), got)
			}
		}
		// What comes now from an older program, or by hand, identifies nobody.
		must(t, anna.Change(ctx, registry.Entry{Action: registry.ActionAPIKeyIssue, Subject: "apikey/a"},
			func(tx registry.Tx, _ *registry.Entry) error {
				return tx.PutAPIKey(&registry.APIKey{ID: "a-late", Partner: "acme", Environment: "PROD",
					SHA256: sum[:], Sealing: sealane.SealingRequired})
			}))
		meddled.Store(t.Name(), 1)
		if got := called(t, r, "evil"); got != "" {
			t.Errorf("a late one is %q", got)
		}
		done, err = anna.ConvertAPIKeys(ctx)
		if err != nil || done.Converted != 0 || done.Cleared != 600 || len(done.Unknown) != 1 ||
			done.Unknown[0] != "a-late" {
			t.Errorf("%+v, %v", done, err)
		}
		must(t, anna.View(ctx, func(tx registry.Reader) error {
			k, err := tx.APIKey("a-" + oldToken(0))
			if len(k.SHA256) != 0 || len(k.HMAC) != sha256.Size {
				t.Errorf("%+v", k)
			}
			return err
		}))
		if got := called(t, r, oldToken(599)); got != "acme PROD required" {
			t.Errorf("at the end: %q", got)
		}
	})
}

// A rotation of the root key keeps the API keys, also in a program that has the old one.
func TestRotationKeepsAPIKeys(t *testing.T) {
	dir := t.TempDir()
	s, _ := founded(t, "sqlite:"+filepath.Join(dir, "registry.db"))
	acme(t, s)
	_, token := apiKeyFor(t, s, "acme")
	running := s.Registry()
	if got := called(t, running, token); got == "" {
		t.Fatal("it is not known at first")
	}
	next := newRoot(t)
	must(t, only(s.WithReason("yearly rotation").RotateRoot(t.Context(), next, nil)))
	if got := called(t, running, token); got != "acme PROD required" {
		t.Errorf("with the old root key: %q", got)
	}
	restarted := &registry.Registry{Store: running.Store}
	must(t, restarted.UseRoot(t.Context(), next))
	if got := called(t, restarted, token); got != "acme PROD required" {
		t.Errorf("with the new root key: %q", got)
	}
	stale := &registry.Registry{Store: running.Store, Root: running.Root}
	if got := called(t, stale, token); got != "" {
		t.Errorf("with the old root key, after a start: %q", got)
	}
	snapshot, err := stale.Snapshot(t.Context())
	must(t, err)
	if _, _, err := snapshot.ByAPIKey(token); !errors.Is(err, rootkey.ErrOtherKey) {
		t.Error(err)
	}
	must(t, running.UseRoot(t.Context(), next)) // for the end of the test
}

func TestImportAPIKey(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	secondPartner(t, s)
	wanted := registry.NewAPIKey{Partner: "acme", Environment: "PROD", Sealing: sealane.SealingRequired}
	for key, says := range map[string]string{
		"": "too short", "short": "too short", "0123456789abcdef": "too short",
		strings.Repeat("abcd1234", 8):           "too short", // it repeats itself
		strings.Repeat("a", 100):                "too short",
		"0123456789abcdef0123456789abcde":       "too short",
		"correct horse battery staple xyz 1234": "not visible",
		"key\nwith a second line, 0123456789":   "not visible",
		"schlüssel-0123456789-abcdefghijklm":    "not visible",
		strings.Repeat("x1Y2", 1000):            "4000 characters",
		"sealane_person_abcdefghijklmnopqrst":   "token of a person",
	} {
		_, err := s.ImportAPIKey(ctx, wanted, key)
		refused(t, says, err)
		if err != nil && len(key) > 10 && strings.Contains(err.Error(), key) {
			t.Errorf("the error has the key: %v", err)
		}
	}
	uuid := "3f2c9a51-7b0e-4d6c-8a19-5e4f0b7d2c63"
	for _, key := range []string{
		uuid, "9f86d081884c7d659a2feaa0c55ad015", "sk_live_Zx81kQpW73mVbTrYn5LdGh", " Dq3+/TfW9z1mXk0RbYvL7Nsa \n",
	} {
		k, err := s.ImportAPIKey(ctx, wanted, key)
		must(t, err)
		if got := called(t, s.Registry(), key); got != "acme PROD required" || k.Prefix != strings.TrimSpace(key)[:4] {
			t.Errorf("%.4s…: %q, %q", key, got, k.Prefix)
		}
	}
	wanted.Partner = "other"
	_, err := s.ImportAPIKey(ctx, wanted, uuid)
	refused(t, "known already", err)
	if strings.Contains(err.Error(), "acme") || strings.Contains(err.Error(), "a-") {
		t.Errorf("it says whose it is: %v", err)
	}
	_, ours := apiKeyFor(t, s, "acme")
	_, err = s.ImportAPIKey(ctx, wanted, ours)
	refused(t, "known already", err)
}

// In production an imported API key needs a second person, who approves this very key.
func TestImportNeedsASecondPerson(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		b, ctx := newBank(t, address), t.Context()
		wanted := registry.NewAPIKey{Partner: "acme", Environment: "PROD", Sealing: sealane.SealingRequired}
		const one, another = "3f2c9a51-7b0e-4d6c-8a19-5e4f0b7d2c63", "3f2c9a51-7b0e-4d6c-8a19-5e4f0b7d2c64"
		_, err := b.ImportAPIKey(ctx, wanted, one)
		r := waits(t, b.Session, "others have made", err)
		for _, stored := range [][]byte{r.Before, r.After, r.Input, r.Bound} {
			if bytes.Contains(stored, []byte(one[5:])) {
				t.Error("the request has the key")
			}
		}
		must(t, only(b.ben.GrantRequest(ctx, r.ID)))
		_, err = b.ImportAPIKey(ctx, wanted, another)
		waits(t, b.Session, "others have made", err)
		must(t, only(b.ImportAPIKey(ctx, wanted, one)))
		if called(t, b.Registry(), one) == "" || called(t, b.Registry(), another) != "" {
			t.Error("not that key was approved")
		}
	})
}
