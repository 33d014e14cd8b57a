package registry_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

// Columns that are computed of a row, by which it is searched or left out of a lane, are compared with
// the row. Accepting the row corrects them.
func TestComputedColumnsAreVerified(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, _ := founded(t, address)
		c, _ := twoLanes(t, s)
		db, ctx := behind(t, address), t.Context()
		lane := lanes.Name{Partner: "acme", Environment: "SANDBOX"}
		var key registry.APIKey
		must(t, s.View(ctx, func(tx registry.Reader) error {
			keys, err := tx.APIKeys(lane.Partner, lane.Environment)
			key = keys[0]
			return err
		}))
		for _, at := range []struct {
			table, column, id, row string
			value                  any
		}{
			{"partner", "names", "acme", "partner/acme", "hidden"},
			{"environment", "names", "acme", "environment/acme/SANDBOX", "hidden"},
			{"api_key", "names", key.ID, "apikey/" + key.ID, "hidden"},
			{"api_key", "revoked", key.ID, "apikey/" + key.ID, 1},
			{"certificate", "names", c.ID, "certificate/" + c.ID, ""},
			{"certificate", "sha1", c.ID, "certificate/" + c.ID, []byte("12345678901234567890")},
			{"certificate", "listed_issuer", c.ID, "certificate/" + c.ID, "other"},
		} {
			of := "id"
			if at.table == "environment" {
				of = "partner"
			}
			db.does(fmt.Sprintf("UPDATE %s SET %s = ? WHERE %s = '%s'", at.table, at.column, of, at.id), at.value)
			report, err := s.Registry().VerifyRows(ctx)
			must(t, err)
			if len(report.Findings) != 1 || report.Findings[0].Fault != registry.RowDamaged ||
				report.Findings[0].Row != at.row ||
				!strings.Contains(report.Findings[0].Text, "its "+at.column+" is not what the rest of the row has") {
				t.Fatalf("%s.%s: %s", at.table, at.column, report)
			}
			must(t, accept(t, s, report.Findings...))
			rowsHold(t, s.Registry())
		}
		must(t, s.View(ctx, func(tx registry.Reader) error {
			partners, err := tx.PartnersLike(registry.PartnerQuery{Containing: "acme"})
			if len(partners) != 1 {
				t.Errorf("%d partners are found by the name", len(partners))
			}
			return err
		}))
		// Searches by SHA-1 do without it where FIPS 140-3 is enforced, so that it may be lacking.
		db.does("UPDATE certificate SET sha1 = NULL WHERE id = ?", c.ID)
		rowsHold(t, s.Registry())
	})
}

// An API key that only its column says to be revoked has no lane, and is found.
func TestAPIKeyThatItsColumnRevokes(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, _ := founded(t, address)
		twoLanes(t, s)
		db := behind(t, address)
		db.does("UPDATE api_key SET revoked = 1 WHERE partner = 'acme'")
		report, err := s.Registry().VerifyRows(t.Context())
		must(t, err)
		if len(report.Findings) != 1 || !strings.Contains(report.Findings[0].Text, "lanes use it") {
			t.Error(report)
		}
		must(t, accept(t, s, report.Findings...))
		snapshot, err := s.Registry().Snapshot(t.Context())
		must(t, err)
		if _, err := snapshot.Lane(lanes.Name{Partner: "acme", Environment: "SANDBOX"}); err != nil {
			t.Errorf("the lane of the API key that was put in order: %v", err)
		}
	})
}

// A row whose column was changed together with a computed one is accepted as it is, and its computed
// columns follow.
func TestAcceptedRowIsFoundBySearch(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, _ := founded(t, address)
		acme(t, s)
		db, ctx := behind(t, address), t.Context()
		db.does("UPDATE partner SET name = 'Zebra' WHERE id = 'acme'")
		report, err := s.Registry().VerifyRows(ctx)
		must(t, err)
		if len(report.Findings) != 1 || report.Findings[0].Fault != registry.RowDiffers {
			t.Fatal(report)
		}
		must(t, accept(t, s, report.Findings...))
		rowsHold(t, s.Registry())
		must(t, s.View(ctx, func(tx registry.Reader) error {
			found, err := tx.PartnersLike(registry.PartnerQuery{Containing: "zebra"})
			if len(found) != 1 {
				t.Errorf("%d partners are found by the accepted name", len(found))
			}
			return err
		}))
	})
}

// The token of a person whose row can't be read is revoked. The roles are those of the last record, so
// that nobody becomes alone by damaging a row and then revoking the person.
func TestDamagedPersonIsRevoked(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		b, ctx := newBank(t, address), t.Context()
		db := behind(t, address)
		db.does("UPDATE person SET body = '{' WHERE id = 'cora'")
		must(t, b.WithReason("the row is damaged, INC-7").RevokePerson(ctx, "cora"))
		refused(t, "was revoked on", b.WithReason("the row is damaged, INC-7").RevokePerson(ctx, "cora"))
		if _, err := b.cora.Registry().Login(ctx, "sealane_person_none"); !errors.Is(err, registry.ErrUnknownToken) {
			t.Error(err)
		}
		if err := b.cora.EndToken(ctx); !errors.Is(err, registry.ErrUnknownToken) {
			t.Errorf("the revoked person goes on: %v", err)
		}
		must(t, b.View(ctx, func(tx registry.Reader) error {
			p, err := tx.Person("cora")
			if p.Revoked.IsZero() || len(p.Roles) != 1 || p.Roles[0] != registry.Approver || p.SHA256 != nil {
				t.Errorf("%+v", p)
			}
			return err
		}))
		// The administrator is not alone because of it.
		must(t, b.WithReason("has left the bank").RevokePerson(ctx, "ben"))
		_, err := b.AddPerson(ctx, registry.Person{ID: "eve", Roles: []registry.Role{registry.Approver}})
		if !isSecond(err) {
			t.Errorf("another approver: %v", err)
		}
		report, err := b.Registry().VerifyRows(ctx)
		must(t, err)
		if len(report.Findings) != 1 || report.Findings[0].Row != "person/cora" {
			t.Error(report)
		}
		meddled.Store(t.Name(), 1)
	})
}

// A person whose row is damaged and of whom there is no record is not made up.
func TestDamagedPersonWithoutARecord(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, _ := founded(t, address)
		behind(t, address).does("INSERT INTO person (id, version, body) VALUES ('eve', 1, '{')")
		meddled.Store(t.Name(), 1)
		err := s.WithReason("nobody knows her").RevokePerson(t.Context(), "eve")
		refused(t, `person "eve": the stored row is damaged`, err)
	})
}

// Everybody can replace their own token: nobody has the new one who has issued the old one, and no
// second person is needed.
func TestOwnTokenIsRenewed(t *testing.T) {
	b, ctx := newBank(t, "sqlite:"+t.TempDir()+"/r.db"), t.Context()
	for id, role := range map[string]registry.Role{
		"ada": registry.Auditor, "bo": registry.Backup, "dora": registry.Approver, "olga": registry.Operator,
	} {
		p, issued := person(t, b.Session, id, role)
		var token string
		must(t, p.RenewOwnToken(ctx, func(renewed string) error { token = renewed; return nil }))
		if _, err := b.Registry().Login(ctx, issued); !errors.Is(err, registry.ErrUnknownToken) {
			t.Errorf("%s: the token that was issued: %v", id, err)
		}
		now, err := b.Registry().Login(ctx, token)
		must(t, err)
		if now.Person().ID != id {
			t.Errorf("%s has the token of %s", id, now.Person().ID)
		}
		again := p.RenewOwnToken(ctx, func(string) error { return nil })
		if !errors.Is(again, registry.ErrChangedSinceLogin) {
			t.Errorf("%s: by the session of the old token: %v", id, again)
		}
		if r := last(t, b.Session); r.Action != "token.renew" || r.Actor != id || r.Subject != "person/"+id {
			t.Errorf("%+v", r)
		}
	}
	rowsHold(t, b.Registry())
}
