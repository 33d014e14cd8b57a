package registry_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
)

// optional accepts unencrypted messages.
func optional(e *registry.Environment) { e.Sealing = sealane.SealingOptional }

// A request that somebody has put into the database, or has given another text, is not approved.
func TestForgedRequestIsNotApproved(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		b, ctx := newBank(t, address), t.Context()
		db := behind(t, address)
		r := waits(t, b.Session, "unencrypted", b.change(ctx, b.Session, optional))

		db.does(`INSERT INTO request (id, state, person, version, body)
			SELECT 'r-forged', state, person, version, body FROM request WHERE state = 'open'`)
		refused(t, "request r-forged has no record of anna", only2(b.ben.ApproveRequest(ctx, "r-forged")))
		refused(t, "request r-forged has no record of anna", only(b.ben.GrantRequest(ctx, "r-forged")))
		db.does("DELETE FROM request WHERE id = 'r-forged'")

		for _, replaced := range [][2]string{
			{`"sealing":"optional"`, `"sealing":"required"`}, {`unencrypted messages are accepted`, `nothing changes`},
			{`"approvals":2`, `"approvals":1`}, {`"sealing":"required"`, `"sealing":"optional"`},
		} {
			var body string
			must(t, db.QueryRowContext(ctx, "SELECT body FROM request WHERE id = '"+r.ID+"'").Scan(&body))
			other := strings.ReplaceAll(body, replaced[0], replaced[1])
			if other == body {
				continue
			}
			as, _, err := b.ben.ApproveRequest(ctx, r.ID)
			must(t, err)
			db.does("UPDATE request SET body = ? WHERE id = ?", other, r.ID)
			refused(t, "is not as record", b.change(ctx, as, optional)) // it was changed since it was shown
			refused(t, "is not as record", only2(b.ben.ApproveRequest(ctx, r.ID)))
			refused(t, "is not as record", only(b.ben.GrantRequest(ctx, r.ID)))
			db.does("UPDATE request SET body = ? WHERE id = ?", body, r.ID)
		}
		as, _, err := b.ben.ApproveRequest(ctx, r.ID)
		must(t, err)
		must(t, b.change(ctx, as, optional))
	})
}

// A grant counts if the audit log has it, and while the person who has granted it is an approver.
func TestForgedGrantDoesNotCount(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		b, ctx := newBank(t, address), t.Context()
		db := behind(t, address)
		grant := func(id, decider string) {
			var body string
			must(t, db.QueryRowContext(ctx, "SELECT body FROM request WHERE id = '"+id+"'").Scan(&body))
			db.does("UPDATE request SET state = 'granted', body = ? WHERE id = '"+id+"'",
				strings.TrimSuffix(body, "}")+fmt.Sprintf(`,"decided_by":%q}`, decider))
		}
		r := waits(t, b.Session, "unencrypted", b.change(ctx, b.Session, optional))
		for _, decider := range []string{"ben", "anna", "nobody", ""} {
			grant(r.ID, decider)
			if err := b.change(ctx, b.Session, optional); !isSecond(err) {
				t.Errorf("granted in the database, by %q: %v", decider, err)
			}
		}
		db.does("UPDATE request SET state = 'open' WHERE id = ?", r.ID)

		r = waits(t, b.Session, "unencrypted", b.change(ctx, b.Session, optional))
		must(t, only(b.ben.GrantRequest(ctx, r.ID)))
		must(t, b.WithReason("his token was stolen").RevokePerson(ctx, "ben"))
		if err := b.change(ctx, b.Session, optional); !isSecond(err) {
			t.Errorf("granted by somebody whose token was revoked since: %v", err)
		}
	})
}

// What is done with a grant is recorded with the reason that was approved.
func TestGrantKeepsItsReason(t *testing.T) {
	b, ctx := newBank(t, "sqlite:"+t.TempDir()+"/r.db"), t.Context()
	r := waits(t, b.Session, "unencrypted", b.change(ctx, b.Session, optional))
	must(t, only(b.ben.GrantRequest(ctx, r.ID)))
	production := registry.Environment{Partner: "acme", Name: "PROD"}
	must(t, b.WithReason("some other reason").ChangeEnvironment(ctx, production,
		func(e *registry.Environment) error { optional(e); return nil }))
	if done := last(t, b.Session); done.Reason != "CHG-1, agreed" {
		t.Errorf("the record says %q", done.Reason)
	}
}
