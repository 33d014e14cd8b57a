package registry_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
)

// loosen accepts unencrypted messages in production, which two people decide.
func (b *bank) loosen(t *testing.T) error {
	t.Helper()
	return b.change(t.Context(), b.Session, func(e *registry.Environment) { e.Sealing = sealane.SealingOptional })
}

// revoke revokes the tokens of people, which never waits.
func (b *bank) revoke(t *testing.T, people ...string) {
	t.Helper()
	for _, id := range people {
		must(t, b.WithReason("has left the bank").RevokePerson(t.Context(), id))
	}
}

// Nobody becomes alone by revoking the others and then taking their roles.
func TestRolesOfTheRevokedAreNotTakenAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		b, ctx := newBank(t, address), t.Context()
		b.revoke(t, "ben", "cora")
		for _, id := range []string{"ben", "cora"} {
			err := b.SetRoles(ctx, id, []registry.Role{registry.Auditor})
			asksSecond(t, id+" is no longer approver", err)
		}
		asksSecond(t, "unencrypted messages", b.loosen(t))
	})
}

// asksSecond fails the test unless an error asks for a second person, and says why.
func asksSecond(t *testing.T, says string, err error) *registry.SecondPersonError {
	t.Helper()
	needed, is := errors.AsType[*registry.SecondPersonError](err)
	if !is {
		t.Fatalf("%v, want a second person", err)
	}
	refused(t, says, err)
	return needed
}

// One person takes no role from the only other approver, but can give one to them.
func TestRolesOfTheOnlyOtherApprover(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	person(t, s, "ben", registry.Approver)
	asksSecond(t, "ben is no longer approver", s.SetRoles(ctx, "ben", []registry.Role{registry.Auditor}))
	must(t, s.SetRoles(ctx, "ben", []registry.Role{registry.Approver, registry.Administrator}))
}

// A person whose row can't be read may be an approver: nobody becomes alone by damaging rows.
func TestDamagedPeopleAreOthers(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		b, ctx := newBank(t, address), t.Context()
		db := behind(t, address)
		undo := []func(){db.swap("person", "body", "ben", "{"), db.swap("person", "body", "cora", "{")}
		asksSecond(t, "unencrypted messages", b.loosen(t))
		err := third(b.AddPerson(ctx, registry.Person{ID: "eve", Roles: []registry.Role{registry.Approver}}))
		needed := asksSecond(t, "eve becomes approver", err)
		_, err = b.MakeRequest(ctx, needed.Request)
		refused(t, "nobody else is an approver, as far as the rows of people can be read", err)
		refused(t, `person "ben": the stored row is damaged`, err)
		for _, back := range undo {
			back()
		}
		must(t, only(b.MakeRequest(ctx, needed.Request)))
	})
}

// A person is revoked though no column of their row but its key and version can be read.
func TestRevokePersonWhoseTokenCannotBeRead(t *testing.T) {
	address := "sqlite:" + t.TempDir() + "/r.db" // PostgreSQL has bytes in this column
	b, ctx := newBank(t, address), t.Context()
	behind(t, address).swap("person", "sha256", "ben", 7)
	meddled.Store(t.Name(), 1)
	person := func() (p registry.Person, err error) {
		err = b.View(ctx, func(tx registry.Reader) (err error) {
			p, err = tx.Person("ben")
			return err
		})
		return p, err
	}
	_, err := person()
	refused(t, "the stored row is damaged", err)
	must(t, b.WithReason("has left the bank").RevokePerson(ctx, "ben"))
	if p, err := person(); err != nil || p.Revoked.IsZero() || len(p.SHA256) > 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

// How many people decide in an environment is not known where its row can't be read, so nothing is
// done there that two might have to decide.
func TestDamagedEnvironmentLoosensNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		b, ctx := newBank(t, address), t.Context()
		k, _, err := b.CreateKeyPair(ctx, registry.NewPair{
			Profile: "riskos", Partner: "acme", Environment: "PROD", Subject: subject,
		})
		must(t, err)
		behind(t, address).does("UPDATE environment SET body = '{' WHERE partner = 'acme'")
		meddled.Store(t.Name(), 1)
		refused(t, "damaged", b.loosen(t))
		refused(t, "damaged", second(b.IssueAPIKey(ctx, registry.NewAPIKey{
			Partner: "acme", Environment: "PROD", Sealing: sealane.SealingOptional,
		})))
		file, err := exported(ctx, b.WithReason("moves to the HSM"), registry.KeyPairExport{
			KeyPair: k.ID, Format: "pkcs8", Passphrase: []byte("a long passphrase"),
		})
		if refused(t, "damaged", err); file != nil {
			t.Error("the private key was delivered")
		}
	})
}

// Anyone who gets the token of an operator could receive as one person and approve as another.
func TestTokenOfAnOperator(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	add := func(id string, role registry.Role) error {
		return only(s.AddPerson(ctx, registry.Person{ID: id, Roles: []registry.Role{role}}))
	}
	must(t, add("olga", registry.Operator)) // the first people of a registry: there is nobody to ask
	must(t, only(s.RenewToken(ctx, "olga")))
	must(t, add("ben", registry.Approver))
	asksSecond(t, "ole becomes operator", add("ole", registry.Operator))
	asksSecond(t, "somebody gets the token of olga, who is operator", only(s.RenewToken(ctx, "olga")))
	must(t, s.SetRoles(ctx, "olga", []registry.Role{registry.Auditor})) // it only takes something
	must(t, only(s.RenewToken(ctx, "olga")))
	asksSecond(t, "olga becomes operator", s.SetRoles(ctx, "olga", []registry.Role{registry.Operator}))
	must(t, only(s.RenewToken(ctx, "anna"))) // one's own
}

// An administrator who revokes the other approvers is not alone at once: for a week they count where
// somebody is to get a role or a token, and then one person alone brings in another approver.
func TestTheWayBackTakesAWeek(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		b, ctx := newBank(t, address), t.Context()
		b.revoke(t, "ben")
		b.now = b.now.Add(24 * time.Hour)
		b.revoke(t, "cora")
		add := func(id string, role registry.Role) error {
			return only(b.AddPerson(ctx, registry.Person{ID: id, Roles: []registry.Role{role}}))
		}
		for range 2 {
			const when = "one person alone may do it from 2026-12-08 09:00 UTC on"
			needed := asksSecond(t, when, add("eve", registry.Approver))
			_, err := b.MakeRequest(ctx, needed.Request)
			refused(t, when, err)
			refused(t, "nobody else is an approver", err)
			asksSecond(t, when, add("olga", registry.Operator))
			asksSecond(t, when, add("berta", registry.Administrator))
			asksSecond(t, when, only(b.RenewToken(ctx, "ben")))
			b.now = time.Date(2026, 12, 8, 8, 59, 0, 0, time.UTC)
		}
		b.now = b.now.Add(2 * time.Minute)
		asksSecond(t, "ben is no longer approver", b.SetRoles(ctx, "ben", []registry.Role{registry.Auditor}))
		asksSecond(t, "unencrypted messages", b.loosen(t))
		must(t, add("eve", registry.Approver))
		asksSecond(t, "mallory becomes approver", add("mallory", registry.Approver))
	})
}
