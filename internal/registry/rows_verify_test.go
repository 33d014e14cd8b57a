package registry_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store/pgtest"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/profile"
)

// onBoth runs a test on each database.
func onBoth(t *testing.T, test func(t *testing.T, address string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, "sqlite:"+filepath.Join(t.TempDir(), "registry.db")) })
	t.Run("postgres", func(t *testing.T) { test(t, pgtest.URL(t)) })
}

// database is the registry's, as somebody has it who does not use the program.
type database struct {
	t *testing.T
	*sql.DB
	postgres bool
}

func behind(t *testing.T, address string) database {
	t.Helper()
	driver, name := "pgx", address
	path, sqlite := strings.CutPrefix(address, "sqlite:")
	if sqlite {
		driver, name = "sqlite", path+"?_pragma=busy_timeout(10000)"
	}
	db, err := sql.Open(driver, name)
	must(t, err)
	t.Cleanup(func() { db.Close() })
	return database{t, db, !sqlite}
}

// does runs a statement, which must change a row.
func (d database) does(statement string, args ...any) {
	d.t.Helper()
	for n := 1; d.postgres && strings.Contains(statement, "?"); n++ {
		statement = strings.Replace(statement, "?", "$"+strconv.Itoa(n), 1)
	}
	result, err := d.ExecContext(d.t.Context(), statement, args...)
	if err != nil {
		d.t.Fatalf("%s: %v", statement, err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		d.t.Fatalf("%s: %d rows, %v", statement, n, err)
	}
}

// everything makes a registry that has rows of each kind, and returns a key pair of ours and a
// certificate of the partner's.
func everything(t testing.TB, s *registry.Session) (registry.KeyPair, registry.Certificate) {
	t.Helper()
	ctx := t.Context()
	acme(t, s)
	lane := lanes.Name{Partner: "acme", Environment: "PROD"}
	must(t, s.AddEnvironment(ctx, registry.Environment{
		Partner: "acme", Name: "DEV", Sealing: sealane.SealingRequired, Limits: lanes.Limits{Rate: 1, Failures: 0.5},
	}))
	must(t, s.SetContact(ctx, lane, registry.Contact{Role: registry.Primary, Name: "Ada", Email: "ada@acme.example"}))
	_, _, err := s.IssueAPIKey(ctx, registry.NewAPIKey{Partner: "acme", Environment: "PROD",
		Sealing: sealane.SealingRequired})
	must(t, err)
	source, err := profile.Source("riskos")
	must(t, err)
	_, err = s.AddProfile(ctx, bytes.Replace(source, []byte("name: riskos"), []byte("name: ours"), 1))
	must(t, err)
	k, _, err := s.CreateKeyPair(ctx, registry.NewPair{Profile: "riskos", Environment: "PROD", Subject: subject})
	must(t, err)
	x := exchange.New(s)
	delivered := func(exchange.OfferPackage) error { return nil }
	must(t, x.Offer(ctx, exchange.Target{KeyPair: k.ID, Partner: "acme"}, delivered))
	must(t, x.MarkInstalled(ctx, exchange.Target{KeyPair: k.ID, Partner: "acme"}))
	leaf, _ := issued(t, testkey.RSA(t, "registry rows", 2048).Public(), nil)
	c, _, err := x.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "PROD", Data: cert.EncodePEM(leaf)})
	must(t, err)
	_, err = s.WithReason("seen elsewhere").BlockKeys(ctx, [][]byte{bytes.Repeat([]byte{7}, 32)})
	must(t, err)
	return k, c
}

// Whatever is changed, added or removed in the database itself is a finding, and nothing else.
func TestRowsAgainstRecords(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, _ := founded(t, address)
		k, c := everything(t, s)
		rowsHold(t, s.Registry())
		db, sum := behind(t, address), bytes.Repeat([]byte{9}, 32)
		blocked := "blocked/" + strings.Repeat("07", 32)
		found := map[string]registry.RowFinding{}
		for _, step := range []struct {
			fault   registry.RowFault
			row     string
			members string
			sql     string
			args    []any
		}{
			{"differs", "partner/acme", "name", "UPDATE partner SET name = 'Evil'", nil},
			{"differs", "environment/acme/PROD", "contacts sealing",
				`UPDATE environment SET sealing = 'optional', body = REPLACE(body, 'ada@', 'eve@')
					WHERE name = 'PROD'`, nil},
			{"differs", "environment/acme/DEV", "limits.failures limits.rate url",
				`UPDATE environment SET limits = '{"rate":"9/s"}', url = 'https://evil.example'
					WHERE name = 'DEV'`, nil},
			{"differs", "apikey/", "mac_sha256", "UPDATE api_key SET hmac = ?", []any{sum}},
			{"unrecorded", "apikey/a-evil", "",
				`INSERT INTO api_key (id, partner, environment, sealing, revoked, version,
				body) SELECT 'a-evil', partner, environment, sealing, revoked, version, body FROM api_key`, nil},
			{"differs", "key/" + k.ID, "bytes_sha256 state",
				"UPDATE key_pair SET state = 'retired', sealed = ? WHERE id = ?", []any{sum, k.ID}},
			{"differs", "certificate/" + c.ID, "bytes_sha256 state",
				"UPDATE certificate SET state = 'active', spki = ? WHERE id = ?", []any{sum, c.ID}},
			{"differs", "certificate/" + k.Certificate, "bytes_sha256",
				"UPDATE certificate_text SET der = ? WHERE id = ?", []any{sum, k.Certificate}},
			{"missing", "offer/" + k.ID + "/acme", "", "DELETE FROM offer", nil},
			{"missing", blocked, "", "DELETE FROM blocked", nil},
			{"differs", "person/anna", "roles token_sha256",
				"UPDATE person SET sha256 = ?, body = REPLACE(body, 'operator', 'auditor')", []any{sum}},
			{"unrecorded", "person/eve", "", `INSERT INTO person (id, version, body)
				SELECT 'eve', version, body FROM person`, nil},
			{"differs", "profile/ours", "sha256", "UPDATE setting SET value = ? WHERE name = 'profile/ours'",
				[]any{sum}},
			{"missing", "setting/root-key-check", "", "DELETE FROM setting WHERE name = 'root-key-check'", nil},
			{"unrecorded", "setting/new", "", "INSERT INTO setting (name, value) VALUES ('new', ?)", []any{sum}},
		} {
			db.does(step.sql, step.args...)
			report, err := s.Registry().VerifyRows(t.Context())
			must(t, err)
			fresh := 0
			for _, f := range report.Findings {
				if _, known := found[f.Row]; known {
					continue
				}
				found[f.Row], fresh = f, fresh+1
				if f.Fault != step.fault || !strings.HasPrefix(f.Row, step.row) ||
					strings.Join(f.Members, " ") != step.members || !strings.Contains(f.Text, f.Row) {
					t.Errorf("%s: %+v", step.sql, f)
				}
			}
			if fresh != 1 || report.Holds || !strings.Contains(report.String(), step.row) {
				t.Errorf("%s: %d new findings\n%s", step.sql, fresh, report)
			}
		}
		text := found["certificate/"+c.ID].Text
		if want := `its state is "active", recorded is "received"`; !strings.Contains(text, want) {
			t.Errorf("%s, want %s", text, want)
		}
		db.does("DELETE FROM audit")
		report, err := s.Registry().VerifyRows(t.Context())
		must(t, err)
		if report.Findings[0].Fault != registry.RowsWithout || len(report.Findings) != report.Rows+1 {
			t.Errorf("an emptied log: %s", report)
		}
		meddled.Store(t.Name(), len(report.Findings))
	})
}

// A row that was changed, added or removed in the database itself is found, though the program has
// changed it since, until somebody has accepted it.
func TestRowsChangedBetween(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, _ := founded(t, address)
		acme(t, s)
		ctx, db := t.Context(), behind(t, address)
		lane := lanes.Name{Partner: "acme", Environment: "PROD"}
		contact := registry.Contact{Role: registry.Primary, Name: "Ada", Email: "ada@acme.example"}
		must(t, s.SetContact(ctx, lane, contact))
		rowsHold(t, s.Registry())

		db.does("UPDATE environment SET body = REPLACE(body, 'ada@', 'eve@')")
		contact.Role = registry.Support
		must(t, s.SetContact(ctx, lane, contact))
		db.does(`INSERT INTO partner (id, name, profile, side, version, body)
			SELECT 'evil', name, profile, side, version, body FROM partner`)
		must(t, s.RenamePartner(ctx, "evil", "Evil"))

		report, err := s.Registry().VerifyRows(ctx)
		must(t, err)
		want := map[string]string{
			"environment/acme/PROD": "was not as record",
			"partner/evil":          "had no record before record",
		}
		for _, f := range report.Findings {
			if text := want[f.Row]; f.Fault != registry.RowBetween || text == "" || !strings.Contains(f.Text, text) {
				t.Errorf("%+v", f)
			}
		}
		if len(report.Findings) != len(want) || report.Holds {
			t.Error(report)
		}
		must(t, accept(t, s, report.Findings...))
		rowsHold(t, s.Registry())
	})
}

// A row that can't be read is named, and the others are compared.
func TestDamagedRowsAgainstRecords(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, _ := founded(t, address)
		k, c := everything(t, s)
		db := behind(t, address)
		db.does("UPDATE key_pair SET body = '{'")
		db.does("UPDATE partner SET side = 'x'")
		db.does("UPDATE certificate SET state = 'active' WHERE id = ?", c.ID)
		report, err := s.Registry().VerifyRows(t.Context())
		must(t, err)
		var got []string
		for _, f := range report.Findings {
			got = append(got, string(f.Fault)+" "+f.Row)
		}
		slices.Sort(got)
		want := []string{"damaged key/" + k.ID, "damaged partner/acme", "differs certificate/" + c.ID}
		if !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		for _, f := range report.Findings {
			if f.Fault != registry.RowDamaged {
				continue
			}
			if err := accept(t, s, f); err == nil {
				t.Errorf("%s is accepted", f.Row)
			}
		}
		meddled.Store(t.Name(), 3)
	})
}

// accept accepts a row as an administrator.
func accept(t *testing.T, s *registry.Session, found ...registry.RowFinding) error {
	t.Helper()
	return s.WithReason("compared with the paper file").AcceptRows(t.Context(), found, "")
}

// What somebody has looked into is recorded as it is, by an administrator, for a reason, and no
// other than was looked at.
func TestAcceptRows(t *testing.T) {
	s := openSession(t)
	acme(t, s)
	olga, _ := person(t, s, "olga", registry.Operator)
	put := func(change func(registry.Tx) error) { must(t, s.Registry().Store.Update(t.Context(), change)) }
	put(func(tx registry.Tx) error {
		p, err := tx.Partner("acme")
		p.Name = "Other"
		return errors.Join(err, tx.PutPartner(&p), tx.PutSetting("old", []byte("1")))
	})
	report, err := s.Registry().VerifyRows(t.Context())
	must(t, err)
	if len(report.Findings) != 2 {
		t.Fatal(report)
	}
	if err := accept(t, olga, report.Findings...); !errors.Is(err, registry.ErrForbidden) {
		t.Errorf("by the operator: %v", err)
	}
	refused(t, "say why", s.AcceptRows(t.Context(), report.Findings, report.Checksum))
	put(func(tx registry.Tx) error { return tx.PutSetting("old", []byte("2")) })
	if err := accept(t, s, report.Findings...); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("a row that was changed again: %v", err)
	}
	if report, err = s.Registry().VerifyRows(t.Context()); err != nil || len(report.Findings) != 2 {
		t.Fatal(err, report)
	}
	must(t, accept(t, s, report.Findings...))
	rowsHold(t, s.Registry())
	var after struct{ Rows map[string]any }
	if r := last(t, s); json.Unmarshal(r.After, &after) != nil || len(after.Rows) != 2 || r.Action != "rows.accept" {
		t.Errorf("%s: %s", r.Action, r.After)
	}
	refused(t, "0 rows", accept(t, s))
}

// A row that a record says is removed must not be there, and the other way round.
func TestRowsThatAreGone(t *testing.T) {
	s := openSession(t)
	acme(t, s)
	must(t, s.Registry().Store.Update(t.Context(), func(tx registry.Tx) error {
		return tx.PutSetting("here", []byte("1"))
	}))
	report, err := s.Registry().VerifyRows(t.Context())
	must(t, err)
	must(t, accept(t, s, report.Findings...))
	gone := report.Findings[0]
	gone.Row, gone.Sum = "setting/gone", ""
	must(t, accept(t, s, gone)) // a row that is not there is accepted as such
	rowsHold(t, s.Registry())
	must(t, s.Registry().Store.Update(t.Context(), func(tx registry.Tx) error {
		return tx.PutSetting("gone", []byte("1"))
	}))
	report, err = s.Registry().VerifyRows(t.Context())
	must(t, err)
	if len(report.Findings) != 1 || !strings.Contains(report.Findings[0].Text, fmt.Sprintf("was removed by record %d",
		report.Findings[0].Seq)) {
		t.Error(report)
	}
	meddled.Store(t.Name(), 1)
}

// A certificate whose second half is not there is no row that the program has stored: it is found,
// and no lane uses it.
func TestHalfACertificateIsFound(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, _ := founded(t, address)
		c, k := twoLanes(t, s)
		db, ctx := behind(t, address), t.Context()
		put := func(id, of string) {
			const columns = `owner, partner, profile, environment, key_pair, key_id, state, sha256, spki_sha256, spki,
				version`
			db.does(`INSERT INTO certificate (id, not_after, `+columns+`) SELECT '`+id+`', not_after + 1, `+columns+`
				FROM certificate WHERE id = ?`, of)
		}
		put("c-ours", k.Certificate)
		before, err := s.Registry().Snapshot(ctx)
		must(t, err)
		if _, err := before.Lane(lanes.Name{Partner: "acme", Environment: "SANDBOX"}); err != nil {
			t.Errorf("the lane fails because of a certificate of ours: %v", err)
		}
		damaged := before.Damaged()
		if len(damaged) != 1 || damaged[0].ID != "c-ours" {
			t.Errorf("damaged are %v", damaged)
		}
		put("c-theirs", c.ID)
		snapshot, err := s.Registry().Snapshot(ctx)
		must(t, err)
		_, err = snapshot.Lane(lanes.Name{Partner: "acme", Environment: "SANDBOX"})
		refused(t, `certificate "c-theirs"`, err)
		report, err := s.Registry().VerifyRows(ctx)
		must(t, err)
		var found []string
		for _, f := range report.Findings {
			found = append(found, string(f.Fault)+" "+f.Row)
		}
		if want := []string{"damaged certificate/c-ours", "damaged certificate/c-theirs"}; !slices.Equal(found, want) {
			t.Errorf("%q, want %q", found, want)
		}
		must(t, s.View(ctx, func(tx registry.Reader) error {
			_, err := tx.Certificate("c-ours")
			refused(t, "its body is not there", err)
			return nil
		}))
		meddled.Store(t.Name(), 2)
	})
}

// Columns that repeat the body of a certificate, and that no record has, are compared with it.
func TestRepeatedColumnsAreVerified(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, _ := founded(t, address)
		c, _ := twoLanes(t, s)
		db := behind(t, address)
		for column, value := range map[string]any{
			"listed_common_name": "other", "listed_bits": 4096, "listed_issuer": "", "serial_number": "1",
			"listed_not_before": 1, "listed_received_by": "eve", "listed_waivers": `[{"rule":"x","reason":"y"}]`,
		} {
			undo := db.swap("certificate", column, c.ID, value)
			report, err := s.Registry().VerifyRows(t.Context())
			if err != nil || len(report.Findings) != 1 || report.Findings[0].Fault != registry.RowDamaged ||
				report.Findings[0].Row != "certificate/"+c.ID ||
				!strings.Contains(report.Findings[0].Text, "its "+column+" is not") {
				t.Errorf("%s: %v, %v", column, report, err)
			}
			undo()
		}
		// The columns do not count where a program that does not know them stored the row.
		db.swap("certificate", "listed", c.ID, 0)
		db.swap("certificate", "listed_issuer", c.ID, "other")
		rowsHold(t, s.Registry())
		for row, err := range s.Registry().Inventory(t.Context(), registry.CertificateQuery{Partner: "acme"}) {
			if must(t, err); row.Issuer == "other" {
				t.Errorf("%+v", row)
			}
		}
		// A public key that is not the one of its checksum is no row like any other.
		db.swap("certificate", "spki", c.ID, []byte("other"))
		meddled.Store(t.Name(), 1)
		for row, err := range s.Registry().Inventory(t.Context(), registry.CertificateQuery{Owner: registry.Theirs,
			Partner: "acme"}) {
			if must(t, err); !strings.Contains(row.Damaged, "public key") {
				t.Errorf("%+v", row)
			}
		}
	})
}
