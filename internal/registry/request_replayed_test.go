package registry_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// row returns the state and body of a request in the database, and a function that stores them.
func (d database) row(id string) (state, body string, back func()) {
	d.t.Helper()
	query := fmt.Sprintf("SELECT state, body FROM request WHERE id = '%s'", id)
	must(d.t, d.QueryRowContext(d.t.Context(), query).Scan(&state, &body))
	return state, body, func() { d.setRow(id, state, body) }
}

func (d database) setRow(id, state, body string) {
	d.t.Helper()
	d.does("UPDATE request SET state = ?, body = ? WHERE id = ?", state, body, id)
}

// required undoes optional.
func required(e *registry.Environment) { e.Sealing = "required" }

// A request whose act is done, or that was rejected, does not count again when somebody brings its
// earlier row back.
func TestEarlierStateOfARequestDoesNotCount(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		b, ctx := newBank(t, address), t.Context()
		db := behind(t, address)
		again := func(id, why string, earlier func()) {
			t.Helper()
			must(t, b.change(ctx, b.Session, required))
			_, _, back := db.row(id)
			earlier()
			if err := b.change(ctx, b.Session, optional); !isSecond(err) {
				t.Errorf("%s: the act is done again: %v", why, err)
			}
			if err := only2(b.ben.ApproveRequest(ctx, id)); err == nil {
				t.Errorf("%s: it is approved again", why)
			}
			back()
		}

		r := waits(t, b.Session, "unencrypted", b.change(ctx, b.Session, optional))
		_, _, open := db.row(r.ID)
		must(t, only(b.ben.GrantRequest(ctx, r.ID)))
		_, _, granted := db.row(r.ID)
		must(t, b.change(ctx, b.Session, optional))
		again(r.ID, "done with a grant, and granted again", granted)
		again(r.ID, "done with a grant, and open again", open)

		r = waits(t, b.Session, "unencrypted", b.change(ctx, b.Session, optional))
		_, _, open = db.row(r.ID)
		as, _, err := b.ben.ApproveRequest(ctx, r.ID)
		must(t, err)
		must(t, b.change(ctx, as, optional))
		again(r.ID, "approved, and open again", open)

		r = waits(t, b.Session, "unencrypted", b.change(ctx, b.Session, optional))
		_, _, open = db.row(r.ID)
		must(t, only(b.ben.GrantRequest(ctx, r.ID)))
		_, _, granted = db.row(r.ID)
		must(t, only(b.WithReason("made by mistake").RejectRequest(ctx, r.ID)))
		again(r.ID, "rejected, and granted again", granted)
		again(r.ID, "rejected, and open again", open)
	})
}

// A grant is for the act that was granted, by the person and until the time that the audit log has.
func TestGrantCountsAsItIsRecorded(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		b, ctx := newBank(t, address), t.Context()
		db := behind(t, address)
		harmless := func(e *registry.Environment) { e.Account = "their-gateway" }
		other := waits(t, b.Session, "another account", b.change(ctx, b.Session, harmless))
		granted, err := b.ben.GrantRequest(ctx, other.ID)
		must(t, err)
		r := waits(t, b.Session, "unencrypted", b.change(ctx, b.Session, optional))
		_, wanted, _ := db.row(r.ID)
		state, body, back := db.row(other.ID)
		decided := body[strings.LastIndex(body, `,"decided":`):]

		// The body of another request, in the row of one that was granted.
		db.setRow(other.ID, state, strings.TrimSuffix(wanted, "}")+decided)
		if err := b.change(ctx, b.Session, optional); !isSecond(err) {
			t.Errorf("a grant of something else counts: %v", err)
		}
		for _, replaced := range [][2]string{
			{granted.Ends.Format(time.RFC3339Nano), granted.Ends.Add(time.Hour).Format(time.RFC3339Nano)},
			{`"decided_by":"ben"`, `"decided_by":"cora"`}, {granted.Reason, "some other reason"},
		} {
			changed := strings.Replace(body, replaced[0], replaced[1], 1)
			if changed == body {
				t.Errorf("%s has no %s", body, replaced[0])
			}
			db.setRow(other.ID, state, changed)
			if err := b.change(ctx, b.Session, harmless); !isSecond(err) {
				t.Errorf("with %s: the grant counts: %v", replaced[1], err)
			}
		}
		back()
		must(t, b.change(ctx, b.Session, harmless))
	})
}

// The person whom an act is about can't approve it though the database says that it is about nobody.
func TestWhomARequestIsAboutIsRecorded(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		b, ctx := newBank(t, address), t.Context()
		db := behind(t, address)
		becomes := func(s *registry.Session) error {
			return s.WithReason("CHG-2, agreed").SetRoles(ctx, "ben",
				[]registry.Role{registry.Approver, registry.Administrator})
		}
		r := waits(t, b.Session, "ben becomes administrator", becomes(b.Session))
		state, body, back := db.row(r.ID)
		nobody := strings.Replace(body, `"about":"ben"`, `"about":""`, 1)
		if nobody == body {
			t.Fatalf("%s is about nobody", body)
		}
		db.setRow(r.ID, state, nobody)
		refused(t, "is not as record", only2(b.ben.ApproveRequest(ctx, r.ID)))
		refused(t, "is not as record", only(b.ben.GrantRequest(ctx, r.ID)))
		back()
		as, _, err := b.cora.ApproveRequest(ctx, r.ID)
		must(t, err)
		must(t, becomes(as))
	})
}
