package registry_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/profile"
)

// ownDialect returns the text of a profile under another name.
func ownDialect(t *testing.T, name string) []byte {
	t.Helper()
	source, err := profile.Source("riskos")
	must(t, err)
	return bytes.Replace(source, []byte("name: riskos"), []byte("name: "+name), 1)
}

// Everybody ends their own token, but not the last administrator.
func TestOwnToken(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	for _, role := range []registry.Role{operator, approver, auditor, backup} {
		own, token := person(t, s, string(role), role)
		must(t, own.EndToken(ctx))
		if _, err := s.Registry().Login(ctx, token); !errors.Is(err, registry.ErrUnknownToken) {
			t.Errorf("the %s logs in: %v", role, err)
		}
	}
	refused(t, "last administrator", s.EndToken(ctx))
	nextWeek := time.Now().Add(8 * 24 * time.Hour) // when the approver who has ended theirs does not count any more
	s.Registry().Now = func() time.Time { return nextWeek }
	person(t, s, "berta", administrator)
	must(t, s.EndToken(ctx))
}

// A program that makes backups can do nothing else, and its role goes with no other.
func TestBackupRole(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	timer, _ := person(t, s, "timer", backup)
	may := map[registry.Action]bool{}
	for _, action := range registry.Actions() {
		if timer.May(action) == nil {
			may[action] = true
		}
	}
	if len(may) != 4 || !may["backup"] || !may["self"] || !may["token.end"] || !may["token.renew"] {
		t.Errorf("it may %v", may)
	}
	refused(t, "no other with it", s.SetRoles(ctx, "timer", []registry.Role{backup, auditor}))
	refused(t, "no other with it", third(s.AddPerson(ctx, registry.Person{
		ID: "two", Roles: []registry.Role{backup, operator},
	})))
}

// What was typed wrong about people, contacts and API keys is put right.
func TestCorrections(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	s = s.WithReason("a typo")
	acme(t, s)
	person(t, s, "ben", approver)
	name, email, other := "Ben Okoro", "ben@bank.example", "anna@bank.example"
	must(t, s.ChangePerson(ctx, "ben", registry.PersonChange{Name: &name, Email: &email}))
	must(t, s.ChangePerson(ctx, "anna", registry.PersonChange{Email: &other}))
	refused(t, "one person, one token", s.ChangePerson(ctx, "ben", registry.PersonChange{Email: &other}))
	api, _, err := s.IssueAPIKey(ctx, registry.NewAPIKey{
		Partner: "acme", Environment: "PROD", Sealing: sealane.SealingRequired, Label: "batsch",
	})
	must(t, err)
	must(t, s.LabelAPIKey(ctx, api.ID, "batch"))
	lane := lanes.Name{Partner: "acme", Environment: "PROD"}
	set := func(role registry.ContactRole, email string) {
		must(t, s.SetContact(ctx, lane, registry.Contact{Role: role, Email: email}))
	}
	set(registry.Primary, "one@acme.example")
	set(registry.Alternate, "one@acme.example")
	set(registry.Support, "two@acme.example")
	change := func(which registry.ContactName, f func(*registry.Contact)) error {
		return only(s.ChangeContact(ctx, lane, which, f))
	}
	moved := func(c *registry.Contact) { c.Email, c.Name = "three@acme.example", "Three" }
	refused(t, "in several roles", change(registry.ContactName{Email: "one@acme.example"}, moved))
	must(t, change(registry.ContactName{Email: "One@acme.example", Role: registry.Alternate}, moved))
	refused(t, "as its support contact already", change(registry.ContactName{Email: "three@acme.example"},
		func(c *registry.Contact) { c.Email, c.Role = "two@acme.example", registry.Support }))
	refused(t, "mail address", change(registry.ContactName{Email: "three@acme.example"},
		func(c *registry.Contact) { c.Email = "nobody" }))
	refused(t, "not found", change(registry.ContactName{Email: "four@acme.example"}, moved))
	set(registry.Support, "one@acme.example")
	// One role of an address is removed, or all.
	must(t, s.RemoveContact(ctx, lane, registry.ContactName{Role: registry.Support, Email: "one@acme.example"}))
	refused(t, "not found",
		s.RemoveContact(ctx, lane, registry.ContactName{Role: registry.Support, Email: "one@acme.example"}))
	must(t, s.RemoveContact(ctx, lane, registry.ContactName{Email: "three@acme.example"}))
	must(t, s.View(ctx, func(tx registry.Reader) error {
		env, err := tx.Environment("acme", "PROD")
		if len(env.Contacts) != 2 || env.Contacts[0].Role != registry.Primary ||
			env.Contacts[1].Email != "two@acme.example" {
			t.Errorf("%+v", env.Contacts)
		}
		k, err2 := tx.APIKey(api.ID)
		ben, err3 := tx.Person("ben")
		if k.Label != "batch" || ben.Name != name || ben.Email != email {
			t.Errorf("%+v %+v", k, ben)
		}
		return errors.Join(err, err2, err3)
	}))
}
